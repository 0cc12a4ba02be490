"""ROS 1 .bag files. rosbags reads what was closed properly; what has no index, or a damaged one, is scanned.

Source of the records: wiki.ros.org/Bags/Format/2.0.
"""

from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from rosbags.rosbag1 import Reader
from rosbags.rosbag1.reader import Header, RecordType, decompressors, read_bytes, read_uint32

from vitron_ros.recordings.bag_storage import ROS1, RawMessage, Storage, Topic, scanned, type_name

_MAGIC = b"#ROSBAG V2.0\n"


def open_ros1(name: Path, path: Path) -> Storage:
    """The file at `path`, called `name` in errors.

    Raises:
        SourceError: nothing of it can be read.
    """
    try:
        with Reader(path) as reader:
            topics = tuple(
                Topic(connection.topic, connection.msgtype, connection.msgcount, ROS1)
                for connection in reader.connections
            )
    except Exception:  # no index, or damaged: the scan looks at it again and describes it
        return scanned(name, path, _scan)
    return Storage(name, path, topics, _seek)


def _seek(path: Path, names: Collection[str] | None) -> Iterator[RawMessage]:
    with Reader(path) as reader:
        connections = [link for link in reader.connections if names is None or link.topic in names]
        if connections:  # else rosbags would take all
            for link, log_ns, data in reader.messages(connections):
                yield RawMessage(link.topic, link.msgtype, log_ns, data, ROS1)


def _scan(path: Path, names: Collection[str] | None) -> Iterator[RawMessage]:
    topics: dict[int, tuple[str, str]] = {}
    with path.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("it is no ROS 1 bag of version 2.0")
        for message in _records(stream, topics):
            if names is None or message.topic in names:
                yield message


def _records(stream: BinaryIO, topics: dict[int, tuple[str, str]]) -> Iterator[RawMessage]:
    """The messages of a file or chunk. `topics`: name and type of each connection that was met, by its number."""
    while stream.read(1):
        stream.seek(-1, 1)
        header = Header.read(stream)
        kind = header.get_uint8("op")
        if kind == RecordType.CONNECTION:
            topics[header.get_uint32("conn")] = (
                header.get_string("topic"),
                type_name(Header.read(stream).get_string("type")),
            )
            continue
        size = read_uint32(stream)
        if kind == RecordType.CHUNK and header.get_string("compression") == "none":
            continue  # its records are read as if they lay in the file, so that a cut chunk gives what is there
        data = read_bytes(stream, size)
        if kind == RecordType.CHUNK:
            yield from _records(BytesIO(decompressors[header.get_string("compression")](data)), topics)
        elif kind == RecordType.MSGDATA:
            topic, name = topics[header.get_uint32("conn")]
            yield RawMessage(topic, name, header.get_time("time"), data, ROS1)

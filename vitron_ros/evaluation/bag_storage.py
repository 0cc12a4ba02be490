"""Raw messages out of recordings: rosbag2 directories, single .mcap and .db3 files, ROS 1 .bag files, whole or damaged.

rosbags reads what was closed properly. An MCAP whose recorder died has no index, so it is scanned from its start with
the mcap library up to the damage.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.rosbag1 import Reader as Ros1Reader
from rosbags.rosbag2 import Reader as Ros2Reader

from vitron_ros.errors import SourceError
from vitron_ros.file_names import in_order

SUFFIXES = (".mcap", ".db3", ".bag")
_MAX_RECORD_BYTES = 1 << 30  # a damaged length must not claim all memory


@dataclass(frozen=True, slots=True)
class Topic:
    """What a recording says of one topic. `type` as in "sensor_msgs/msg/Image"."""

    name: str
    type: str
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class RawMessage:
    """One serialised message: CDR, or ROS 1 bytes where `is_ros1`. `log_ns`: when it was recorded."""

    topic: str
    type: str
    log_ns: int
    data: bytes
    is_ros1: bool = False


class Storage(Protocol):
    """One recording, or one file of it."""

    topics: tuple[Topic, ...]

    def messages(self, names: Collection[str]) -> Iterator[RawMessage]:
        """The messages of these topics in order of time; SourceError after the last readable one of a damaged file."""


def is_bag(path: Path) -> bool:
    """Whether the path looks like a recording; nothing is opened."""
    if path.is_dir():
        return (path / "metadata.yaml").exists() or bool(_storage_files(path))
    return path.suffix in SUFFIXES


def open_storages(path: Path) -> list[Storage]:
    """The recording at `path`: one storage, or one for each file where the directory's metadata cannot be used.

    Raises:
        SourceError: there is no recording at `path`, or nothing of it can be read.
    """
    if not path.exists():
        raise SourceError(f"{path} does not exist")
    if not path.is_dir():
        return [_open_file(path)]
    try:
        return [IndexedStorage(path)]
    except SourceError as error:
        files = _storage_files(path)
        if not files:
            raise SourceError(f"{path} is no bag: {error}") from error
        return [_open_file(file) for file in files]


class IndexedStorage:
    """A recording that rosbags can open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_ros1 = path.suffix == ".bag"
        try:
            with self._open() as reader:
                self.topics = tuple(
                    Topic(connection.topic, connection.msgtype, connection.msgcount)
                    for connection in reader.connections
                )
        except Exception as error:  # its parsers let through whatever they meet in damaged bytes
            raise SourceError(f"{path} cannot be opened as a bag: {_reason(error)}") from error

    def messages(self, names: Collection[str]) -> Iterator[RawMessage]:
        return _until_damage(self._path, self._read(names))

    def _open(self) -> Ros1Reader | Ros2Reader:
        return Ros1Reader(self._path) if self._is_ros1 else Ros2Reader(self._path)

    def _read(self, names: Collection[str]) -> Iterator[RawMessage]:
        with self._open() as reader:
            connections = [connection for connection in reader.connections if connection.topic in names]
            if not connections:
                return
            for connection, log_ns, data in reader.messages(connections):
                yield RawMessage(connection.topic, connection.msgtype, log_ns, data, self._is_ros1)


class UnfinishedMcap:
    """An MCAP file without its index, or with a damaged one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        types: dict[str, str] = {}
        counts: dict[str, int] = {}
        try:
            for message in self.messages(()):
                types[message.topic] = message.type
                counts[message.topic] = counts.get(message.topic, 0) + 1
        except SourceError as error:
            if not counts:
                raise SourceError(
                    f"{path} holds no message that can be read: {_reason(error)}; record it again"
                ) from error
        self.topics = tuple(Topic(name, types[name], counts[name]) for name in types)

    def messages(self, names: Collection[str]) -> Iterator[RawMessage]:
        """As `Storage.messages`; no names: every topic."""
        return _until_damage(self._path, self._read(names))

    def _read(self, names: Collection[str]) -> Iterator[RawMessage]:
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        with self._path.open("rb") as stream:
            for record in StreamReader(stream, record_size_limit=_MAX_RECORD_BYTES).records:
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    channels[record.id] = record
                elif isinstance(record, Message):
                    channel = channels[record.channel_id]
                    if not names or channel.topic in names:
                        type_name = schemas[channel.schema_id].name
                        yield RawMessage(channel.topic, type_name, record.log_time, record.data)


def _open_file(path: Path) -> Storage:
    try:
        return IndexedStorage(path)
    except SourceError:
        if path.suffix != ".mcap":
            raise
        return UnfinishedMcap(path)


def _storage_files(folder: Path) -> list[Path]:
    return in_order(path for path in folder.iterdir() if path.suffix in (".mcap", ".db3"))


def _until_damage(path: Path, messages: Iterator[RawMessage]) -> Iterator[RawMessage]:
    count = 0
    while True:
        try:
            message = next(messages)
        except StopIteration:
            return
        except Exception as error:  # as in IndexedStorage: damaged bytes raise anything
            raise SourceError(
                f"{path} breaks off after {count} messages ({_reason(error)}); what came before was read"
            ) from error
        yield message
        count += 1


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__

"""MCAP files. Everything but the messages is optional in them: where the summary is not whole, the file is scanned."""

import os
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from mcap.reader import SeekingReader
from mcap.records import Channel, DataEnd, Message, Schema
from mcap.stream_reader import StreamReader
from mcap.summary import Summary

from vitron_ros.recordings.bag_storage import CDR, ROS1, RawMessage, Storage, Topic, scanned, type_name

_FOOTER = struct.Struct("<QQI")  # where the summary starts, where its offsets do, its checksum
_MAGIC = b"\x89MCAP0\r\n"
_MAX_RECORD_BYTES = 1 << 30  # a damaged length must not claim all memory


def open_mcap(name: Path, path: Path) -> Storage:
    """The file at `path`, called `name` in errors.

    Raises:
        SourceError: nothing of it can be read.
    """
    try:
        with path.open("rb") as stream:
            summary = SeekingReader(stream, record_size_limit=_MAX_RECORD_BYTES).get_summary()
            summary = summary if _is_intact(stream) else None
    except Exception:  # cut off or damaged, which the scan looks at again and describes
        summary = None
    if summary is None or not _is_whole(summary):
        return scanned(name, path, _scan)
    assert summary.statistics is not None
    counts = summary.statistics.channel_message_counts
    topics = tuple(
        Topic(channel.topic, _type(channel, summary.schemas), counts.get(channel.id, 0), _serialisation(channel))
        for channel in summary.channels.values()
    )
    return Storage(name, path, topics, _seek)


def _is_intact(stream: BinaryIO) -> bool:
    """Whether the summary fits its checksum, if it has one."""
    stream.seek(-_FOOTER.size - len(_MAGIC), os.SEEK_END)
    start, _, checksum = _FOOTER.unpack(stream.read(_FOOTER.size))
    stream.seek(start)
    covered = stream.read()[: -len(_MAGIC) - 4]  # all before the checksum itself
    return checksum in (0, zlib.crc32(covered))


def _is_whole(summary: Summary) -> bool:
    """Whether the summary names every channel, type and chunk that the statistics count."""
    statistics = summary.statistics
    if statistics is None:
        return False
    counts = statistics.channel_message_counts
    used = {channel for channel, count in counts.items() if count} | {
        channel for chunk in summary.chunk_indexes for channel in chunk.message_index_offsets
    }
    return (
        sum(counts.values()) == statistics.message_count
        and used <= summary.channels.keys()
        and all(channel.schema_id in {0, *summary.schemas} for channel in summary.channels.values())
        and len(summary.channels) == statistics.channel_count
        and len(summary.chunk_indexes) == statistics.chunk_count
        and (statistics.chunk_count > 0 or statistics.message_count == 0)
    )


def _seek(path: Path, names: Collection[str] | None) -> Iterator[RawMessage]:
    with path.open("rb") as stream:
        reader = SeekingReader(stream, validate_crcs=True, record_size_limit=_MAX_RECORD_BYTES)
        for schema, channel, message in reader.iter_messages(names):
            yield _raw(channel, {} if schema is None else {schema.id: schema}, message)


def _scan(path: Path, names: Collection[str] | None) -> Iterator[RawMessage]:
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    with path.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("it is not an MCAP file")
        stream.seek(0)
        for record in StreamReader(stream, record_size_limit=_MAX_RECORD_BYTES).records:
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, DataEnd):
                return  # what follows is the index, which is not needed
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Message):
                channel = channels[record.channel_id]
                if names is None or channel.topic in names:
                    yield _raw(channel, schemas, record)


def _raw(channel: Channel, schemas: dict[int, Schema], message: Message) -> RawMessage:
    return RawMessage(channel.topic, _type(channel, schemas), message.log_time, message.data, _serialisation(channel))


def _type(channel: Channel, schemas: dict[int, Schema]) -> str:
    if channel.schema_id == 0:
        return "no type"
    name = schemas[channel.schema_id].name
    return type_name(name) if _serialisation(channel) in (CDR, ROS1) else name


def _serialisation(channel: Channel) -> str:
    return channel.message_encoding or "no serialisation"

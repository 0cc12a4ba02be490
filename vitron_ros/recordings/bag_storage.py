"""What every format of recording gives: its topics, and its serialised messages up to where it is damaged."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.typesys.msg import normalize_msgtype

from vitron_ros.errors import SourceError

CDR, ROS1 = "cdr", "ros1"


@dataclass(frozen=True, slots=True)
class Topic:
    """What a recording says of one topic.

    Attributes:
        type: as in "sensor_msgs/msg/Image".
        serialisation: "cdr", "ros1", or what else the recorder wrote, such as "protobuf" or "json".
    """

    name: str
    type: str
    count: int
    serialisation: str = CDR


@dataclass(frozen=True, slots=True, eq=False)
class RawMessage:
    """One serialised message. `log_ns`: when it was recorded. `data` may be compressed with zstd, see `bags`."""

    topic: str
    type: str
    log_ns: int
    data: bytes
    serialisation: str = CDR


Read = Callable[[Path, Collection[str] | None], Iterator[RawMessage]]
"""The messages of these topics in a file, None: of all. It may raise anything where the file is damaged."""


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """One file of a recording, which is open only while its messages are read.

    Attributes:
        name: what the user calls the file.
        path: where its bytes are; another place than `name` if they had to be decompressed.
        keeps: what must live as long as this, such as the folder of `path`.
    """

    name: Path
    path: Path
    topics: tuple[Topic, ...]
    read: Read
    keeps: Any = None

    def messages(self, names: Collection[str] | None = None) -> Iterator[RawMessage]:
        """The messages of these topics, None: of all, in the order of their recording.

        Raises:
            SourceError: after the last message that can be read, if the file is damaged.
        """
        count = 0
        messages = self.read(self.path, names)
        while True:
            try:
                message = next(messages)
            except StopIteration:
                return
            except Exception as error:  # the parsers of all formats let through whatever they meet in damaged bytes
                raise SourceError(
                    f"{self.name} breaks off after {count} messages ({reason(error)}); what came before was read"
                ) from error
            yield message
            count += 1


def scanned(name: Path, path: Path, read: Read) -> Storage:
    """A storage without a usable index: all of it is read once to learn what it holds.

    Raises:
        SourceError: it is damaged before its first message.
    """
    types: dict[tuple[str, str, str], int] = {}
    try:
        for message in Storage(name, path, (), read).messages():
            key = (message.topic, message.type, message.serialisation)
            types[key] = types.get(key, 0) + 1
    except SourceError as error:
        if not types:
            why = reason(error.__cause__ or error)
            raise SourceError(f"{name} holds no message that can be read: {why}; record it again") from error
    topics = tuple(Topic(topic, type_name, count, kind) for (topic, type_name, kind), count in types.items())
    return Storage(name, path, topics, read)


def type_name(name: str) -> str:
    """A type as ROS 2 writes it: "sensor_msgs/Image" and "sensor_msgs::msg::Image" are "sensor_msgs/msg/Image"."""
    name = name.replace("::", "/")
    return str(normalize_msgtype(name)) if name.count("/") == 1 else name


def reason(error: BaseException) -> str:
    return str(error) or type(error).__name__

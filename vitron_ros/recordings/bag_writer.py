"""Recordings as `ros2 bag` and Foxglove open them: a rosbag2 directory with one MCAP file."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Literal

from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer, WriterError

from vitron_ros.errors import SourceError
from vitron_ros.interfaces import bag_types
from vitron_ros.recordings.output import make_folder

METADATA_VERSION: Literal[9] = 9  # that of Jazzy, which Kilted and Lyrical read as well


class BagWriter:
    """A new recording. Use it as a context manager; topics come into being with their first message.

    Chunks are compressed with zstd. When writing fails the file keeps what was written, and `Bag` can still read it.

    Raises:
        SourceError: the path exists already, or the disk is full or cannot be written; from any method.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connections: dict[str, Connection] = {}
        try:
            self._writer = Writer(path, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
        except (WriterError, FileExistsError) as error:
            raise SourceError(f"{path} exists already; remove it or choose another name") from error
        except OSError as error:
            raise self._failure(error) from error

    def write(self, topic: str, message: Any, log_ns: int) -> None:
        """Add a message of `bag_messages` with its time of recording."""
        self.write_raw(topic, message.__msgtype__, bag_types().serialize_cdr(message, message.__msgtype__), log_ns)

    def write_raw(self, topic: str, type_name: str, data: bytes | memoryview, log_ns: int) -> None:
        """Add a message that is serialised already (CDR), such as a raw rclpy subscription gives."""
        try:
            connection = self._connections.get(topic)
            if connection is None:
                connection = self._writer.add_connection(topic, type_name, typestore=bag_types())
                self._connections[topic] = connection
            self._writer.write(connection, log_ns, data)
        except OSError as error:
            self._abort()
            raise self._failure(error) from error

    def close(self) -> None:
        """Write the index and the metadata. The recording is complete only then."""
        try:
            self._writer.close()
        except OSError as error:
            self._abort()
            raise self._failure(error) from error

    def __enter__(self) -> "BagWriter":
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer.storage is not None:  # else writing has failed, or it is closed
            self.close()

    def _abort(self) -> None:
        with suppress(OSError):  # the disk is still full when the last buffer is flushed
            self._writer.abort()

    def _failure(self, error: OSError) -> SourceError:
        return SourceError(
            f"{self.path} cannot be written: {error.strerror}; free space or choose another place. "
            "What was written before can still be read"
        )


@contextmanager
def mcap_file(path: Path) -> Iterator[BagWriter]:
    """A recording as one MCAP file alone, which is there only when it is whole, and replaces an older one.

    Raises:
        SourceError: it cannot be written.
    """
    make_folder(path.parent)
    try:
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
            with BagWriter(Path(folder) / "bag") as bag:
                yield bag
            next((Path(folder) / "bag").glob("*.mcap")).replace(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be written: {error.strerror}; choose another place") from error

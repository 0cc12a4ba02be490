"""The .db3 files of rosbag2's sqlite3 storage, whole or cut off. Its columns are equal in all its versions."""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

from vitron_ros.errors import SourceError
from vitron_ros.recordings.bag_storage import RawMessage, Storage, Topic, scanned

_TOPICS = "SELECT id, name, type, serialization_format FROM topics"
_COUNTS = "SELECT topic_id, COUNT(*) FROM messages GROUP BY topic_id"


def open_sqlite3(name: Path, path: Path) -> Storage:
    """The file at `path`, called `name` in errors.

    Raises:
        SourceError: nothing of it can be read.
    """
    try:
        with closing(_connect(path)) as database:
            topics = _topics(database)
            try:
                counts = dict(database.execute(_COUNTS).fetchall())
            except sqlite3.DatabaseError:  # pages are missing
                return scanned(name, path, _scan)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise SourceError(f"{name} cannot be opened as a bag: {error}; copy or record it again") from error
    return Storage(
        name,
        path,
        tuple(Topic(topic, kind, counts.get(number, 0), form) for number, (topic, kind, form) in topics.items()),
        _read,
    )


def _connect(path: Path) -> sqlite3.Connection:
    # A recorder that died may leave a log beside the file, whose messages count; without one nothing is locked.
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    database = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, check_same_thread=False)
    database.execute("PRAGMA writable_schema = ON")  # else a file that was cut off is refused as a whole
    return database


def _topics(database: sqlite3.Connection) -> dict[int, tuple[str, str, str]]:
    return {number: (name, kind, form) for number, name, kind, form in database.execute(_TOPICS)}


def _read(path: Path, names: Collection[str] | None) -> Iterator[RawMessage]:
    return _rows(path, names, "timestamp")


def _scan(path: Path, names: Collection[str] | None) -> Iterator[RawMessage]:
    """In the order of the table itself, which needs no index."""
    return _rows(path, names, "id")


def _rows(path: Path, names: Collection[str] | None, order: str) -> Iterator[RawMessage]:
    with closing(_connect(path)) as database:
        topics = {number: topic for number, topic in _topics(database).items() if names is None or topic[0] in names}
        marks = ",".join("?" * len(topics))
        query = f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks}) ORDER BY {order}"
        for number, log_ns, data in database.execute(query, tuple(topics)):
            name, kind, form = topics[number]
            yield RawMessage(name, kind, log_ns, data, form)

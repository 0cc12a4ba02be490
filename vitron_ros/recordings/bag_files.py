"""Recordings as they lie on a disk: rosbag2 directories, single files, and files that were compressed with zstd."""

import logging
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.lfs import lfs_problem
from vitron_ros.natural_sort import natural_sorted
from vitron_ros.recordings.bag_mcap import open_mcap
from vitron_ros.recordings.bag_ros1 import open_ros1
from vitron_ros.recordings.bag_sqlite3 import open_sqlite3
from vitron_ros.recordings.bag_storage import RawMessage, Storage
from vitron_ros.recordings.bag_zstd import ENDINGS, decompress_file
from vitron_ros.yaml_file import read_yaml

METADATA = "metadata.yaml"

_OPENERS = {".mcap": open_mcap, ".db3": open_sqlite3, ".bag": open_ros1}
_CHOICES = f"{', '.join(_OPENERS)}, alone or with .zstd"
_FOREIGN = (".gz", ".bz2", ".xz", ".lz4", ".zip")  # named, so that the file is not taken for a video
_UNFINISHED = ".active"  # as `rosbag record` of ROS 1 calls the file that it is writing
_log = logging.getLogger(__name__)


def is_bag(path: Path) -> bool:
    """Whether the path looks like a recording; nothing is opened."""
    if path.is_dir():
        return (path / METADATA).exists() or bool(_storage_files(path))
    return _format(path) in _OPENERS


def open_storages(path: Path) -> list[Storage]:
    """The recording at `path`, one storage for each of its files, in the order in which they were recorded.

    Raises:
        SourceError: there is no recording at `path`, or nothing of it can be read.
    """
    if not path.exists():
        raise SourceError(f"{path} does not exist")
    if not path.is_dir():
        return [_open_file(path)]
    files = _listed_files(path)
    if not files:
        raise SourceError(f"{path} is not a bag: no file of it is there that ends in {_CHOICES}; copy it again")
    storages: list[Storage] = []
    failures: list[SourceError] = []
    for file in files:
        try:
            storages.append(_open_file(file))
        except SourceError as error:
            failures.append(error)
            storages.append(_broken(file, error))
    if len(failures) == len(files):
        raise failures[0]
    return storages


def _format(path: Path) -> str:
    """The ending that says how to read the file, ".mcap" of "a.mcap.zstd"."""
    name = path.name.lower()
    for ending in (*ENDINGS, *_FOREIGN, _UNFINISHED):
        name = name.removesuffix(ending)
    return Path(name).suffix


def _storage_files(folder: Path) -> list[Path]:
    """In the order of their names, without hidden ones; of a file and its compressed copy, the file."""
    files = [
        path
        for path in natural_sorted(folder.iterdir())
        if path.is_file() and _format(path) in _OPENERS and not path.name.startswith(".")
    ]
    return [path for path in files if path.suffix not in ENDINGS or path.with_suffix("") not in files]


def _listed_files(folder: Path) -> list[Path]:
    """The files that the metadata lists, in its order; all where it is missing or speaks of others.

    Raises:
        SourceError: they are compressed in another way than with zstd.
    """
    metadata = _metadata(folder / METADATA)
    compression = metadata.get("compression_format") or "zstd"
    if metadata.get("compression_mode") not in (None, "", "none", "NONE") and compression != "zstd":
        raise SourceError(
            f"{folder} is compressed with {compression}, only zstd is read; decompress it with `ros2 bag convert`"
        )
    files = _storage_files(folder)
    names = metadata.get("relative_file_paths")
    listed = list(dict.fromkeys(folder / Path(str(name)).name for name in names)) if isinstance(names, list) else []
    if listed and all(path.is_file() for path in listed):
        return listed
    if len(listed) > len(files) > 0:
        missing = ", ".join(path.name for path in listed if not path.is_file())
        _log.warning("%s: its metadata lists %s, which is not there; the recording has a gap", folder, missing)
    return files


def _metadata(path: Path) -> dict[str, Any]:
    """What the metadata says; nothing where it cannot be read, since the files can be read without it."""
    if not path.exists():
        return {}
    try:
        information = read_yaml(path)["rosbag2_bagfile_information"]
    except (ConfigError, KeyError, TypeError) as error:
        _log.warning("%s cannot be read (%s); the files beside it are", path, type(error).__name__)
        return {}
    return information if isinstance(information, dict) else {}


def _open_file(path: Path) -> Storage:
    opener = _OPENERS.get(_format(path))
    if opener is None:
        raise SourceError(f"{path} is not a bag; give a file that ends in {_CHOICES}")
    if path.suffix.lower() in _FOREIGN:
        raise SourceError(f"{path} is compressed in a way that is not read; unpack it, or compress it with zstd")
    if problem := lfs_problem(path):
        raise SourceError(problem)
    try:
        if path.suffix.lower() not in ENDINGS:
            return opener(path, path)
        folder = TemporaryDirectory(prefix="vitron-bag-")
        return replace(opener(path, decompress_file(path, Path(folder.name))), keeps=folder)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error


def _broken(path: Path, error: SourceError) -> Storage:
    """A file of a split recording that cannot be opened, which the others do not suffer from."""

    def read(path: Path, names: Collection[str] | None) -> Iterator[RawMessage]:
        raise error

    return Storage(path, path, (), read)

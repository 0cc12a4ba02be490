"""Text and JSON files of a checkpoint. They may be damaged, foreign or hostile: an error is one sentence, and quotes no
more than a few words of a file.
"""

import json
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vitron_ros.errors import ModelError
from vitron_ros.lfs import lfs_problem

MAX_BYTES = 256 * 1024**2  # the largest tokenizers take 40 MB
SHOWN = 120  # characters of a value or a name
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")  # names of weights that can run code when they are opened

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 60


def quoted(value: object) -> str:
    """The repr of a value from a file, shortened, whatever its size and depth."""
    return _repr.repr(value)


def shortened(names: Iterable[str], most: int = 4) -> str:
    """The first names of a list, none of them longer than a line can hold."""
    names = list(names)
    shown = [name if len(name) <= SHOWN and name.isprintable() else quoted(name) for name in names[:most]]
    return ", ".join(shown) + (", ..." if len(names) > most else "")


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without its byte order mark.

    Raises:
        ModelError: it cannot be read, is too large, in another encoding, or a pointer of Git LFS.
    """
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ModelError(f"{path} has {size} bytes, more than any such file needs; fetch it again")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelError(f"{path} is not UTF-8 text; save it as UTF-8, or fetch it again") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    if problem := lfs_problem(path):
        raise ModelError(problem)
    return text


def read_json(path: Path) -> dict[str, Any]:
    """The table in a JSON file.

    Raises:
        ModelError: as of `read_text`, or it is not JSON, no table, or has a key twice.
    """
    try:
        values = json.loads(read_text(path), object_pairs_hook=_table)
    except RecursionError as error:
        raise ModelError(f"{path} is not valid JSON: it is nested too deeply; fetch it again") from error
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: {error}; mend it, or fetch it again") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds no table of settings; fetch it again")
    return values


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has the key {quoted(next(name for name in names if names.count(name) > 1))} twice")
    return values


def files_inside(directory: Path, names: Iterable[object], where: Path) -> list[Path]:
    """Files of a directory by the names that another file gives, each once, sorted.

    Links are followed, since a hub's cache is made of them; a name never leads out of the directory.

    Raises:
        ModelError: one is no name, leads out of the directory, or is not there.
    """
    found = set()
    for name in names:
        if not isinstance(name, str) or not name or "\0" in name:
            raise ModelError(f"{where} names {quoted(name)}, which is not a file; fetch the checkpoint again")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ModelError(f"{where} names {quoted(name)}, outside its own folder; such a checkpoint is not read")
        found.add(name)
    missing = sorted(name for name in found if not is_file(directory / name))
    if missing:
        raise ModelError(f"{directory} lacks the weight file {shortened(missing)}; fetch the checkpoint again")
    return [directory / name for name in sorted(found)]


def pickles_in(directory: Path) -> list[str]:
    """The names of a directory's pickles, sorted."""
    return sorted(path.name for pattern in PICKLES for path in directory.glob(pattern))


def is_file(path: Path) -> bool:
    """Whether there is such a file, also where the name is too long or the folder is closed."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False

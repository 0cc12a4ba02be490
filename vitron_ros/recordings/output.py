"""Results as files."""

import json
import os
from pathlib import Path
from typing import Any

from vitron_ros.errors import SourceError


def make_folder(path: Path) -> None:
    """Raises SourceError if there is no such folder and none can be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"cannot make the folder {path}: {reason}; choose another") from error


def write_json(path: Path, value: Any) -> None:
    """Write a value, making the folder if need be. The same value gives the same bytes.

    Raises:
        SourceError: the file cannot be written.
    """
    write_bytes(path, (json.dumps(value, indent=1) + "\n").encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, making the folder if need be.

    Raises:
        SourceError: the file cannot be written.
    """
    make_folder(path.parent)
    try:
        path.write_bytes(data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"cannot write {path}: {reason}; make room or choose another place") from error


def replace_bytes(path: Path, data: bytes) -> None:
    """As `write_bytes`, and whoever looks sees the old file or the whole new one, also after a crash."""
    temporary = path.with_name(f"{path.name}.tmp")
    write_bytes(temporary, data)
    try:
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror}; make room or choose another place") from error

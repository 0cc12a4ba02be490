"""Results as files."""

import json
from pathlib import Path
from typing import Any

from vitron_ros.errors import SourceError


def make_folder(path: Path) -> None:
    """Raises SourceError if there is no such folder and none can be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(f"cannot make the folder {path}: {error.strerror}; choose another") from error


def write_json(path: Path, value: Any) -> None:
    """Write a value, making the folder if need be. The same value gives the same bytes.

    Raises:
        SourceError: the file cannot be written.
    """
    make_folder(path.parent)
    try:
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror}; make room or choose another place") from error

"""Results as JSON files."""

import json
from pathlib import Path
from typing import Any

from vitron_ros.errors import SourceError


def write_json(path: Path, value: Any) -> None:
    """Write a value, making the folder if need be. The same value gives the same bytes.

    Raises:
        SourceError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror}; make room or choose another --out") from error

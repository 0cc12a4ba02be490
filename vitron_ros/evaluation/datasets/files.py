"""Files of a data set: what is missing is named with how to get it, what is damaged with its place."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vitron_ros.errors import SourceError
from vitron_ros.lfs import lfs_problem

Value = TypeVar("Value")
KINDS = {str: "a text", int: "a whole number", list: "a list", dict: "a table"}


def required(path: Path, how_to_get: str) -> Path:
    """The path, which must be there.

    Raises:
        SourceError: it is not; the sentence ends with how to get it.
    """
    if not path.exists():
        raise SourceError(f"{path} is missing; {how_to_get}")
    return path


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without its byte order mark.

    Raises:
        SourceError: it cannot be read, is in another encoding, or is a pointer of Git LFS.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} cannot be read: it is not UTF-8 text; save it as such") from error
    if text.startswith("version https://git-lfs") and (problem := lfs_problem(path)):
        raise SourceError(problem)
    return text


def read_lines(path: Path) -> list[str]:
    """The lines of a text file; empty ones at its end are left out.

    Raises:
        SourceError: as of `read_text`.
    """
    return read_text(path).rstrip().splitlines()


def read_json(path: Path, kind: type[Value]) -> Value:
    """The list or table in a JSON file.

    Raises:
        SourceError: as of `read_text`, or it is not JSON, or not of that kind.
    """
    return parse_json(read_text(path), str(path), kind)


def read_json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables in a file with one a line, each after its place, for messages.

    Raises:
        SourceError: as of `read_text`, or a line holds no table.
    """
    for number, line in enumerate(read_lines(path), 1):
        where = f"{path}, line {number}"
        yield where, parse_json(line, where, dict)


def value(table: object, key: str, kind: type[Value], where: str) -> Value:
    """What a table says under a key.

    Raises:
        SourceError: it is no table, or says nothing of that kind there.
    """
    found = table.get(key) if isinstance(table, Mapping) else None
    if not isinstance(found, kind) or isinstance(found, bool):
        raise SourceError(f"{where}: {key} should be {KINDS[kind]}; correct it or get the file again")
    return found


def parse_json(text: str, where: str, kind: type[Value]) -> Value:
    """The list or table in a JSON text. Raises SourceError as `read_json`."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where} is not valid JSON: {error}; correct it or get the file again") from error
    if not isinstance(values, kind):
        raise SourceError(f"{where} should hold {KINDS[kind]}; correct it or get the file again")
    return values

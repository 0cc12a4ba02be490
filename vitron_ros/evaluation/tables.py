"""Tables of text, the Markdown of a report, and its figures as JSON holds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; the first cell of each row is its name."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def markdown(title: str, remarks: Sequence[str], tables: Sequence[Table]) -> str:
    """A page of Markdown."""
    parts = [f"# {title}", "\n".join(f"- {_plain(remark)}" for remark in remarks)]
    for table in tables:
        lines = [table.columns, ("---", *("---:" for _ in table.columns[1:])), *table.rows]
        rows = "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines)
        parts.append(f"## {table.title}\n\n{rows}")
    return "\n\n".join(parts) + "\n"


def rounded(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document for JSON, with the digits of its figures that say something."""
    return {key: _round(value) for key, value in document.items()}


def _round(value: Any) -> Any:
    if isinstance(value, Mapping):
        return rounded(value)
    if isinstance(value, list | tuple):
        return [_round(item) for item in value]
    return round(value, DECIMALS) if isinstance(value, float) else value


def _plain(text: str) -> str:
    """On one line, without the sign that ends a cell."""
    return " ".join(text.split()).replace("|", "\\|")

"""Tables of text, and the Markdown of a report."""

from collections.abc import Sequence
from dataclasses import dataclass


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


def _plain(text: str) -> str:
    """On one line, without the sign that ends a cell."""
    return " ".join(text.split()).replace("|", "\\|")

"""Tables of text, the Markdown of a report, and its figures as JSON holds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DECIMALS = 6
MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; the first cell of each row is its name, the others are figures or, if `is_text`, sentences."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    is_text: bool = False


def figures_table(title: str, first: str, figures: Mapping[str, Mapping[str, float | None]]) -> Table:
    """A row a name; a figure that a row does not have is empty, one that it has no value for is missing."""
    columns = tuple(dict.fromkeys(name for row in figures.values() for name in row))
    rows = [
        (name, *(figure_text(row[column]) if column in row else "" for column in columns))
        for name, row in figures.items()
    ]
    return Table(title, (first, *columns), rows)


def figure_text(value: float | None) -> str:
    """Counts as they are, other figures with four digits."""
    if value is None:
        return MISSING
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def markdown(title: str, remarks: Sequence[str], tables: Sequence[Table]) -> str:
    """A page of Markdown."""
    parts = [f"# {title}", "\n".join(f"- {_plain(remark)}" for remark in remarks)]
    for table in tables:
        ruler = "---" if table.is_text else "---:"
        lines = [table.columns, ("---", *(ruler for _ in table.columns[1:])), *table.rows]
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

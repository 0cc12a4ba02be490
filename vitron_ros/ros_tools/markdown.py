"""Tables for the pages of benchmarks."""

from collections.abc import Iterable


def row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(header)
    return "\n".join([row(names), row("---" for _ in names), *map(row, rows)])

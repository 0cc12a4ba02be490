"""The figures that the papers print, for a table beside ours. `paper_tables.yaml` holds them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vitron_ros.yaml_file import read_yaml

OWN_SCALE = ("judged_score", "is")
NOT_STATED = {"not_stated": "split not stated"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """What the papers print for one benchmark.

    Attributes:
        source: such as "elysium, table 4, lasot, test".
        columns: metrics by the papers' names.
        rows: method -> a value for each column, in the papers' units; None: not printed.
        own: the methods that the papers propose.
        notes: on the protocol.
    """

    source: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[float | None, ...]]
    own: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """Where the papers print figures for a benchmark.

    Attributes:
        benchmark: its name in the tables.
        splits: our split -> that of the tables; a split that is not here has no figures there.
        metrics: their metric -> our figure that stands beside it.
    """

    benchmark: str
    splits: Mapping[str, str]
    metrics: Mapping[str, str]

    def tables(self, split: str) -> list[PaperTable]:
        """The tables for one of our splits."""
        return paper_tables(self.benchmark, self.splits[split], self.metrics) if split in self.splits else []


def paper_tables(benchmark: str, split: str, metrics: Collection[str]) -> list[PaperTable]:
    """A table for each table of the papers with one of the metrics for that split; none: they print nothing."""
    results = [row for row in _document()["results"] if (row["benchmark"], row["split"]) == (benchmark, split)]
    places = dict.fromkeys((row["paper"], row["table"], split) for row in results if row["metric"] in metrics)
    return [
        _table(place, benchmark, [row for row in results if (row["paper"], row["table"]) == place[:2]])
        for place in places
    ]


def is_percent(metric: str) -> bool:
    """Whether the papers print a metric in percent, where ours is a share of 1."""
    document = _document()
    return not (
        metric in document["unit_interval_metrics"] or metric in document["lower_is_better"] or metric in OWN_SCALE
    )


def _table(place: tuple[str, int, str], benchmark: str, results: Iterable[dict[str, Any]]) -> PaperTable:
    paper, number, split = place
    values = {(row["method"], row["metric"]): float(row["value"]) for row in results}
    columns = tuple(dict.fromkeys(metric for _, metric in values))
    methods = dict.fromkeys(method for method, _ in values)
    protocol = _document()["protocol"].get(f"{paper}_{number}")
    return PaperTable(
        source=f"{paper}, table {number}, {benchmark}, {NOT_STATED.get(split, split)}",
        columns=columns,
        rows={method: tuple(values.get((method, column)) for column in columns) for method in methods},
        own=tuple(dict.fromkeys(row["method"] for row in results if row["own"])),
        notes=() if protocol is None else (f"Truth: {protocol['where']}.", _sentence(protocol["note"])),
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = read_yaml(Path(__file__).with_name("paper_tables.yaml"))
    return document

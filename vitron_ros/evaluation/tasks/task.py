"""What every kind of suite says: what a sample is, what is predicted of it, and which figures the rows give."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.tables import Table

Figures = dict[str, float | None]
"""By name; None: there was no sample to compute it from, or it is unavailable."""


class Named(Protocol):
    @property
    def name(self) -> str: ...


Record = TypeVar("Record", bound=Named)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Details:
    """What a report holds beside figures: more for report.json, pictures (SVG) by title, tables after the samples."""

    document: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    tables: Sequence[Table] = ()


class SuiteTask(ABC, Generic[Record]):
    """One kind of suite. Instances are shared and hold no state.

    Attributes:
        inputs: setting -> default: what a run is made with, beside its split.
        unit: what `size` counts.
        legend: what the pictures of the worst cases show.
    """

    inputs: ClassVar[Mapping[str, str]]
    unit: ClassVar[str] = "sample"
    legend: ClassVar[str] = ""

    @property
    @abstractmethod
    def protocol(self) -> tuple[str, ...]:
        """What is asked, and what else is to be known beside the figures, in sentences."""

    def check(self, settings: Mapping[str, str]) -> None:
        """Raises ConfigError for settings with which no sample could be predicted."""

    def size(self, record: Record) -> int:
        """How much work a record is."""
        return 1

    @abstractmethod
    def files(self, record: Record) -> Sequence[Path]:
        """The files that predictions on it depend on, of which names and sizes are compared."""

    @abstractmethod
    def truth(self, record: Record) -> bytes:
        """What is asked and what is right, for comparison."""

    @abstractmethod
    def predict(self, settings: Mapping[str, str], record: Record, *, is_drawn: bool) -> Result:
        """The row of a record, with truth and raw predictions, and the milliseconds that steps of it took.

        Args:
            is_drawn: the row is to have a `picture`: `jpeg` in base64, and a `text` below it.

        Raises:
            VitronError: there is none; the sentence becomes the row.
        """

    @abstractmethod
    def variants(self, run: Run) -> tuple[str, ...]:
        """The ways in which the run is scored, by the names of toolkits; the first is the headline."""

    @abstractmethod
    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        """The figures of each sample that did not fail, by name; the lowest of the first figure is the worst case.

        Raises:
            PredictionError: a row lacks something.
            MetricError: predictions and truth of a row do not fit.
        """

    def figures(self, run: Run, variant: str) -> Figures:
        """The figures of the whole run: means over samples, where a metric does not say otherwise."""
        return means(self.by_sample(run, variant).values())

    def groups(self, row: Row) -> Iterable[str]:
        """What a sample is an example of, for means by group."""
        return ()

    def cluster(self, row: Row) -> str:
        """What a sample shares with those that are not independent of it."""
        return str(row["name"])

    def details(self, run: Run) -> Details:
        return Details()


def means(scores: Iterable[Figures]) -> Figures:
    """The mean of each figure over the samples that have it."""
    values: dict[str, list[float]] = {}
    for figures in scores:
        for name, value in figures.items():
            own = values.setdefault(name, [])
            if value is not None:
                own.append(value)
    return {name: float(np.mean(own)) if own else None for name, own in values.items()}

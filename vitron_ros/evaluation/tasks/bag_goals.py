"""Goals over a recording, as `vitron eval bag --out` leaves them: a row a goal."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import ClassVar

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import ConfigError, MetricError, PredictionError
from vitron_ros.evaluation.bags.figures import VARIANTS, single_score
from vitron_ros.evaluation.bags.goal_runs import GoalRun
from vitron_ros.evaluation.bags.rows import boxes_json
from vitron_ros.evaluation.metrics.multi_object import MotCounts, count
from vitron_ros.evaluation.metrics.single_object import FIGURES, OnePassScore, mean_score
from vitron_ros.evaluation.plots import curves_svg
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.tables import Table, figures_table
from vitron_ros.evaluation.tasks.many_objects import TRACKEVAL, objects_of
from vitron_ros.evaluation.tasks.task import Details, Figures, SuiteTask, means

SEVERAL = ("hota", "mota", "idf1", "switches", "fp", "fn")
HOW_TO_RUN = "goals over a recording are run with: vitron eval bag BAG --goals FILE --out FOLDER"


@dataclass(frozen=True, slots=True)
class BagGoals(SuiteTask[GoalRun]):
    """Goals over one recording, which are run together. Rows are those of `bags/rows.py`."""

    inputs: ClassVar[Mapping[str, str]] = {}
    unit = "goal"
    legend = (
        "The image with the lowest IoU of each goal, of those in which it has a track: green is the truth, the others "
        "are its tracks."
    )

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            "A goal counts from when it is sent until it is cancelled or its duration is over. Where no box is "
            "published the last one counts, and before the first none.",
            f"A goal that means several objects has figures under {TRACKEVAL} alone.",
        )

    def files(self, record: GoalRun) -> tuple[Path, ...]:
        return ()

    def truth(self, record: GoalRun) -> bytes:
        shown = [boxes_json(record.visible(position)) for position in record.labelled]
        return repr([record.targets, record.sent_ns, record.stamps_ns[record.labelled].tolist(), shown]).encode()

    def predict(self, settings: Mapping[str, str], record: GoalRun, *, is_drawn: bool) -> Result:
        raise ConfigError(HOW_TO_RUN)

    def variants(self, run: Run) -> tuple[str, ...]:
        return (*VARIANTS, TRACKEVAL) if any(row["is_single"] for row in run.predicted) else (TRACKEVAL,)

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        if variant == TRACKEVAL:
            return {row["name"]: _several(_counts(row)) for row in run.predicted}
        return {row["name"]: _figures(row, variant) for row in run.predicted}

    def figures(self, run: Run, variant: str) -> Figures:
        if variant == TRACKEVAL:  # of the sum of counts
            return _several(reduce(add, map(_counts, run.predicted)))
        return means(self.by_sample(run, variant).values())

    def details(self, run: Run) -> Details:
        scores = [_score(row, VARIANTS[0]) for row in run.predicted if row["is_single"]]
        ends = {row["name"]: f"{row['outcome']}: {row['message']}" for row in run.predicted}
        tables = [Table("How goals ended", ("goal", "outcome"), list(ends.items()), is_text=True)]
        if not scores:
            return Details(document={"ends": ends}, tables=tables)
        return Details(
            document={"ends": ends},
            pictures={"Curves": curves_svg(mean_score(scores))},
            tables=[figures_table(f"Goals ({TRACKEVAL})", "goal", self.by_sample(run, TRACKEVAL)), *tables],
        )


def not_from_here(root: Path, split: str) -> list[GoalRun]:
    """The reader of the data set that a recording is not. Raises ConfigError, which says how to run goals."""
    raise ConfigError(HOW_TO_RUN)


def _figures(row: Row, variant: str) -> Figures:
    score = _score(row, variant) if row["is_single"] else None
    return {key: None if score is None else float(getattr(score, key)) for key in FIGURES}


def _score(row: Row, variant: str) -> OnePassScore:
    true, tracks = ([_first(boxes) for boxes in _boxes(row, key)] for key in ("truth", "tracks"))
    try:
        return single_score(variant, np.array(true), np.array(tracks))
    except MetricError as error:
        raise MetricError(f"{row['name']}: {error}") from error


def _several(counts: MotCounts) -> Figures:
    figures = counts.figures()
    return {name: figures[name] for name in SEVERAL}


def _counts(row: Row) -> MotCounts:
    true, tracks = ([objects_of(boxes) for boxes in _boxes(row, key)] for key in ("truth", "tracks"))
    try:
        return count(true, tracks)
    except MetricError as error:
        raise MetricError(f"{row['name']}: {error}") from error


def _boxes(row: Row, key: str) -> list[Boxes]:
    """Of each image (N, 5): id, x, y, w, h."""
    try:
        return [np.array(boxes, np.float64).reshape(-1, 5) for boxes in row[key]]
    except (KeyError, TypeError, ValueError) as error:
        raise PredictionError(f"{row['name']} has no boxes {key}: {error}; run it again") from error


def _first(boxes: Boxes) -> Boxes:
    """x, y, w, h."""
    return boxes[0, 1:] if len(boxes) else np.full(4, np.nan)

"""Single-object tracking (SOT), from a box or from a phrase (RSOT), by the variants of its toolkits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import MetricError, PredictionError
from vitron_ros.evaluation.box_attributes import box_attributes
from vitron_ros.evaluation.box_rows import boxes_from_json
from vitron_ros.evaluation.datasets import Sequence
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.evaluation.metrics.single_object import (
    FIGURES,
    NAN_IS_ABSENT,
    VARIANTS,
    OnePassScore,
    got10k,
    got10k_overlaps,
    hold_last,
    mean_score,
)
from vitron_ros.evaluation.one_pass import run_one_pass
from vitron_ros.evaluation.phrase_rows import predict_phrase
from vitron_ros.evaluation.plots import curves_svg
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.tasks.task import Details, Figures, SuiteTask, means
from vitron_ros.evaluation.tracking_rows import tracking_row
from vitron_ros.streaming.models import BUNDLED
from vitron_ros.tracking.trackers import make_tracker

DEFAULT_TRACKER = "default"
GOT10K = "got10k"
NOTHING_COVERED: Figures = {"ao": None, "sr50": None, "sr75": None}  # of a sequence without a frame that counts


@dataclass(frozen=True, slots=True)
class OnePass(SuiteTask[Sequence]):
    """A tracker starts on the true box of the first frame.

    Attributes:
        names: in `metrics.single_object.VARIANTS`, or "got10k" for AO and SR; the first is the headline.
        notes: what else is to be known beside the figures.
    """

    inputs: ClassVar[Mapping[str, str]] = {"tracker": DEFAULT_TRACKER}
    unit = "frame"
    legend = "The frame with the lowest IoU of each sequence: green is the truth, the other box the prediction."
    start = "The tracker starts on the true box of the first frame and is never corrected."

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def protocol(self) -> tuple[str, ...]:
        return self.start, *self.notes

    def check(self, settings: Mapping[str, str]) -> None:
        make_tracker(settings["tracker"])

    def size(self, record: Sequence) -> int:
        return len(record)

    def files(self, record: Sequence) -> tuple[Path, ...]:
        return record.paths

    def truth(self, record: Sequence) -> bytes:
        annotated = () if record.annotated_xyxy is None else (record.annotated_xyxy,)
        return b"".join(boxes.tobytes() for boxes in (record.boxes_xyxy, *annotated))

    def predict(self, settings: Mapping[str, str], record: Sequence, *, is_drawn: bool) -> Result:
        name = settings["tracker"]
        run = run_one_pass({name: make_tracker(name)}, record)[name]
        return tracking_row(record, run, is_drawn=is_drawn)

    def variants(self, run: Run) -> tuple[str, ...]:
        return self.names

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        if not all(row.get("has_truth", True) for row in run.predicted):
            raise PredictionError("a server keeps the truth of this split; write its archive with: vitron eval submit")
        if variant == GOT10K:
            overlaps = {row["name"]: _overlaps(row) for row in run.predicted}
            return {name: dict(got10k([own])) if len(own) else dict(NOTHING_COVERED) for name, own in overlaps.items()}
        return {row["name"]: _figures(_score(row, variant)) for row in run.predicted}

    def figures(self, run: Run, variant: str) -> Figures:
        if variant == GOT10K:  # over the frames of all sequences together
            return dict(got10k([_overlaps(row) for row in run.predicted]))
        return means(self.by_sample(run, variant).values())

    def groups(self, row: Row) -> Iterable[str]:
        true = np.where(_absent(row)[:, None], np.nan, boxes_from_json(row, "true_ltwh"))
        return {*box_attributes(true), *row["attributes"]}

    def details(self, run: Run) -> Details:
        score = mean_score([_score(row, self.names[0]) for row in run.predicted])
        names = ("success_curve", "precision_curve", "norm_precision_curve")
        return Details(
            document={
                "curves": {name: getattr(score, name).tolist() for name in names},
                "frames": {
                    row["name"]: {"frames": len(row["true_ltwh"]), "frames_absent": int(_absent(row).sum())}
                    for row in run.predicted
                },
            },
            pictures={"Curves": curves_svg(score)},
        )


@dataclass(frozen=True, slots=True)
class FromPhrase(OnePass):
    """The pipeline is told the target's description and no box (RSOT)."""

    inputs: ClassVar[Mapping[str, str]] = {"tracker": DEFAULT_TRACKER, "model": BUNDLED}
    start = (
        "The pipeline is told the target's description and no box; a call of the model takes 0.2 s of a video of 25 "
        "images per second. Where no box is shown the last one counts, and before the first none."
    )

    def predict(self, settings: Mapping[str, str], record: Sequence, *, is_drawn: bool) -> Result:
        return predict_phrase(settings, record, is_drawn=is_drawn)


def _score(row: Row, variant: str) -> OnePassScore:
    true, predicted = boxes_from_json(row, "true_ltwh"), hold_last(boxes_from_json(row, "predicted_ltwh"))
    if variant not in NAN_IS_ABSENT:
        true = np.nan_to_num(true)
    try:
        return VARIANTS[variant](predicted, true, _absent(row))
    except MetricError as error:
        raise MetricError(f"{row['name']}: {error}") from error


def _overlaps(row: Row) -> Boxes:
    true = np.nan_to_num(boxes_from_json(row, "true_ltwh"))
    cover = np.array(~_absent(row) if row["cover"] is None else row["cover"], np.float64)
    return got10k_overlaps(boxes_from_json(row, "predicted_ltwh"), true, cover, row["width"], row["height"])


def _absent(row: Row) -> Flags:
    """(T,)."""
    absent = np.zeros(len(row["true_ltwh"]), bool)
    absent[row["absent"]] = True
    return absent


def _figures(score: OnePassScore) -> Figures:
    return {key: float(getattr(score, key)) for key in FIGURES}

"""The figures of a run of single-object tracking, from its rows alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import MetricError, PredictionError
from vitron_ros.evaluation.box_attributes import box_attributes
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
from vitron_ros.evaluation.predictions import Row, Run
from vitron_ros.evaluation.suite import Suite

ScoreOf = Mapping[str, OnePassScore]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackingReport:
    """Figures in [0, 1]. Sequences that failed are in none of them.

    Attributes:
        figures: variant -> `auc`, `precision`, `norm_precision`, means over sequences; under `got10k` are its own.
        headline: the score of the data set by the suite's first variant, with its curves.
        by_sequence: name -> the same figures by that variant, `frames`, `frames_absent`.
        by_attribute: name -> mean `auc` by that variant, and number of `sequences`.
    """

    figures: dict[str, dict[str, float]]
    headline: OnePassScore
    by_sequence: dict[str, dict[str, float]]
    by_attribute: dict[str, dict[str, float]]


def tracking_report(suite: Suite, run: Run) -> TrackingReport:
    """The figures of a run.

    Raises:
        PredictionError: every sequence failed, or a row is not one of tracking.
        MetricError: boxes and truth of a row differ in number, or are no numbers; it names the sequence.
    """
    if not run.predicted:
        name, reason = next(iter(run.failed.items()))
        raise PredictionError(
            f"every sequence failed, {name} with: {reason}; mend it and run again with --retry-failed"
        )
    if not all(row.get("has_truth", True) for row in run.predicted):
        raise PredictionError("a server keeps the truth of this split; write its archive with: vitron eval submit")
    headline = sequence_scores(run, suite.variants[0])
    figures = {
        variant: _figures(mean_score(list(sequence_scores(run, variant).values()))) for variant in suite.variants
    }
    if suite.is_got10k:
        figures["got10k"] = got10k([_overlaps(row) for row in run.predicted])
    absent = {row["name"]: _absent(row) for row in run.predicted}
    return TrackingReport(
        figures=figures,
        headline=mean_score(list(headline.values())),
        by_sequence={
            name: {**_figures(score), "frames": len(absent[name]), "frames_absent": int(absent[name].sum())}
            for name, score in headline.items()
        },
        by_attribute=_by_attribute(run.predicted, headline),
    )


def sequence_scores(run: Run, variant: str) -> dict[str, OnePassScore]:
    """The score of each sequence that did not fail, by name. Raises as `tracking_report`."""
    return {row["name"]: _score(row, variant) for row in run.predicted}


def _score(row: Row, variant: str) -> OnePassScore:
    true, predicted = _boxes(row, "true_ltwh"), hold_last(_boxes(row, "predicted_ltwh"))
    if variant not in NAN_IS_ABSENT:
        true = np.nan_to_num(true)
    try:
        return VARIANTS[variant](predicted, true, _absent(row))
    except MetricError as error:
        raise MetricError(f"{row['name']}: {error}") from error


def _overlaps(row: Row) -> Boxes:
    true = np.nan_to_num(_boxes(row, "true_ltwh"))
    cover = np.array(~_absent(row) if row["cover"] is None else row["cover"], np.float64)
    return got10k_overlaps(_boxes(row, "predicted_ltwh"), true, cover, row["width"], row["height"])


def _boxes(row: Row, key: str) -> Boxes:
    """(T, 4) px; nan where there is no box."""
    try:
        boxes = [[np.nan] * 4 if box is None else box for box in row[key]]
        return np.array(boxes, np.float64).reshape(len(boxes), 4)
    except (KeyError, TypeError, ValueError) as error:
        raise PredictionError(f"{row['name']} has no boxes {key}: {error}; run it again") from error


def _absent(row: Row) -> Flags:
    """(T,)."""
    absent = np.zeros(len(row["true_ltwh"]), bool)
    absent[row["absent"]] = True
    return absent


def _figures(score: OnePassScore) -> dict[str, float]:
    return {key: float(getattr(score, key)) for key in FIGURES}


def _by_attribute(rows: Sequence[Row], scores: ScoreOf) -> dict[str, dict[str, float]]:
    having: dict[str, list[float]] = {}
    for row in rows:
        true = np.where(_absent(row)[:, None], np.nan, _boxes(row, "true_ltwh"))
        for name in {*box_attributes(true), *row["attributes"]}:
            having.setdefault(name, []).append(scores[row["name"]].auc)
    return {name: {"auc": float(np.mean(values)), "sequences": len(values)} for name, values in sorted(having.items())}

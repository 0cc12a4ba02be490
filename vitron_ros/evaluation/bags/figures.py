"""The figures of goals over a recording.

A goal that means one object has the figures of single-object tracking, by each of `VARIANTS`, and those of
`metrics/long_term.py`. Toolkits want a box for every image: where none is published the last one counts, and before the
first none. Every goal has MOTA, IDF1 and HOTA over its own tracks and targets; those of all goals are of the sum of
their counts. Only labelled images are looked at; an object of which less than 0.05 is in sight is absent, and the true
box of any other is that of the whole of it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vitron_ros.boxes import Boxes, iou_matrix, ltwh_from_xyxy
from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.bags.goal_runs import BagRun, GoalRun
from vitron_ros.evaluation.metrics import single_object
from vitron_ros.evaluation.metrics.long_term import HIDDEN_SHARE, Published, TargetTruth, score
from vitron_ros.evaluation.metrics.multi_object import MotCounts, Objects, count
from vitron_ros.evaluation.metrics.streaming import box_age, latency_curve, time_to_first_track_s
from vitron_ros.evaluation.tables import rounded
from vitron_ros.recordings.ground_truth import TrueBox
from vitron_ros.tracking.track import TrackSnapshot

VARIANTS = single_object.ANY_SET
NOTHING = np.full(4, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalFigures:
    """The figures of one goal; None: there is nothing to measure it by.

    Attributes:
        images, labelled, visible: that count for the goal, that have truth, that show a target.
        single: variant -> `auc`, `precision`, `norm_precision`; None: several objects are meant, or were followed.
        first_track_s: from the goal to its first box with an IoU of 0.5 or more; None: there was none.
        switches, returns, recovered, ghosts: see `long_term.py`; None: as of `single`, or an image is unlabelled.
        several: MOTA, IDF1, HOTA and the rest.
        streaming: success AUC of the newest box that was out at the stamp of each image, `auc`, and its mean over
            permitted latencies of 0 to 1 image, `mean_auc`; None: as of `single`, or images take no time.
    """

    name: str
    targets: tuple[int, ...]
    outcome: str
    message: str
    images: int
    labelled: int
    visible: int
    single: dict[str, dict[str, float]] | None
    first_track_s: float | None
    switches: int | None
    returns: int | None
    recovered: int | None
    ghosts: float | None
    several: dict[str, float]
    streaming: dict[str, float] | None


def figures(run: BagRun) -> dict[str, Any]:
    """The figures of each goal under `goals`, as of `GoalFigures`, and of all together under `all`.

    `all` has means over the goals that mean one object, sums of counts, and `several`. `box_age` has percentiles in ms
    from the stamp of an image to its tracks; None: images take no time. `images_dropped` is a count.

    Raises:
        ConfigError: no labelled image that counts for a goal shows an object that it means.
    """
    for goal in run.goals:
        if not any(goal.visible(position) for position in goal.labelled):
            ids = ", ".join(map(str, goal.targets))
            raise ConfigError(f"goal {goal.number} means object {ids}, which none of its labelled images shows")
    counts = [_mot_counts(goal) for goal in run.goals]
    goals = [_goal_figures(goal, of_goal) for goal, of_goal in zip(run.goals, counts, strict=True)]
    ages_ms = [age_ms for goal in run.goals for age_ms in _ages_ms(goal)]
    return rounded(
        {
            "goals": [asdict(goal) for goal in goals],
            "all": _together(goals, counts),
            "box_age": box_age(ages_ms) if any(ages_ms) else None,
            "images_dropped": run.dropped,
        }
    )


def _goal_figures(run: GoalRun, counts: MotCounts) -> GoalFigures:
    streaming = _stream_figures(run)
    return GoalFigures(
        name=run.name,
        targets=run.targets,
        outcome=run.result.outcome.name,
        message=run.result.message,
        images=len(run.stamps_ns),
        labelled=len(run.labelled),
        visible=sum(bool(run.visible(position)) for position in run.labelled),
        single=_single_figures(run),
        first_track_s=_first_track_s(run),
        switches=streaming.get("switches"),
        returns=streaming.get("returns"),
        recovered=streaming.get("recovered"),
        ghosts=streaming.get("ghosts"),
        several=counts.figures(),
        streaming=_streaming(run),
    )


def _single_figures(run: GoalRun) -> dict[str, dict[str, float]] | None:
    if not run.is_single:
        return None
    true = ltwh_from_xyxy([_first_box(run.visible(position)) for position in run.labelled])
    predicted = ltwh_from_xyxy([_first_box(run.shown(position)) for position in run.labelled])
    scores = {variant: single_score(variant, true, predicted) for variant in VARIANTS}
    return {
        variant: {key: float(getattr(one, key)) for key in single_object.FIGURES} for variant, one in scores.items()
    }


def single_score(variant: str, true_ltwh: Boxes, predicted_ltwh: Boxes) -> single_object.OnePassScore:
    """By one of `VARIANTS`. (T, 4) px, NaN where there is no box."""
    absent = np.asarray(np.isnan(true_ltwh).any(axis=1), np.bool_)
    true = true_ltwh if variant in single_object.NAN_IS_ABSENT else np.nan_to_num(true_ltwh)
    return single_object.VARIANTS[variant](single_object.hold_last(predicted_ltwh), true, absent)


def _stream_figures(run: GoalRun) -> dict[str, Any]:
    """Of a goal with one object all of whose images are labelled; else nothing."""
    if not run.is_single or len(run.labelled) < len(run.stamps_ns) or not run.period_ns:
        return {}
    ids = sorted({box.id for boxes in run.truth for box in boxes or ()} - set(run.targets))
    by_id = [{box.id: box for box in boxes or ()} for boxes in run.truth]
    (target,) = run.targets
    truth = TargetTruth(
        fps=SECOND_NS / run.period_ns,
        visible=np.array([boxes[target].visibility if target in boxes else 0.0 for boxes in by_id]),
        boxes_xyxy=np.array([_seen_box(boxes.get(target)) for boxes in by_id]),
        full_boxes_xyxy=np.array([boxes[target].box_xyxy if target in boxes else NOTHING for boxes in by_id]),
        others_xyxy=np.array([[_seen_box(boxes.get(other)) for other in ids] for boxes in by_id]).reshape(
            len(by_id), len(ids), 4
        ),
    )
    shown = [next(iter(run.shown(position)), None) for position in range(len(run.stamps_ns))]
    published = Published(
        ids=np.array([0 if track is None else track.id for track in shown], np.int64),
        boxes_xyxy=np.array([NOTHING if track is None else track.box_xyxy for track in shown]),
        is_seen=np.array([track is not None and track.is_seen for track in shown]),
        ages_ms=np.full(len(shown), np.nan),
    )
    return asdict(score(truth, published))


def _first_track_s(run: GoalRun) -> float | None:
    overlaps, published_ns = [], []
    for position in run.labelled:
        shown, visible, at_ns = run.shown(position), run.visible(position), run.published_ns[position]
        if shown and visible and at_ns is not None:
            pairs = iou_matrix([track.box_xyxy for track in shown], [box.box_xyxy for box in visible])
            overlaps.append(float(pairs.max()))
            published_ns.append(at_ns)
    return time_to_first_track_s(run.sent_ns, published_ns, overlaps)


def _ages_ms(run: GoalRun) -> list[float]:
    """Of every box that was published, from the stamp of its image."""
    return [
        (at_ns - int(stamp_ns)) / 1e6
        for position, (stamp_ns, at_ns) in enumerate(zip(run.stamps_ns, run.published_ns, strict=True))
        if at_ns is not None and run.shown(position)
    ]


def _streaming(run: GoalRun) -> dict[str, float] | None:
    """Images that are out of order are not looked at: nobody waits for what is older than the newest."""
    if not (run.is_single and any(_ages_ms(run)) and run.period_ns):
        return None
    newest_ns = np.maximum.accumulate(run.stamps_ns)
    rising = np.concatenate([[True], run.stamps_ns[1:] > newest_ns[:-1]])
    at = [position for position in run.labelled if rising[position]]
    out = {position: at_ns for position, at_ns in enumerate(run.published_ns) if at_ns is not None}
    curve = latency_curve(
        np.array([_first_box(run.visible(position)) for position in at]),
        run.stamps_ns[at],
        np.array([_first_box(run.shown(position)) for position in out]),
        list(out.values()),
        frame_ns=run.period_ns,
    )
    return {"auc": float(curve[0]), "mean_auc": float(curve.mean())}


def _mot_counts(run: GoalRun) -> MotCounts:
    return count(
        [_objects(run.visible(position)) for position in run.labelled],
        [_objects(run.shown(position)) for position in run.labelled],
    )


def _objects(boxes: Sequence[TrueBox] | Sequence[TrackSnapshot]) -> Objects:
    return Objects(
        ids=np.array([box.id for box in boxes], np.int64),
        boxes_xyxy=np.array([box.box_xyxy for box in boxes], np.float64).reshape(-1, 4),
    )


def _first_box(boxes: Sequence[TrueBox] | Sequence[TrackSnapshot]) -> Boxes:
    return np.asarray(boxes[0].box_xyxy, np.float64) if boxes else NOTHING


def _seen_box(box: TrueBox | None) -> Boxes:
    return box.box_xyxy if box is not None and box.visibility >= HIDDEN_SHARE else NOTHING


def _together(goals: Sequence[GoalFigures], counts: Sequence[MotCounts]) -> dict[str, Any]:
    single = [goal.single for goal in goals if goal.single is not None]
    streamed = [goal for goal in goals if goal.switches is not None]
    ghosts = [goal.ghosts for goal in streamed if goal.ghosts is not None]
    streaming = [goal.streaming for goal in goals if goal.streaming is not None]
    return {
        "single": {
            variant: {key: float(np.mean([one[variant][key] for one in single])) for key in single_object.FIGURES}
            for variant in VARIANTS
        }
        if single
        else None,
        **{
            key: sum(getattr(goal, key) for goal in streamed) if streamed else None
            for key in ("switches", "returns", "recovered")
        },
        "ghosts": float(np.mean(ghosts)) if ghosts else None,
        "several": sum(counts[1:], counts[0]).figures(),
        "streaming": {key: float(np.mean([one[key] for one in streaming])) for key in streaming[0]}
        if streaming
        else None,
    }

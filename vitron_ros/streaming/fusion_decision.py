"""Fuses the model and the tracker where they disagree about a target. Pure functions of what each of them reports.

The model is slow and may be out of its depth; the tracker is quick and may have slipped. So the model's predictions
count for a target only after it has shown that it sees it move (`ModelReliability`); a correction must start where both
agreed, or where the target was known to be, and be within its reach; and a tracker that sees its target is overruled by
the second objection only, unless the model is highly reliable and the tracker is unsure.

Shapes: T frames of one request.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, area, center, iou
from vitron_ros.clock import SECOND_NS
from vitron_ros.tracking.box_history import TrackHistory

TimedBox = tuple[int, Boxes]  # time in ns and box (4,) px

AGREEMENT_IOU = 0.5  # the same target
CONFIRMATION_IOU = 0.6  # and the box need not be drawn anew
SURE_SCORE = 0.6  # of a tracker; to contradict it costs reliability, and takes two objections
RELIABILITY_FROM_MODEL = 0.7  # in a target that the model found itself
RELIABILITY_NEEDED = 0.5
HIGH_RELIABILITY = 0.8  # one objection will do to a tracker that is not sure
GAIN = 2.0  # for an IoU that is better by one than what repeating the first box would have reached
MAX_GAIN = 0.4  # of one clip, which may be luck
RELIABILITY_KEPT = 0.85  # after an objection to a sure tracker
RECOVERY = 0.3  # of what a model that found the target has spent, with each agreement
REACH_PER_S = 4.0  # of the target's size
MIN_REACH = 1.0
GROWTH_PER_S = 4.0
MIN_GROWTH = 2.0
UNSEEN_LIKENESS = 0.5  # of the target's usual, to correct a tracker that does not see it
SEEN_LIKENESS = 0.7  # to overrule one that does


class FusionDecision(Enum):
    """CONFIRM: they agree. CORRECT: the model is right. OBJECTION: it may be, if it says so again. ABSENT: the target
    is not where the tracker looks for it. GONE: it was there, and is not any more. IGNORE: nothing
    follows from the reply."""

    CONFIRM = "confirm"
    CORRECT = "correct"
    OBJECTION = "objection"
    ABSENT = "absent"
    GONE = "gone"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class ModelReliability:
    """What the model has shown about one target.

    Attributes:
        value: in [0, 1].
        objections: to a tracker that sees its target, or holds one that is not proven, in a row.
        credit: what it had to begin with.
    """

    value: float = 0.0
    objections: int = 0
    credit: float = 0.0

    @classmethod
    def begin(cls, credit: float) -> "ModelReliability":
        return cls(credit, 0, credit)

    @property
    def is_earned(self) -> bool:
        return self.value >= RELIABILITY_NEEDED

    @property
    def is_objecting(self) -> bool:
        """The next reply decides."""
        return self.is_earned and self.objections > 0

    def shown(self, skill: float) -> "ModelReliability":
        """After a clip in which the model was better by that IoU than a box that stays, or worse."""
        gain = (
            min(GAIN * skill, MAX_GAIN) * (1 - self.value) if skill > 0 else max(GAIN * skill, -MAX_GAIN) * self.value
        )
        return self._at(self.value + gain)

    def objected(self, *, is_sure: bool) -> "ModelReliability":
        """To a tracker that sees its target, and may be sure."""
        value = self.value * (RELIABILITY_KEPT if is_sure else 1)
        return replace(self._at(value), objections=self.objections + 1)

    def agreed(self) -> "ModelReliability":
        return replace(self, value=self.value + RECOVERY * max(self.credit - self.value, 0.0), objections=0)

    def _at(self, value: float) -> "ModelReliability":
        """A model that found the target never counts for less than the tracker, which was started from the model's box:
        a tracker that has slipped would contradict every reply."""
        floor = min(self.value, RELIABILITY_NEEDED) if self.credit >= RELIABILITY_NEEDED else 0.0
        return replace(self, value=max(value, floor))

    def settled(self) -> "ModelReliability":
        """After a correction: the next objection is a first one again."""
        return replace(self, objections=0)


@dataclass(frozen=True, slots=True, eq=False)
class ModelPrediction:
    """What a reply says of one target.

    Attributes:
        boxes_xyxy: (T, 4) px; NaN: not in that frame.
        times_ns: (T,) int64, ascending.
        score: in [0, 1].
    """

    boxes_xyxy: Boxes
    times_ns: NDArray[np.int64]
    score: float


@dataclass(frozen=True, slots=True)
class FusionResult:
    """What follows from a prediction.

    Attributes:
        frame: of the request, that the decision speaks of.
        reliability: in the model after it.
        likeness: to the target that the claimed box must have for CORRECT, in shares of the target's usual.
        shift: of CONFIRM: where the model draws the edges (4,), from the tracker's box, in shares of its sides.
    """

    decision: FusionDecision
    frame: int
    reliability: ModelReliability
    likeness: float = 0.0
    shift: Boxes | None = None


def newest_shown(boxes_xyxy: Boxes) -> int | None:
    """The newest frame of (T, 4) in which there is a box with an area; None: none has."""
    shown = np.isfinite(boxes_xyxy).all(axis=-1) & (area(np.nan_to_num(boxes_xyxy)) > 0)
    return int(np.flatnonzero(shown)[-1]) if shown.any() else None


def is_reachable(box_xyxy: Boxes, from_xyxy: Boxes, elapsed_s: float) -> bool:
    """Whether a target may have come from one box to another, (4,) px each, in that time. Not where one has no area."""
    small, large = sorted((float(area(from_xyxy)), float(area(box_xyxy))))
    if small <= 0:
        return False
    size, growth = np.sqrt(large), np.sqrt(large / small)
    distance = float(np.linalg.norm(center(box_xyxy) - center(from_xyxy)))
    limit = MIN_GROWTH + GROWTH_PER_S * elapsed_s
    return bool(distance <= size * (MIN_REACH + REACH_PER_S * elapsed_s) and growth <= limit)


def decide(
    prediction: ModelPrediction,
    track_history: TrackHistory,
    reliability: ModelReliability,
    *,
    min_score: float,
    last_seen: TimedBox | None = None,
    confirmed: Sequence[TimedBox] = (),
    is_proven: bool = True,
) -> FusionResult:
    """What follows from a prediction of the model about a target that the tracker has there, or elsewhere.

    Args:
        track_history: the tracker's, at the prediction's times.
        min_score: below it, a prediction counts for nothing.
        last_seen: where the tracker last saw a target that it has lost.
        confirmed: where the model last agreed with a tracker that sees its target, by its phrase and in any way.
        is_proven: the model has named this target by its phrase more than once. Until then one may be as wrong as the
            other, and two replies count for more than the first.
    """
    newest, shown = len(prediction.times_ns) - 1, newest_shown(prediction.boxes_xyxy)
    if not prediction.score >= min_score:
        return FusionResult(FusionDecision.IGNORE, newest, reliability)
    agreed = _agreed(prediction, track_history)
    if agreed is not None:
        reliability = reliability.shown(_skill(prediction, track_history, agreed))
    if shown is None or (shown < newest and track_history.is_seen[newest]):
        return _absence(track_history, newest, reliability, was_there=agreed is not None)
    if agreed == shown and iou(prediction.boxes_xyxy[shown], track_history.boxes_xyxy[shown]) >= CONFIRMATION_IOU:
        return FusionResult(
            FusionDecision.CONFIRM, shown, reliability.agreed(), shift=_shift(prediction, track_history)
        )
    is_seen = bool(track_history.is_seen[shown])
    is_sure = is_seen and bool(track_history.scores[shown] >= SURE_SCORE)
    if is_seen:
        reliability = reliability.objected(is_sure=is_sure)
    if agreed is not None:
        grounds = [(int(prediction.times_ns[agreed]), prediction.boxes_xyxy[agreed])]
    else:
        grounds = [*confirmed, *([] if is_seen or last_seen is None else [last_seen])]
    if reliability.is_earned and not is_proven and agreed is None:
        reliability = reliability if is_seen else reliability.objected(is_sure=False)
        decision = FusionDecision.CORRECT if reliability.objections >= 2 else FusionDecision.OBJECTION
        return FusionResult(
            decision, shown, reliability.settled() if decision is FusionDecision.CORRECT else reliability
        )
    box, time_ns = prediction.boxes_xyxy[shown], int(prediction.times_ns[shown])
    if not reliability.is_earned or not any(
        is_reachable(box, place, max((time_ns - at_ns) / SECOND_NS, 0.0)) for at_ns, place in grounds
    ):
        return FusionResult(FusionDecision.IGNORE, shown, reliability)
    if is_seen and reliability.objections < _needed_objections(
        reliability, is_sure=is_sure, has_agreed=agreed is not None
    ):
        return FusionResult(FusionDecision.OBJECTION, shown, reliability)
    return FusionResult(
        FusionDecision.CORRECT, shown, reliability.settled(), SEEN_LIKENESS if is_seen else UNSEEN_LIKENESS
    )


def _needed_objections(reliability: ModelReliability, *, is_sure: bool, has_agreed: bool) -> int:
    """To a tracker that sees its target. Where the model found it, one will do if both agreed earlier in the clip."""
    if not has_agreed:
        return 2
    return (
        1 if reliability.credit >= RELIABILITY_NEEDED or (reliability.value >= HIGH_RELIABILITY and not is_sure) else 2
    )


def _absence(
    track_history: TrackHistory, newest: int, reliability: ModelReliability, *, was_there: bool
) -> FusionResult:
    if track_history.is_seen[newest]:
        reliability = reliability.objected(is_sure=bool(track_history.scores[newest] >= SURE_SCORE))
    if not reliability.is_earned:
        return FusionResult(FusionDecision.IGNORE, newest, reliability)
    return FusionResult(
        FusionDecision.GONE if was_there and track_history.is_seen[newest] else FusionDecision.ABSENT,
        newest,
        reliability,
    )


def _shift(prediction: ModelPrediction, track_history: TrackHistory) -> Boxes:
    """Mean of the edges' distances (4,) over the frames in which both agree, in shares of the tracked box's sides."""
    overlap = iou(np.nan_to_num(prediction.boxes_xyxy), np.nan_to_num(track_history.boxes_xyxy))
    both = track_history.is_seen & (overlap >= AGREEMENT_IOU)
    tracked = track_history.boxes_xyxy[both]
    sides = np.tile(tracked[:, 2:] - tracked[:, :2], 2)
    return np.asarray(((prediction.boxes_xyxy[both] - tracked) / sides).mean(axis=0))


def _agreed(prediction: ModelPrediction, track_history: TrackHistory) -> int | None:
    """The newest frame in which both saw the target in the same place."""
    both = track_history.is_seen & np.isfinite(prediction.boxes_xyxy).all(axis=-1)
    overlap = iou(np.nan_to_num(prediction.boxes_xyxy), np.nan_to_num(track_history.boxes_xyxy))
    agreed = both & (overlap >= AGREEMENT_IOU)
    return int(np.flatnonzero(agreed)[-1]) if agreed.any() else None


def _skill(prediction: ModelPrediction, track_history: TrackHistory, agreed: int) -> float:
    """How much better than a box that stays the model followed the target up to that frame: a mean difference of IoU.

    Only the motion counts, from the first frame in which both saw the target: a box that is drawn otherwise, but moves
    along, is as good, and one that is drawn a little otherwise in every frame of a target that stays is no worse. A
    model that repeats the box it was given has no skill, however still the target.
    """
    both = track_history.is_seen[: agreed + 1] & np.isfinite(prediction.boxes_xyxy[: agreed + 1]).all(axis=-1)
    first, *later = np.flatnonzero(both)
    if not later:
        return 0.0
    tracked, start = track_history.boxes_xyxy[later], track_history.boxes_xyxy[first]
    moved = iou(start + prediction.boxes_xyxy[later] - prediction.boxes_xyxy[first], tracked)
    gains = moved - iou(start, tracked)
    return float(np.mean(np.where((gains < 0) & (moved >= CONFIRMATION_IOU), 0.0, gains)))

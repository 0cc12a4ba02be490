"""When the model and the tracker disagree about a target: whom to believe. Pure functions of what each of them said.

The model is slow and may be out of its depth; the tracker is quick and may have slipped. So the model's word counts for
a target only after it has been seen to agree with the tracker (`Trust`), a correction must start on common ground and
be within the target's reach, and a tracker that is sure is overruled by the second objection only.

Shapes: T frames of one request.
"""

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, area, center, iou
from vitron_ros.tracking.box_history import Belief

SECOND_NS = 1_000_000_000
AGREEMENT_IOU = 0.5
SURE_SCORE = 0.6  # of a tracker that is not overruled by a single objection
TRUST_FROM_MODEL = 0.7  # in a target that the model found itself
TRUST_NEEDED = 0.5
TRUST_GAIN = 0.3
TRUST_KEPT = 0.8  # after an objection against a sure tracker
REACH_PER_S = 4.0  # of the target's size
MIN_REACH = 1.0
GROWTH_PER_S = 4.0
MIN_GROWTH = 2.0
DOUBTED_LIKENESS = 0.5  # of the target's usual, to correct a tracker that is not sure
SURE_LIKENESS = 0.7  # to overrule one that is


class Verdict(Enum):
    """CONFIRM: they agree. CORRECT: the model is right. OBJECTION: it may be, if it says so again. ABSENT: the target
    is not where the tracker looks for it. IGNORE: nothing follows from the reply."""

    CONFIRM = "confirm"
    CORRECT = "correct"
    OBJECTION = "objection"
    ABSENT = "absent"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Trust:
    """What the model has shown about one target.

    Attributes:
        value: in [0, 1].
        objections: to a sure tracker, in a row.
    """

    value: float = 0.0
    objections: int = 0

    @property
    def is_earned(self) -> bool:
        return self.value >= TRUST_NEEDED

    def agreed(self) -> "Trust":
        return Trust(self.value + TRUST_GAIN * (1 - self.value), 0)

    def objected(self) -> "Trust":
        """To a sure tracker."""
        return Trust(self.value * TRUST_KEPT, self.objections + 1)

    def settled(self) -> "Trust":
        """After a correction: the next objection is a first one again."""
        return replace(self, objections=0)


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
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
class Judgement:
    """What follows from a claim.

    Attributes:
        frame: of the request, that the verdict speaks of.
        trust: in the model after it.
        likeness: to the target that the claimed box must have for CORRECT, in shares of the target's usual.
    """

    verdict: Verdict
    frame: int
    trust: Trust
    likeness: float = 0.0


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


def judge(
    claim: Claim, belief: Belief, trust: Trust, *, min_score: float, last_seen: tuple[int, Boxes] | None = None
) -> Judgement:
    """What follows from a claim about a target that the tracker believed to be elsewhere, or where the claim says.

    Args:
        belief: the tracker's, at the claim's times.
        min_score: below it, a claim counts for nothing.
        last_seen: time and box (4,) where the tracker last saw a target that it has lost.
    """
    newest, shown = len(claim.times_ns) - 1, newest_shown(claim.boxes_xyxy)
    if not claim.score >= min_score:
        return Judgement(Verdict.IGNORE, newest, trust)
    if shown is None or (shown < newest and belief.is_seen[newest]):
        return _absence(belief, newest, trust)
    if belief.is_seen[shown] and iou(claim.boxes_xyxy[shown], belief.boxes_xyxy[shown]) >= AGREEMENT_IOU:
        return Judgement(Verdict.CONFIRM, shown, trust.agreed())
    is_sure = bool(belief.is_seen[shown] and belief.scores[shown] >= SURE_SCORE)
    after = trust.objected() if is_sure else trust
    ground = _common_ground(claim, belief, shown) or (None if belief.is_seen[shown] else last_seen)
    if not after.is_earned or ground is None:
        return Judgement(Verdict.IGNORE, shown, after)
    elapsed_s = (int(claim.times_ns[shown]) - ground[0]) / SECOND_NS
    if not is_reachable(claim.boxes_xyxy[shown], ground[1], max(elapsed_s, 0.0)):
        return Judgement(Verdict.IGNORE, shown, after)
    if is_sure and after.objections < 2:
        return Judgement(Verdict.OBJECTION, shown, after)
    return Judgement(Verdict.CORRECT, shown, after.settled(), SURE_LIKENESS if is_sure else DOUBTED_LIKENESS)


def _absence(belief: Belief, newest: int, trust: Trust) -> Judgement:
    is_sure = bool(belief.is_seen[newest] and belief.scores[newest] >= SURE_SCORE)
    after = trust.objected() if is_sure else trust
    return Judgement(Verdict.ABSENT if after.is_earned else Verdict.IGNORE, newest, after)


def _common_ground(claim: Claim, belief: Belief, before: int) -> tuple[int, Boxes] | None:
    """The newest earlier time and box at which both saw the target in the same place."""
    boxes, believed = claim.boxes_xyxy[:before], belief.boxes_xyxy[:before]
    both = belief.is_seen[:before] & np.isfinite(boxes).all(axis=-1)
    agreed = both & (iou(np.nan_to_num(boxes), np.nan_to_num(believed)) >= AGREEMENT_IOU)
    if not agreed.any():
        return None
    index = int(np.flatnonzero(agreed)[-1])
    return int(claim.times_ns[index]), claim.boxes_xyxy[index]

"""How well targets were published over long clips, with hiding and returning. Pure functions of one target's clip.

auc             success AUC (visible_frames.py) over the frames in which the target is visible; a frame without
                a published box counts 0. The true box is that of the part which is seen.
switches        the id under which the target is published changes, or a box that is published as seen lies on another
                object (IoU >= 0.5 with what is seen of it, < 0.1 with the target, seen or not) for SWITCH_S or longer.
returns         after having been hidden (visible < 0.05) for HIDDEN_S or longer, the target is in plain view again
                (visible >= 0.4) and stays so for RETURN_S. Each is recovered if within RETURN_S a box is published as
                seen, with IoU >= 0.5, under the id that the target had when it was last published before.
ghosts          share of the frames of hiding in which a box is published as seen.
box age         from the stamp of the image that the box was seen in to its publication; only of frames with a box.

Letters: T frames, M other objects. A target that hides from the start is nobody's to recover: nothing was published.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, iou
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.evaluation.metrics.visible_frames import SUCCESS_THRESHOLDS

HIDDEN_SHARE, HIDDEN_S = 0.05, 0.3
PLAIN_SHARE, RETURN_S = 0.4, 1.0
RECOVERED_IOU = 0.5
OTHER_IOU, OWN_IOU, SWITCH_S = 0.5, 0.1, 0.3

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetTruth:
    """The truth about one target.

    Attributes:
        visible: (T,) share that is seen.
        boxes_xyxy: (T, 4) px, of what is seen of it; NaN where nothing is.
        full_boxes_xyxy: (T, 4) px, of the whole of it.
        others_xyxy: (T, M, 4) px, of what is seen of the other objects; NaN where nothing is.
    """

    fps: float
    visible: NDArray[np.float64]
    boxes_xyxy: Boxes
    full_boxes_xyxy: Boxes
    others_xyxy: Boxes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Published:
    """What was published for one target.

    Attributes:
        ids: (T,) int; 0: nothing is published.
        boxes_xyxy: (T, 4) px; NaN where nothing is.
        is_seen: (T,) whether the box is said to be seen, not only predicted.
        ages_ms: (T,) NaN where nothing is.
    """

    ids: NDArray[np.int64]
    boxes_xyxy: Boxes
    is_seen: Flags
    ages_ms: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetScore:
    """Figures of one target in one clip; `ghosts` is None without hiding."""

    auc: float
    switches: int
    returns: int
    recovered: int
    ghosts: float | None


def score(truth: TargetTruth, published: Published) -> TargetScore:
    """All figures of one target. Raises MetricError as `visible_auc`."""
    returned = returns(truth.visible, truth.fps)
    hidden = np.zeros(len(truth.visible), bool)
    for first, last in hidden_spans(truth.visible, truth.fps):
        hidden[first : last + 1] = True
    return TargetScore(
        auc=visible_auc(truth, published),
        switches=switches(truth, published),
        returns=len(returned),
        recovered=sum(is_recovered(truth, published, span) for span in returned),
        ghosts=float((published.is_seen & (published.ids > 0))[hidden].mean()) if hidden.any() else None,
    )


def visible_auc(truth: TargetTruth, published: Published) -> float:
    """Success AUC over the frames in which the target is visible, in [0, 20/21].

    Raises:
        MetricError: it is visible in none.
    """
    visible = truth.visible >= HIDDEN_SHARE
    if not visible.any():
        raise MetricError("the target is not visible in any frame")
    overlap = np.where(published.ids > 0, _iou(published.boxes_xyxy, truth.boxes_xyxy), 0.0)[visible]
    return float((overlap[:, None] > SUCCESS_THRESHOLDS).mean())


def switches(truth: TargetTruth, published: Published) -> int:
    """How often the target's id changes, and how often its box goes over to another object."""
    ids = published.ids[published.ids > 0]
    changes = int((np.diff(ids) != 0).sum())
    own = np.maximum(_iou(published.boxes_xyxy, truth.boxes_xyxy), _iou(published.boxes_xyxy, truth.full_boxes_xyxy))
    other = _iou(published.boxes_xyxy[:, None], truth.others_xyxy).max(axis=1, initial=0.0)
    astray = published.is_seen & (published.ids > 0) & (other >= OTHER_IOU) & (own < OWN_IOU)
    return changes + len(_runs(astray, SWITCH_S * truth.fps))


def hidden_spans(visible: NDArray[np.float64], fps: float) -> list[Span]:
    """First and last frame of every time that a target is out of sight. visible (T,)."""
    return _runs(visible < HIDDEN_SHARE, HIDDEN_S * fps)


def returns(visible: NDArray[np.float64], fps: float) -> list[Span]:
    """First frame of the hiding and frame of the return, for every return. visible (T,)."""
    stay = round(RETURN_S * fps)
    spans = hidden_spans(visible, fps)
    found = []
    for (first, last), (end, _) in pairwise([*spans, (len(visible), len(visible))]):
        plain = np.flatnonzero(visible[last:end] >= PLAIN_SHARE)
        if not first or not len(plain):
            continue
        start = last + int(plain[0])
        if start + stay <= len(visible) and (visible[start : start + stay] >= PLAIN_SHARE).all():
            found.append((first, start))
    return found


def is_recovered(truth: TargetTruth, published: Published, span: Span) -> bool:
    """Whether a target is followed again in time after a return: (first frame of hiding, frame of return)."""
    hidden_from, start = span
    before = published.ids[:hidden_from][published.ids[:hidden_from] > 0]
    if not len(before):
        return False
    after = slice(start, start + round(RETURN_S * truth.fps))
    overlap = _iou(published.boxes_xyxy[after], truth.boxes_xyxy[after])
    return bool(((published.ids[after] == before[-1]) & published.is_seen[after] & (overlap >= RECOVERED_IOU)).any())


def _iou(boxes_a: Boxes, boxes_b: Boxes) -> NDArray[np.float64]:
    """IoU, 0 where a box is NaN."""
    return iou(np.nan_to_num(boxes_a), np.nan_to_num(boxes_b))


def _runs(flags: Flags, at_least: float) -> list[Span]:
    """First and last index of every run of true of some length. flags (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [
        (int(first), int(stop) - 1)
        for first, stop in zip(edges[::2], edges[1::2], strict=True)
        if stop - first >= at_least - 1e-9
    ]

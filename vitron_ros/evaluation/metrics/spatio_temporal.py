"""Grounding a sentence in a video: when, and where in each frame (VidSTG, HC-STVG).

A span is (first, end) in frames that are evaluated, the end exclusive. TubeDETR samples 5 frames a second, at most 200;
HC-STVG numbers frames from 1 and includes the last: readers convert.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vitron_ros.boxes import Boxes, iou
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.checks import finite, same_length

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TubeScore:
    """tIoU: frames in both spans over frames in either. vIoU: sum of the boxes' IoU in the former, by the latter."""

    tiou: float
    viou: float


def tube_score(predicted_xyxy: Boxes, predicted: Span, true_xyxy: Boxes, true: Span) -> TubeScore:
    """tIoU and vIoU of one sentence (Zhang et al., "VidSTG", CVPR 2020), in [0, 1].

    Args:
        predicted_xyxy, true_xyxy: (T, 4) px, of every evaluated frame; looked at within their spans only.
        predicted: an empty span, first = end, is "not found" and scores 0.

    Raises:
        MetricError: lengths differ, a span leaves the video, the true span is empty, or a box in a span is not finite.
    """
    frames = same_length(predicted=predicted_xyxy, true=true_xyxy)
    for name, (first, end) in (("predicted", predicted), ("true", true)):
        if not 0 <= first <= end <= frames:
            raise MetricError(f"the {name} span {first}..{end} does not fit the {frames} frames")
    if true[0] == true[1]:
        raise MetricError("the true span is empty")
    if predicted[0] == predicted[1]:
        return TubeScore(tiou=0.0, viou=0.0)
    own = finite(predicted_xyxy[slice(*predicted)], "predicted", (None, 4))
    other = finite(true_xyxy[slice(*true)], "true", (None, 4))
    first, end = max(predicted[0], true[0]), min(predicted[1], true[1])
    if end <= first:
        return TubeScore(tiou=0.0, viou=0.0)
    either = max(predicted[1], true[1]) - min(predicted[0], true[0])
    shared = iou(own[first - predicted[0] : end - predicted[0]], other[first - true[0] : end - true[0]])
    return TubeScore(tiou=(end - first) / either, viou=float(shared.sum()) / either)


def spatio_temporal(tubes: Sequence[TubeScore]) -> dict[str, float]:
    """Means `m_tiou` and `m_viou`, and the share of sentences with vIoU > 0.3 and > 0.5.

    Raises:
        MetricError: there is no sentence.
    """
    same_length(tubes=tubes)
    viou = np.array([tube.viou for tube in tubes])
    return {
        "m_tiou": float(np.mean([tube.tiou for tube in tubes])),
        "m_viou": float(viou.mean()),
        "viou@0.3": float((viou > 0.3).mean()),
        "viou@0.5": float((viou > 0.5).mean()),
    }


def mean_spatial_iou(predicted_xyxy: Sequence[Boxes], true_xyxy: Boxes) -> float:
    """As PG-Video-LLaVA: within the true span, the best IoU of all boxes of each frame, (P, 4), with the true one.

    Frames without a box count 0. The mean over samples is the caller's.

    Raises:
        MetricError: lengths differ, or boxes are not finite.
    """
    same_length(predicted=predicted_xyxy, true=true_xyxy)
    true = finite(true_xyxy, "true", (None, 4))
    best = [
        iou(finite(boxes, "predicted", (None, 4)), box).max() if len(boxes) else 0.0
        for boxes, box in zip(predicted_xyxy, true, strict=True)
    ]
    return float(np.mean(best))

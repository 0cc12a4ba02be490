"""One-pass evaluation (OPE) of trackers, variant `visible-frames`: what `vitron eval ope` and training report.

A tracker starts at the first true box and is never corrected; every frame in which the target is visible is compared.
Success and precision follow Wu, Lim and Yang, "Online Object Tracking: A Benchmark", CVPR 2013; normalised precision
follows Mueller et al., "TrackingNet", ECCV 2018. No toolkit makes just these choices (`single_object.py` has theirs):

- A box covers [x_min, x_max) by [y_min, y_max). OTB, LaSOT and pytracking put the last pixel at x + w - 1 and add 1 to
  the overlap; the two cancel, so their IoU is this one. TrackingNet rounds to whole pixels first: its IoU differs.
- Success counts IoU > threshold strictly, so a perfect tracker has an AUC of 20/21; an error at its threshold counts.
- Normalised precision is the value at one threshold, not the mean of its curve.
- The first frame, where the box is given, counts. Frames without the target are left out by the caller and of the
  divisor; LaSOT divides by all frames. A prediction without area counts as it is; LaSOT repeats the box before it.
- A data set's score is the mean over sequences, not over frames.
"""

import numpy as np

from vitron_ros.boxes import Boxes, center, iou
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.checks import finite, same_length

VARIANT = "visible-frames"
SUCCESS_THRESHOLDS = np.arange(21) / 20
PRECISION_PX = 20.0
NORM_PRECISION = 0.2


def success_curve(predicted_xyxy: Boxes, true_xyxy: Boxes) -> Boxes:
    """Share of frames whose IoU exceeds each of 0, 0.05, ..., 1: (21,), in [0, 1]. Boxes (T, 4), px."""
    overlap = iou(*_checked(predicted_xyxy, true_xyxy))
    return np.asarray((overlap[:, None] > SUCCESS_THRESHOLDS).mean(axis=0))


def success_auc(predicted_xyxy: Boxes, true_xyxy: Boxes) -> float:
    """Area under the success curve: its mean over the 21 thresholds, in [0, 20/21]. Boxes (T, 4), px."""
    return float(success_curve(predicted_xyxy, true_xyxy).mean())


def precision(predicted_xyxy: Boxes, true_xyxy: Boxes, threshold_px: float = PRECISION_PX) -> float:
    """Share of frames whose centre lies within threshold_px of the true centre, in [0, 1]. Boxes (T, 4), px."""
    predicted, true = _checked(predicted_xyxy, true_xyxy)
    error = np.linalg.norm(center(predicted) - center(true), axis=-1)
    return float((error <= threshold_px).mean())


def norm_precision(predicted_xyxy: Boxes, true_xyxy: Boxes, threshold: float = NORM_PRECISION) -> float:
    """The same with the error divided by the true width and height, so in fractions of the target. Boxes (T, 4), px."""
    predicted, true = _checked(predicted_xyxy, true_xyxy)
    error = np.linalg.norm((center(predicted) - center(true)) / (true[:, 2:] - true[:, :2]), axis=-1)
    return float((error <= threshold).mean())


def _checked(predicted_xyxy: Boxes, true_xyxy: Boxes) -> tuple[Boxes, Boxes]:
    same_length(predicted=predicted_xyxy, true=true_xyxy)
    predicted, true = finite(predicted_xyxy, "predicted", (None, 4)), finite(true_xyxy, "true", (None, 4))
    if not (true[:, 2:] > true[:, :2]).all():
        raise MetricError("a true box has no area")
    return predicted, true

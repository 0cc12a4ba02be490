"""One-pass evaluation (OPE) of trackers: start at the first true box, never correct, compare every frame.

Success and precision follow Wu, Lim and Yang, "Online Object Tracking: A Benchmark", CVPR 2013; normalised precision
follows Mueller et al., "TrackingNet", ECCV 2018. Choices that toolkits make differently, and ours:

- A box covers [x_min, x_max) by [y_min, y_max). OTB, LaSOT and pytracking put the last pixel at x + w - 1 and add 1 to
  the overlap; the two cancel, so their IoU is this one. TrackingNet rounds to whole pixels first: its IoU differs.
- Success counts IoU > threshold strictly, so a perfect tracker has an AUC of 20/21; an error at its threshold counts.
- Normalised precision is the value at one threshold, not the mean of its curve.
- The first frame, where the box is given, counts. Frames without the target do not; LaSOT divides by all frames.
- A data set's score is the mean over sequences, not over frames.
"""

import numpy as np

from vitron_ros.boxes import Boxes, center, iou

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
    predicted, true = np.asarray(predicted_xyxy, np.float64), np.asarray(true_xyxy, np.float64)
    if predicted.shape != true.shape or true.ndim != 2 or true.shape[1] != 4 or not len(true):
        raise ValueError(f"one predicted box for each true box, (T, 4): these are {predicted.shape} and {true.shape}")
    if not (true[:, 2:] > true[:, :2]).all():
        raise ValueError("a true box has no area")
    return predicted, true

"""Single-object tracking, one-pass evaluation, as each toolkit computes it. Name the variant with a figure.

                    IoU         frames that count                              precision, normalised precision
pytracking-otb      +1 on ends  all; truth that is not all > 0: no overlap,    at 20 px, at 0.20
                                a hit of normalised precision
pytracking-lasot    +1          as pytracking-otb; absent: no overlap, no hit  at 20 px, at 0.20
pytracking-uav      +1          all; absent (NaN), or not all > 0: no overlap, at 20 px, at 0.20
                                a hit of both
lasot-toolkit       +1          as pytracking-lasot, but truth that is not     at 20 px, at 0.20
                                all > 0 is a hit of both
got10k-lasot        plain       those whose truth is not NaN; absent flags     at 20 px, mean of the curve
                                are not used
trackingnet         +1, whole   all                                            areas under 0..50 px and 0..0.5
                    pixels
elysium-released    +1, clamped all, with the prediction for the first;        at 20 px, at 0.20
                    to 1..100   NOT COMPARABLE: boxes beyond 100 px collapse
visible-frames      plain       visible ones only (`visible_frames.py`)        at 20 px, at 0.20

All but the last two take the truth for the first frame. Success is the mean of the share of frames with IoU > 0, 0.05,
..., 1, so a perfect tracker has 20/21; TrackingNet counts >= and takes the area, so 1. The score of a data set is the
mean over sequences (`mean_score`); of GOT-10k it is over the frames of all sequences (`got10k`).

Sources: visionml/pytracking (analysis/extract_results.py, at its defaults), HengLan/LaSOT_Evaluation_Toolkit (utils),
got-10k/toolkit (experiments), SilvioGiancola/TrackingNet-devkit (metrics.py), Hon-Wong/Elysium (eval/otb.py). Where a
toolkit cuts, pads or repairs NaN predictions, these raise MetricError. pytracking asks x and y to be > 0 since August
2022, and before then w and h alone. Boxes are x, y, w, h in px, (T, 4), as in the files of each data set; only those of
`pytracking_otb` count pixels from 0, as OTB's reader gives them, where its files count from 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics import visible_frames
from vitron_ros.evaluation.metrics.checks import Flags, Values, finite, same_length

IOU_THRESHOLDS = np.linspace(0, 1, 21)
ERRORS_PX = np.arange(51.0)
NORM_ERRORS = np.arange(51) / 100
OTB_ORIGIN = np.array([1, 1, 0, 0])
AT_20_PX = AT_020 = 20  # index into the two above


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnePassScore:
    """Figures of one sequence, or of a data set, in [0, 1], and the curves that they are read from.

    Attributes:
        success_curve: (21,) at IoU 0, 0.05, ..., 1.
        precision_curve: (51,) at 0, 1, ..., 50 px; TrackingNet's are (21,), at 0, 2.5, ..., 50 px.
        norm_precision_curve: (51,) at 0, 0.01, ..., 0.5; TrackingNet's are (21,).
    """

    auc: float
    precision: float
    norm_precision: float
    success_curve: Values
    precision_curve: Values
    norm_precision_curve: Values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Errors:
    """Of each frame that is looked at: IoU (-1: none), and distances of the centres (-1: a hit; inf: a miss)."""

    iou: Values
    px: Values
    norm: Values

    def score(self, frames: int) -> OnePassScore:
        """As OTB, LaSOT and pytracking: shares of that many frames."""
        success = (self.iou[:, None] > IOU_THRESHOLDS).sum(axis=0) / frames
        near = (self.px[:, None] <= ERRORS_PX).sum(axis=0) / frames
        near_norm = (self.norm[:, None] <= NORM_ERRORS).sum(axis=0) / frames
        return OnePassScore(
            auc=float(success.mean()),
            precision=float(near[AT_20_PX]),
            norm_precision=float(near_norm[AT_020]),
            success_curve=success,
            precision_curve=near,
            norm_precision_curve=near_norm,
        )


def pytracking_otb(predicted_ltwh: Boxes, true_ltwh: Boxes, absent: Flags) -> OnePassScore:
    """pytracking, dataset "otb". `absent` is not used: OTB has no such flags.

    Raises:
        MetricError: lengths differ, empty, NaN, or a predicted size below 0; so of all of these functions.
    """
    predicted, true = _pytracking_boxes(predicted_ltwh, true_ltwh, absent)
    predicted, true = predicted + OTB_ORIGIN, true + OTB_ORIGIN
    return _masked(_pixel_errors(predicted, true), _is_positive(true), px=np.inf, norm=-1).score(len(true))


def pytracking_lasot(predicted_ltwh: Boxes, true_ltwh: Boxes, absent: Flags) -> OnePassScore:
    """pytracking, dataset "lasot": absent frames (T,) count as missed."""
    predicted, true = _pytracking_boxes(predicted_ltwh, true_ltwh, absent)
    errors = _masked(_pixel_errors(predicted, true), _is_positive(true), px=np.inf, norm=-1)
    return _masked(errors, ~np.asarray(absent, bool), px=np.inf, norm=np.inf).score(len(true))


def pytracking_uav(predicted_ltwh: Boxes, true_ltwh: Boxes, absent: Flags) -> OnePassScore:
    """pytracking, dataset "uav": rows of NaN in the truth are absent frames, and hits of both precisions."""
    predicted, true = _pytracking_boxes(predicted_ltwh, true_ltwh, absent, nan_is_absent=True)
    return _masked(_pixel_errors(predicted, true), _is_positive(true), px=-1, norm=-1).score(len(true))


def lasot_toolkit(predicted_ltwh: Boxes, true_ltwh: Boxes, absent: Flags) -> OnePassScore:
    """LaSOT's own toolkit: absent frames (T,) are removed, but divided by."""
    predicted, true = _checked(predicted_ltwh, true_ltwh, absent)
    predicted = _repeat_before(predicted, ~_has_size(predicted))
    predicted[0] = true[0]
    kept = ~np.asarray(absent, bool)
    errors = _pixel_errors(predicted[kept], true[kept])
    return _masked(errors, _is_positive(true[kept]), px=-1, norm=-1).score(len(true))


def got10k_lasot(predicted_ltwh: Boxes, true_ltwh: Boxes, absent: Flags) -> OnePassScore:
    """The got10k toolkit's ExperimentLaSOT: absent flags are not used, rows of NaN in the truth are left out."""
    predicted, true = _checked(predicted_ltwh, true_ltwh, absent, nan_is_absent=True)
    predicted[0] = true[0]
    kept = ~np.isnan(true).any(axis=1)
    predicted, true = predicted[kept], true[kept]
    offset = _centers(predicted) - _centers(true)
    score = _Errors(
        iou=_got10k_iou(predicted, true),
        px=np.linalg.norm(offset, axis=1),
        norm=np.linalg.norm(offset / np.maximum(true[:, 2:], 1), axis=1),
    ).score(len(true))
    return replace(score, norm_precision=float(score.norm_precision_curve.mean()))


def trackingnet(predicted_ltwh: Boxes, true_ltwh: Boxes, absent: Flags) -> OnePassScore:
    """TrackingNet's devkit: whole pixels, IoU >= threshold, areas under the curves by trapezoids. No absent flags."""
    predicted, true = _checked(predicted_ltwh, true_ltwh, absent)
    predicted, true = np.round(predicted), np.round(true)
    predicted[0] = true[0]
    errors, offset = _pixel_errors(predicted, true), _centers(predicted) - _centers(true)
    with np.errstate(divide="ignore", invalid="ignore"):  # in the devkit's order: many errors lie on a threshold
        error_norm = np.sqrt((offset / true[:, 2:] * offset / true[:, 2:]).sum(axis=1))
    success = (errors.iou[:, None] >= IOU_THRESHOLDS).mean(axis=0)
    near = (errors.px[:, None] <= np.linspace(0, 50, 21)).mean(axis=0)
    near_norm = (error_norm[:, None] <= np.linspace(0, 0.5, 21)).mean(axis=0)
    return OnePassScore(
        auc=_area(success),
        precision=_area(near),
        norm_precision=_area(near_norm),
        success_curve=success,
        precision_curve=near,
        norm_precision_curve=near_norm,
    )


def elysium_released(predicted_ltwh: Boxes, true_ltwh: Boxes, absent: Flags) -> OnePassScore:
    """The code released with Elysium, which clamps x, y, w and h in px to [1, 100]. NOT COMPARABLE with any other."""
    predicted, true = _checked(predicted_ltwh, true_ltwh, absent)
    return _pixel_errors(np.clip(predicted, 1, 100), np.clip(true, 1, 100)).score(len(true))


def visible_only(predicted_ltwh: Boxes, true_ltwh: Boxes, absent: Flags) -> OnePassScore:
    """This project's `visible-frames`; frames that are flagged absent, or whose truth is NaN, are left out."""
    predicted, true = _checked(predicted_ltwh, true_ltwh, absent, nan_is_absent=True)
    kept = ~(np.asarray(absent, bool) | np.isnan(true).any(axis=1))
    if not kept.any() or not (true[kept, 2:] > 0).all():
        raise MetricError("a true box has no area in a frame that is not absent, or every frame is absent")
    return _pixel_errors(predicted[kept], true[kept]).score(int(kept.sum()))


VARIANTS: dict[str, Callable[[Boxes, Boxes, Flags], OnePassScore]] = {
    "pytracking-otb": pytracking_otb,
    "pytracking-lasot": pytracking_lasot,
    "pytracking-uav": pytracking_uav,
    "lasot-toolkit": lasot_toolkit,
    "got10k-lasot": got10k_lasot,
    "trackingnet": trackingnet,
    "elysium-released": elysium_released,
    visible_frames.VARIANT: visible_only,
}
NAN_IS_ABSENT = ("pytracking-uav", "got10k-lasot", visible_frames.VARIANT)  # the others want zeros, as data sets have
ANY_SET = (visible_frames.VARIANT, "pytracking-otb", "got10k-lasot")  # of data without a toolkit of its own
FIGURES = ("auc", "precision", "norm_precision")


def hold_last(boxes_ltwh: Boxes) -> Boxes:
    """(T, 4) with the last box where there is none (NaN), and zeros before the first: toolkits want one everywhere."""
    has_box = ~np.isnan(boxes_ltwh).all(axis=1)
    source = np.maximum.accumulate(np.where(has_box, np.arange(len(boxes_ltwh)), -1))
    return np.where((source >= 0)[:, None], boxes_ltwh[source], 0.0)


def mean_score(scores: Sequence[OnePassScore]) -> OnePassScore:
    """The score of a data set: the mean over its sequences.

    Raises:
        MetricError: there is no sequence.
    """
    same_length(scores=scores)
    return OnePassScore(
        **{field.name: np.mean([getattr(score, field.name) for score in scores], axis=0) for field in fields(scores[0])}
    )


def got10k_overlaps(
    predicted_ltwh: Boxes, true_ltwh: Boxes, cover: Sequence[int] | Values, width: int, height: int
) -> Values:
    """IoU in the frames of a GOT-10k sequence that count: all but the first, with cover (T,) > 0.

    Both boxes are clipped to the image before, as the toolkit does: a box that begins outside keeps its width.
    """
    predicted, true = _checked(predicted_ltwh, true_ltwh, cover)
    counted = finite(cover, "cover", (len(true),))[1:] > 0
    return _got10k_iou(*(_got10k_clip(boxes[1:][counted], width, height) for boxes in (predicted, true)))


def got10k(overlaps: Sequence[Values]) -> dict[str, float]:
    """AO, SR at 0.5 and at 0.75 of GOT-10k, over the frames of all sequences together. Each (T,), of `got10k_overlaps`.

    Raises:
        MetricError: there is no frame.
    """
    pooled = finite(np.concatenate([*overlaps, np.empty(0)]), "overlaps", (None,))
    return {"ao": float(pooled.mean()), "sr50": float((pooled > 0.5).mean()), "sr75": float((pooled > 0.75).mean())}


def _checked(
    predicted_ltwh: Boxes, true_ltwh: Boxes, flags: object, *, nan_is_absent: bool = False
) -> tuple[Boxes, Boxes]:
    frames = same_length(predicted=predicted_ltwh, true=true_ltwh, flags=np.asarray(flags))
    predicted = finite(predicted_ltwh, "predicted", (None, 4)).copy()
    true = np.asarray(true_ltwh, np.float64)
    missing = np.isnan(true).all(axis=1) if nan_is_absent and true.ndim == 2 else np.zeros(frames, bool)
    if missing.all():
        raise MetricError("the target is absent in every frame")
    finite(true[~missing], "true", (None, 4))
    return predicted, true


def _pytracking_boxes(
    predicted_ltwh: Boxes, true_ltwh: Boxes, flags: object, *, nan_is_absent: bool = False
) -> tuple[Boxes, Boxes]:
    predicted, true = _checked(predicted_ltwh, true_ltwh, flags, nan_is_absent=nan_is_absent)
    if (predicted[:, 2:] < 0).any():
        raise MetricError(f"predicted has a negative size in frame {np.argwhere(predicted[:, 2:] < 0)[0, 0]}")
    predicted = _repeat_before(predicted, ~_has_size(predicted) & ~np.isnan(true).any(axis=1))
    predicted[0] = true[0]
    return predicted, true


def _has_size(boxes_ltwh: Boxes) -> Flags:
    return np.asarray((boxes_ltwh[:, 2:] > 0).all(axis=1))


def _is_positive(boxes_ltwh: Boxes) -> Flags:
    return np.asarray((boxes_ltwh > 0).all(axis=1))


def _repeat_before(boxes: Boxes, is_bad: Flags) -> Boxes:
    """The box before in place of each bad one; the first stays."""
    source = np.where(is_bad, 0, np.arange(len(boxes)))
    return np.asarray(boxes[np.maximum.accumulate(source)])


def _centers(boxes_ltwh: Boxes) -> Boxes:
    return np.asarray(boxes_ltwh[:, :2] + 0.5 * (boxes_ltwh[:, 2:] - 1))


def _pixel_errors(predicted: Boxes, true: Boxes) -> _Errors:
    """With the last pixel at x + w - 1. What has no truth or no area comes out as NaN or infinite."""
    first = np.maximum(predicted[:, :2], true[:, :2])
    last = np.minimum(predicted[:, :2] + predicted[:, 2:] - 1, true[:, :2] + true[:, 2:] - 1)
    shared = np.maximum(last - first + 1, 0).prod(axis=1)
    union = predicted[:, 2:].prod(axis=1) + true[:, 2:].prod(axis=1) - shared
    own, other = _centers(predicted), _centers(true)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _Errors(
            iou=shared / union,
            px=np.linalg.norm(own - other, axis=1),
            norm=np.linalg.norm(own / true[:, 2:] - other / true[:, 2:], axis=1),
        )


def _masked(errors: _Errors, keep: Flags, *, px: float, norm: float) -> _Errors:
    return _Errors(
        iou=np.where(keep, errors.iou, -1), px=np.where(keep, errors.px, px), norm=np.where(keep, errors.norm, norm)
    )


def _area(curve: Values) -> float:
    """Under a curve over [0, 1], by trapezoids."""
    return float((curve[1:] + curve[:-1]).mean() / 2)


def _got10k_clip(boxes_ltwh: Boxes, width: int, height: int) -> Boxes:
    corner = np.clip(boxes_ltwh[:, :2], 0, [width, height])
    return np.concatenate([corner, np.clip(boxes_ltwh[:, 2:], 0, [width, height] - corner)], axis=1)


def _got10k_iou(predicted: Boxes, true: Boxes) -> Values:
    first = np.maximum(predicted[:, :2], true[:, :2])
    last = np.minimum(predicted[:, :2] + predicted[:, 2:], true[:, :2] + true[:, 2:])
    shared = np.maximum(last - first, 0).prod(axis=1)
    union = predicted[:, 2:].prod(axis=1) + true[:, 2:].prod(axis=1) - shared
    return np.asarray(np.clip(shared / (union + np.finfo(float).eps), 0, 1))

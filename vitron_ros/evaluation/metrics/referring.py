"""Referring to things in images: REC accuracy, RES (cIoU, gIoU), gRefCOCO (N-acc, T-acc, F1), Flickr30k recall.

A sample is one sentence. IoU is plain, without a pixel added. Boxes are xyxy in px.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vitron_ros.boxes import Boxes, area, iou, iou_matrix
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.checks import Flags, Values, finite, same_length

HIT_IOU = 0.5
MASK_PRECISIONS = (0.7, 0.8, 0.9)
GREC_SCORE, GREC_GIOU = 0.7, 0.5
RecRule = Literal["minigpt-v2", "lmms-eval"]
PhraseRule = Literal["any-box", "merged-box"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskOverlap:
    """What RES needs of one sample: pixels in both masks and in either; whether it has no target, and was said so."""

    intersection: int
    union: int
    is_no_target: bool = False
    says_no_target: bool = False

    @property
    def iou(self) -> float:
        if self.is_no_target:
            return float(self.says_no_target)
        return 0.0 if self.says_no_target or not self.union else self.intersection / self.union


def rec_accuracy(predicted_xyxy: Boxes, true_xyxy: Boxes, is_parsed: Flags, rule: RecRule) -> dict[str, float]:
    """REC: `accuracy`, the share of boxes (N, 4) with IoU 0.5, and `unparsed`, the share of replies without a box.

    Args:
        is_parsed: (N,) whether the reply was a box; where not, predicted_xyxy is not looked at and the sample is wrong.
        rule: "minigpt-v2" counts IoU > 0.5, "lmms-eval" IoU >= 0.5.

    Raises:
        MetricError: lengths differ, empty, NaN, or a true box without area.
    """
    same_length(predicted=predicted_xyxy, true=true_xyxy, is_parsed=is_parsed)
    parsed = np.asarray(is_parsed, bool)
    true = finite(true_xyxy, "true", (None, 4))
    if not (true[:, 2:] > true[:, :2]).all():
        raise MetricError("a true box has no area")
    overlap = np.zeros(len(true))
    if parsed.any():
        overlap[parsed] = iou(finite(np.asarray(predicted_xyxy)[parsed], "predicted", (None, 4)), true[parsed])
    hit = overlap > HIT_IOU if rule == "minigpt-v2" else overlap >= HIT_IOU
    return {"accuracy": float(hit.mean()), "unparsed": float((~parsed).mean())}


def mask_overlap(predicted: Flags, true: Flags, *, says_no_target: bool = False) -> MaskOverlap:
    """The overlap of two masks (H, W); a true mask without a pixel is a sample without target.

    Args:
        says_no_target: the model declined. Its mask is still part of the union, as in ReLA's evaluation.

    Raises:
        MetricError: shapes differ.
    """
    if np.shape(predicted) != np.shape(true) or np.ndim(true) != 2:
        raise MetricError(f"masks are (H, W) of one size, these are {np.shape(predicted)} and {np.shape(true)}")
    own, other = np.asarray(predicted, bool), np.asarray(true, bool)
    return MaskOverlap(
        intersection=0 if says_no_target else int(np.count_nonzero(own & other)),
        union=int(np.count_nonzero(own | other)),
        is_no_target=not other.any(),
        says_no_target=says_no_target,
    )


def referring_segmentation(samples: Sequence[MaskOverlap]) -> dict[str, float | None]:
    """RES, and gRefCOCO as ReLA evaluates it (Liu et al., CVPR 2023).

    ciou: sum of intersections over sum of unions. giou: mean of the samples' IoU, often called mIoU. pr70, pr80, pr90:
    share of the samples with a target whose IoU is at least that. n_acc: share of those without a target that were
    said to have none; t_acc: share of those with one that were not. None where there is no such sample.

    A sample without target adds IoU 1 and no pixels if that was said, else IoU 0 and the predicted area to the union.

    Raises:
        MetricError: there is no sample.
    """
    same_length(samples=samples)
    counted = [sample for sample in samples if not (sample.is_no_target and sample.says_no_target)]
    union = sum(sample.union for sample in counted)
    targeted = [sample for sample in samples if not sample.is_no_target]
    empty = [sample for sample in samples if sample.is_no_target]
    return {
        "ciou": sum(sample.intersection for sample in counted) / union if union else None,
        "giou": _share([sample.iou for sample in samples]),
        **{
            f"pr{round(100 * least)}": _share([sample.iou >= least for sample in targeted]) for least in MASK_PRECISIONS
        },
        "n_acc": _share([sample.says_no_target for sample in empty]),
        "t_acc": _share([not sample.says_no_target for sample in targeted]),
    }


def grec_f1(predicted_xyxy: Boxes, scores: Values, true_xyxy: Boxes) -> float:
    """F1 of one sentence of gRefCOCO, in [0, 1]: predicted boxes (P, 4) with scores (P,) against true ones (M, 4).

    As published (He et al., "GREC", 2023): boxes of score >= 0.7; greedy, best first, at a *generalised* IoU >= 0.5.
    Without a target it is 1 if no box is left, else 0.

    Raises:
        MetricError: boxes and scores differ in length, or are not finite.
    """
    predicted = _boxes(predicted_xyxy, "predicted")
    if np.shape(scores) != (len(predicted),) or not np.isfinite(scores).all():
        raise MetricError(f"{len(predicted)} boxes need as many finite scores, these have shape {np.shape(scores)}")
    predicted, true = predicted[np.asarray(scores) >= GREC_SCORE], _boxes(true_xyxy, "true")
    if not len(true) or not len(predicted):
        return float(len(true) == len(predicted))
    quality = generalised_iou(predicted[:, None], true[None])
    hits = 0
    while hits < min(quality.shape) and quality.max() >= GREC_GIOU:
        row, column = np.unravel_index(quality.argmax(), quality.shape)
        quality[row], quality[:, column] = -1, -1
        hits += 1
    return 2 * hits / (len(predicted) + len(true))


def grec(f1: Values, says_no_target: Flags, is_no_target: Flags) -> dict[str, float | None]:
    """GREC over all sentences (N,): `precision_f1`, the share with F1 of 1, `n_acc` and `t_acc` as for masks.

    Raises:
        MetricError: lengths differ, or empty.
    """
    same_length(f1=f1, says_no_target=says_no_target, is_no_target=is_no_target)
    values, said, empty = finite(f1, "f1", (None,)), np.asarray(says_no_target, bool), np.asarray(is_no_target, bool)
    return {
        "precision_f1": float((values >= 1).mean()),
        "n_acc": _share(said[empty].tolist()),
        "t_acc": _share((~said[~empty]).tolist()),
    }


def generalised_iou(boxes_a: Boxes, boxes_b: Boxes) -> Values:
    """IoU minus the share of the common hull that neither covers, (...), in [-1, 1] (Rezatofighi et al., CVPR 2019)."""
    overlap = iou(boxes_a, boxes_b)
    first = np.minimum(boxes_a[..., :2], boxes_b[..., :2])
    last = np.maximum(boxes_a[..., 2:], boxes_b[..., 2:])
    hull = (last - first).prod(axis=-1)
    union = (area(boxes_a) + area(boxes_b)) / (1 + overlap)
    return np.asarray(overlap - np.divide(hull - union, hull, out=np.zeros_like(hull), where=hull > 0))


def flickr30k_recall(ranked_xyxy: Sequence[Boxes], true_xyxy: Sequence[Boxes], rule: PhraseRule, k: int = 1) -> float:
    """Share of phrases of which one of the best k boxes, best first, (P, 4), has IoU >= 0.5.

    Args:
        true_xyxy: for each phrase the boxes of its chain, (M, 4).
        rule: "any-box": with one of them; "merged-box": with their hull.

    Raises:
        MetricError: lengths differ, a phrase has no true box, or boxes are not finite.
    """
    same_length(ranked=ranked_xyxy, true=true_xyxy)
    hits = []
    for ranked, chain in zip(ranked_xyxy, true_xyxy, strict=True):
        true = finite(chain, "true", (None, 4))
        if rule == "merged-box":
            true = np.concatenate([true[:, :2].min(axis=0), true[:, 2:].max(axis=0)])[None]
        best = _boxes(ranked, "ranked")[:k]
        hits.append(bool((iou_matrix(best, true) >= HIT_IOU).any()))
    return float(np.mean(hits))


def _boxes(boxes_xyxy: Boxes, name: str) -> Boxes:
    """Any number of boxes, also none."""
    return finite(boxes_xyxy, name, (None, 4)) if np.size(boxes_xyxy) else np.empty((0, 4))


def _share(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None

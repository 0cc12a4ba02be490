"""Streaming: what had been published when each image was taken, scored against that image. Latency costs accuracy.

Streaming accuracy (Li et al., ECCV 2020) pairs the truth at each image's stamp with the newest output published at or
before it; latency-aware evaluation (Li et al., "PVT++", ICCV 2023) allows a permitted latency of 0 to 1 frame more.
Recoveries, switches and ghosts are in `long_term.py`. Times are of one clock.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitron_ros.boxes import Boxes, iou, ltwh_from_xyxy
from vitron_ros.errors import MetricError, MetricUnavailable
from vitron_ros.evaluation.metrics.checks import finite, same_length
from vitron_ros.evaluation.metrics.visible_frames import SUCCESS_THRESHOLDS

PERMITTED_FRAMES = np.arange(51) / 50
HIT_IOU = 0.5
IN_TIME_S = (1.0, 2.0, 4.0)

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """Boxes of one image, with their classes and, where they are predicted, scores.

    Attributes:
        boxes_xyxy: (N, 4) px.
        labels: (N,) int.
        scores: (N,); of the truth, not looked at.
    """

    boxes_xyxy: Boxes
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]


def newest_published(stamps_ns: ArrayLike, published_ns: ArrayLike, permitted_ns: float = 0) -> Indices:
    """For each image, which output was the newest at its stamp plus the permitted latency: (T,), -1 where none was.

    Args:
        stamps_ns: (T,) of the images, rising.
        published_ns: (P,) of the outputs, in order; may be empty.

    Raises:
        MetricError: there is no image, or times are not in order.
    """
    stamps, published = np.asarray(stamps_ns, np.int64), np.asarray(published_ns, np.int64)
    if not len(stamps) or (np.diff(stamps) <= 0).any():
        raise MetricError("stamps of images are one or more, each later than the one before")
    if (np.diff(published) < 0).any():
        raise MetricError("outputs are in the order in which they were published")
    return np.asarray(np.searchsorted(published, stamps + round(permitted_ns), side="right") - 1)


def streaming_auc(
    true_xyxy: Boxes,
    stamps_ns: ArrayLike,
    output_xyxy: Boxes,
    published_ns: ArrayLike,
    *,
    first_xyxy: Boxes | None = None,
    permitted_ns: float = 0,
) -> float:
    """Success AUC of the newest published box at the stamp of each image, in [0, 20/21].

    Args:
        true_xyxy: (T, 4) px; NaN rows: the target is not visible, the frame is not scored.
        output_xyxy: (P, 4) px, of one target; NaN rows: published as absent.
        first_xyxy: (4,) the box that the tracker was given, which stands until the first output, as in PVT++. None:
            nothing does, and those frames count 0.

    Raises:
        MetricError: lengths differ, no frame is visible, or times are not in order.
    """
    same_length(true=true_xyxy, stamps=np.asarray(stamps_ns))
    visible = ~np.isnan(true_xyxy).all(axis=1)
    true = finite(np.asarray(true_xyxy)[visible], "true", (None, 4))
    outputs = np.asarray(output_xyxy, np.float64).reshape(-1, 4)
    if len(outputs) != len(np.asarray(published_ns)):
        raise MetricError(f"different lengths: outputs {len(outputs)}, published {len(np.asarray(published_ns))}")
    there = ~np.isnan(outputs).all(axis=1)
    if there.any():
        finite(outputs[there], "outputs", (None, 4))
    before_any = np.full(4, np.nan) if first_xyxy is None else finite(first_xyxy, "first", (4,))
    newest = newest_published(stamps_ns, published_ns, permitted_ns)
    shown = np.concatenate([outputs, before_any[None]])[newest][visible]  # -1 is the last row
    overlap = iou(np.nan_to_num(shown), true)
    return float((overlap[:, None] > SUCCESS_THRESHOLDS).mean())


def latency_curve(
    true_xyxy: Boxes,
    stamps_ns: ArrayLike,
    output_xyxy: Boxes,
    published_ns: ArrayLike,
    *,
    frame_ns: float,
    first_xyxy: Boxes | None = None,
) -> NDArray[np.float64]:
    """`streaming_auc` at 0, 0.02, ..., 1 frame of permitted latency, (51,). Its mean is e-LAE's figure.

    Args:
        frame_ns: the time between two images.
    """
    return np.array(
        [
            streaming_auc(
                true_xyxy, stamps_ns, output_xyxy, published_ns, first_xyxy=first_xyxy, permitted_ns=frames * frame_ns
            )
            for frames in PERMITTED_FRAMES
        ]
    )


def streaming_ap(
    true: Sequence[Detections], stamps_ns: ArrayLike, outputs: Sequence[Detections], published_ns: ArrayLike
) -> dict[str, float | None]:
    """sAP: COCO's AP of the newest published detections at the stamp of each image: `ap`, `ap50`, `ap75`, in [0, 1].

    None of the outputs yet is "no boxes". AP itself is pycocotools'.

    Raises:
        MetricError: lengths differ, no image has a true box, a value is not finite, or times are not in order.
        MetricUnavailable: pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MetricUnavailable("sAP needs pycocotools: pip install pycocotools") from error
    same_length(true=true, stamps=np.asarray(stamps_ns))
    if len(outputs) != len(np.asarray(published_ns)):
        raise MetricError(f"different lengths: outputs {len(outputs)}, published {len(np.asarray(published_ns))}")
    newest = newest_published(stamps_ns, published_ns)
    truth = _coco_rows(true, is_truth=True)
    if not truth:
        raise MetricError("no image has a true box")
    found = _coco_rows([outputs[index] if index >= 0 else None for index in newest], is_truth=False)
    labels = sorted({row["category_id"] for row in [*truth, *found]})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": number} for number in range(len(true))],
            "categories": [{"id": label} for label in labels],
            "annotations": truth,
            "info": {},
        }
        coco.createIndex()
        if not found:
            return {"ap": 0.0, "ap50": 0.0, "ap75": 0.0}
        evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(evaluation.stats[number]) for number, name in enumerate(("ap", "ap50", "ap75"))}


def box_age(ages_ms: ArrayLike) -> dict[str, float]:
    """Percentiles 50, 95 and 99 of how old boxes were when they were published. (N,), of those with a box.

    Raises:
        MetricError: there is none, or one is not finite.
    """
    p50, p95, p99 = np.percentile(finite(ages_ms, "ages", (None,)), (50, 95, 99))
    return {"p50_ms": float(p50), "p95_ms": float(p95), "p99_ms": float(p99)}


def time_to_first_track_s(requested_ns: int, published_ns: ArrayLike, overlap: ArrayLike) -> float | None:
    """From a goal to the first box that was published on its target (IoU 0.5 or more); None: there was none.

    Args:
        overlap: (P,) IoU of each published box with the true one at that time.

    Raises:
        MetricError: lengths differ, or an overlap is not finite.
    """
    published = np.asarray(published_ns, np.int64)
    if not len(published) and not np.size(overlap):
        return None
    same_length(published=published, overlap=np.asarray(overlap))
    hits = published[(finite(overlap, "overlap", (None,)) >= HIT_IOU) & (published >= requested_ns)]
    return float(hits.min() - requested_ns) / 1e9 if len(hits) else None


def time_diff(answered_s: Sequence[float | None], true_s: Sequence[float]) -> dict[str, float | None]:
    """Standing questions: how much later than the event the first answer came; negative: earlier.

    Args:
        answered_s: (N,) of the first correct answer to each; None: there was none.
        true_s: (N,) when the event happens.

    Returns:
        signed_s and absolute_s, means over the answered ones (VideoLLM-online's TimeDiff is the latter), None without
        any; answered: their share; within_1s, within_2s, within_4s: shares of all that were answered by then and not
        before the event, as StreamingBench's proactive task counts.

    Raises:
        MetricError: lengths differ, empty, or a time is not finite.
    """
    same_length(answered=answered_s, true=true_s)
    true = finite(true_s, "true", (None,))
    is_answered = np.array([time is not None for time in answered_s])
    answered = [time for time in answered_s if time is not None]
    late = finite(answered, "answered", (None,)) - true[is_answered] if answered else np.empty(0)
    within = {f"within_{most:.0f}s": float(((late >= 0) & (late <= most)).sum() / len(true)) for most in IN_TIME_S}
    return {
        "signed_s": float(late.mean()) if answered else None,
        "absolute_s": float(np.abs(late).mean()) if answered else None,
        "answered": float(is_answered.mean()),
        **within,
    }


def _coco_rows(images: Sequence[Detections | None], *, is_truth: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, detections in enumerate(images):
        if detections is None or not len(detections.labels):
            continue
        count = len(detections.labels)
        boxes = ltwh_from_xyxy(finite(detections.boxes_xyxy, f"image {number}", (count, 4)))
        scores = np.ones(count) if is_truth else finite(detections.scores, f"scores of image {number}", (count,))
        for box, label, score in zip(boxes.tolist(), detections.labels.tolist(), scores.tolist(), strict=True):
            row = {"image_id": number, "category_id": label, "bbox": box}
            extra = {"id": len(rows) + 1, "area": box[2] * box[3], "iscrowd": 0} if is_truth else {"score": score}
            rows.append(row | extra)
    return rows

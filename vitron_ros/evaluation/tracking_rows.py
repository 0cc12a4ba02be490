"""The rows of single-object tracking: predicted and true boxes of every frame, and a picture of the worst one."""

import base64
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, iou, ltwh_from_xyxy
from vitron_ros.evaluation.datasets import Sequence
from vitron_ros.evaluation.one_pass import Run, run_one_pass
from vitron_ros.evaluation.predictions import Milliseconds, Row
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.images.draw import Overlay, draw_tracks
from vitron_ros.tracking.trackers import make_tracker

DECIMALS = 4  # of predicted pixels
PICTURE_WIDTH, PICTURE_QUALITY = 400, 80


def predict(settings: Mapping[str, str], sequence: Sequence) -> tuple[Row, Milliseconds]:
    """The row and the milliseconds of each frame of `settings["tracker"]`, started on the first true box.

    Raises:
        SourceError: an image cannot be read.
        ConfigError: there is no such tracker.
    """
    name = settings["tracker"]
    run = run_one_pass({name: make_tracker(name)}, sequence)[name]
    return tracking_row(sequence, run)


def tracking_row(sequence: Sequence, run: Run) -> tuple[Row, Milliseconds]:
    """The row and the milliseconds of each frame of a tracker that was run.

    `predicted_ltwh` and `true_ltwh` are (T, 4) px, null where there is no box; `absent` are the frames without the
    target. `worst` is the frame with the lowest IoU, with a JPEG image in base64 of truth and prediction. `has_truth`
    false: a server keeps the truth.
    """
    boxes = sequence.boxes_xyxy if sequence.annotated_xyxy is None else sequence.annotated_xyxy
    compared = iou(np.nan_to_num(run.boxes_xyxy), np.nan_to_num(sequence.boxes_xyxy))
    overlap = np.where(sequence.is_visible, compared, np.inf)
    index = int(overlap.argmin())
    frame = sequence.frame(index)
    row: dict[str, Any] = {
        "name": sequence.name,
        "has_truth": sequence.has_truth,
        "width": frame.width,
        "height": frame.height,
        "attributes": list(sequence.attributes),
        "absent": np.flatnonzero(~sequence.is_visible).tolist() if sequence.has_truth else [],
        "cover": None if sequence.cover is None else sequence.cover.tolist(),
        "predicted_ltwh": _json_boxes(run.boxes_xyxy),
        "scores": run.scores.round(DECIMALS).tolist(),
        "true_ltwh": _json_boxes(boxes),
        "worst": {
            "frame": index,
            "iou": round(float(overlap[index]), 6),
            "jpeg": _picture(frame.rgb, sequence.boxes_xyxy[index], run.boxes_xyxy[index]),
        },
    }
    return row, run.ms.round(3).tolist()


def _json_boxes(boxes_xyxy: Boxes) -> list[list[float] | None]:
    boxes_ltwh = ltwh_from_xyxy(boxes_xyxy).round(DECIMALS).tolist()
    return [box if np.isfinite(box).all() else None for box in boxes_ltwh]


def _picture(rgb: NDArray[np.uint8], true_xyxy: Boxes, predicted_xyxy: Boxes) -> str:
    scale = PICTURE_WIDTH / rgb.shape[1]
    small = cv2.resize(rgb, (PICTURE_WIDTH, max(1, round(rgb.shape[0] * scale))), interpolation=cv2.INTER_AREA)
    boxes = {"truth": true_xyxy, "prediction": predicted_xyxy}
    overlays = [
        Overlay(id=number, box_xyxy=box * scale, label=label, state="region", score=1.0)
        for number, (label, box) in enumerate(boxes.items())
        if np.isfinite(box).all()
    ]
    return base64.b64encode(encode_jpeg(draw_tracks(small, overlays), PICTURE_QUALITY)).decode()

"""The rows of single-object tracking: predicted and true boxes of every frame, and a picture of the worst one."""

from typing import Any

import numpy as np

from vitron_ros.boxes import iou, ltwh_from_xyxy
from vitron_ros.evaluation.box_rows import boxes_to_json
from vitron_ros.evaluation.case_pictures import case_picture
from vitron_ros.evaluation.datasets import Sequence
from vitron_ros.evaluation.one_pass import Run
from vitron_ros.evaluation.predictions import Result

DECIMALS = 4  # of predicted pixels


def tracking_row(sequence: Sequence, run: Run, *, is_drawn: bool = True) -> Result:
    """The row and the milliseconds of each frame of a tracker that was run.

    `predicted_ltwh` and `true_ltwh` are (T, 4) px, null where there is no box; `absent` are the frames without the
    target. The picture is of the frame with the lowest IoU. `has_truth` false: a server keeps the truth.
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
        "predicted_ltwh": boxes_to_json(ltwh_from_xyxy(run.boxes_xyxy), DECIMALS),
        "scores": run.scores.round(DECIMALS).tolist(),
        "true_ltwh": boxes_to_json(ltwh_from_xyxy(boxes), DECIMALS),
    }
    if is_drawn:
        shown = {"truth": sequence.boxes_xyxy[index], "prediction": run.boxes_xyxy[index]}
        row["picture"] = {
            "jpeg": case_picture(frame.rgb, shown),
            "text": f"{sequence.name}, frame {index}, IoU {overlap[index]:.3f}",
        }
    return row, run.ms.round(3).tolist()

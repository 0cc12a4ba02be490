"""Boxes in rows of predictions; null where there is none."""

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import PredictionError
from vitron_ros.evaluation.predictions import Row


def boxes_to_json(boxes: Boxes, decimals: int) -> list[list[float] | None]:
    """Boxes (T, 4), xyxy or ltwh, NaN where there is none, as values of a row."""
    return [box if np.isfinite(box).all() else None for box in boxes.round(decimals).tolist()]


def boxes_from_json(row: Row, key: str) -> Boxes:
    """Boxes (T, 4) of a row as they were written, NaN where there is none.

    Raises:
        PredictionError: there are none under that key.
    """
    try:
        boxes = [[np.nan] * 4 if box is None else box for box in row[key]]
        return np.array(boxes, np.float64).reshape(len(boxes), 4)
    except (KeyError, TypeError, ValueError) as error:
        raise PredictionError(f"{row['name']} has no boxes {key}: {error}; run it again") from error

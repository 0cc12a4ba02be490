"""Whether boxes are placed as a phrase says, by their centres and sizes. Boxes are (4,) px; x right, y down."""

import numpy as np

from vitron_ros.boxes import Boxes, iou
from vitron_ros.grounding.referring_expressions import Extreme, Ordinal, Side

SAME_IOU = 0.5  # of two boxes, to be of one thing
MARGIN = 0.02  # of the image's shorter side: nearer than that, neither of two lies farther to a side
RATIO = 1.15  # of areas: less than that, neither of two is larger
AXES: dict[Side, tuple[int, int]] = {"left": (0, -1), "right": (0, 1), "above": (1, -1), "below": (1, 1)}
"""Axis and sign of each direction."""


def is_on_side(box_xyxy: Boxes, landmark_xyxy: Boxes, side: Side) -> bool:
    """Whether a box lies on a side of another at all."""
    axis, sign = AXES[side]
    return float((_centre(box_xyxy) - _centre(landmark_xyxy))[axis]) * sign > 0


def is_same(box_xyxy: Boxes, other_xyxy: Boxes) -> bool:
    return bool(iou(box_xyxy, other_xyxy) >= SAME_IOU)


def is_more_extreme(other_xyxy: Boxes, box_xyxy: Boxes, extreme: Extreme, image_side: int) -> bool:
    """Whether another thing lies plainly farther to a side than a box, or is plainly larger or smaller."""
    if is_same(other_xyxy, box_xyxy):
        return False
    if extreme == "largest" or extreme == "smallest":
        larger, smaller = (other_xyxy, box_xyxy) if extreme == "largest" else (box_xyxy, other_xyxy)
        return _area(larger) > RATIO * _area(smaller)
    axis, sign = AXES[extreme]
    return float((_centre(other_xyxy) - _centre(box_xyxy))[axis]) * sign > MARGIN * image_side


def may_have_rank(box_xyxy: Boxes, first_xyxy: Boxes, order: Ordinal, image_side: int) -> bool:
    """Whether a box can be the one of that rank where `first` is known to come before it or to be it."""
    if order.rank == 1:
        return not is_more_extreme(first_xyxy, box_xyxy, order.extreme, image_side)
    return not is_same(box_xyxy, first_xyxy)


def _centre(box_xyxy: Boxes) -> Boxes:
    return (box_xyxy[:2] + box_xyxy[2:]) / 2


def _area(box_xyxy: Boxes) -> float:
    return float(np.prod(box_xyxy[2:] - box_xyxy[:2]))


def location_text(box_xyxy: Boxes, width: int, height: int) -> str:
    """Where in the image a box lies, for a person: "at the top right, x 379 to 446 and y 43 to 110"."""
    x, y = _centre(box_xyxy) / (width, height)
    column = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    row = "top" if y < 1 / 3 else "bottom" if y > 2 / 3 else ""
    where = f"at the {f'{row} {column}'.strip()}" if row or column else "in the middle"
    x1, y1, x2, y2 = (round(float(value)) for value in box_xyxy)
    return f"{where}, x {x1} to {x2} and y {y1} to {y2}"

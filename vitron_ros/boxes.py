"""Boxes. Inside the project a box is `boxes_xyxy`: pixels, x_max and y_max exclusive, float64, (..., 4).

Other forms exist at the edges only: `boxes_ltwh` in data sets, `boxes_norm` (0..1) in the text of a model.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitron_ros.errors import RegionError

Boxes = NDArray[np.float64]


def xyxy_from_ltwh(boxes_ltwh: ArrayLike) -> Boxes:
    """Corners of boxes given by left, top, width and height. (..., 4), px."""
    ltwh = np.asarray(boxes_ltwh, np.float64)
    return np.concatenate([ltwh[..., :2], ltwh[..., :2] + ltwh[..., 2:]], axis=-1)


def ltwh_from_xyxy(boxes_xyxy: ArrayLike) -> Boxes:
    """Left, top, width and height of boxes given by corners. (..., 4), px."""
    xyxy = np.asarray(boxes_xyxy, np.float64)
    return np.concatenate([xyxy[..., :2], xyxy[..., 2:] - xyxy[..., :2]], axis=-1)


def xyxy_from_norm(boxes_norm: ArrayLike, width: int, height: int) -> Boxes:
    """Pixels of boxes given in fractions of the image. (..., 4)."""
    return np.asarray(boxes_norm, np.float64) * [width, height, width, height]


def norm_from_xyxy(boxes_xyxy: ArrayLike, width: int, height: int) -> Boxes:
    """Fractions of the image of boxes given in pixels. (..., 4)."""
    return np.asarray(boxes_xyxy, np.float64) / [width, height, width, height]


def center(boxes_xyxy: ArrayLike) -> Boxes:
    """Centres, (..., 2), px."""
    xyxy = np.asarray(boxes_xyxy, np.float64)
    return (xyxy[..., :2] + xyxy[..., 2:]) / 2


def area(boxes_xyxy: ArrayLike) -> Boxes:
    """Areas, (...), px²; 0 for a box whose corners are swapped."""
    xyxy = np.asarray(boxes_xyxy, np.float64)
    size = np.maximum(xyxy[..., 2:] - xyxy[..., :2], 0)
    return np.asarray(size[..., 0] * size[..., 1])


def clip(boxes_xyxy: ArrayLike, width: int, height: int) -> Boxes:
    """The part of each box inside the image; a box outside becomes empty. (..., 4), px."""
    xyxy = np.asarray(boxes_xyxy, np.float64)
    return np.clip(xyxy, 0, [width, height, width, height])


def iou(boxes_a: ArrayLike, boxes_b: ArrayLike) -> Boxes:
    """Intersection over union, broadcast over (..., 4), in [0, 1]; 0 where both are empty."""
    a, b = np.asarray(boxes_a, np.float64), np.asarray(boxes_b, np.float64)
    corners = np.concatenate([np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])], axis=-1)
    intersection = area(corners)
    union = area(a) + area(b) - intersection
    return np.asarray(np.divide(intersection, union, out=np.zeros_like(union), where=union > 0))


def iou_matrix(boxes_a: ArrayLike, boxes_b: ArrayLike) -> Boxes:
    """IoU of every box of a (M, 4) with every box of b (N, 4): (M, N)."""
    a, b = np.asarray(boxes_a, np.float64), np.asarray(boxes_b, np.float64)
    return iou(a[:, None, :], b[None, :, :])


def check_box(box_xyxy: ArrayLike, width: int, height: int) -> Boxes:
    """The box clipped to an image of the given size, (4,), px.

    Raises:
        RegionError: it is not four finite numbers, its corners are swapped, or less than
            one pixel of it in either direction lies inside the image.
    """
    box = np.asarray(box_xyxy, np.float64)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise RegionError(f"a box is four finite numbers x_min, y_min, x_max, y_max, this is {box.tolist()}")
    if box[2] <= box[0] or box[3] <= box[1]:
        raise RegionError(f"box {box.tolist()} has no area; give x_min < x_max and y_min < y_max in pixels")
    clipped = clip(box, width, height)
    if clipped[2] - clipped[0] < 1 or clipped[3] - clipped[1] < 1:
        raise RegionError(f"box {box.tolist()} lies outside the image of {width}x{height} pixels")
    return clipped

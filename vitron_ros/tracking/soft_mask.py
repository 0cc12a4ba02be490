"""Masks of probabilities, (H, W) float32 in [0, 1]: what a box says of its pixels, and masks drawn to image edges."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, center

SoftMask = NDArray[np.float32]
Flags = NDArray[np.bool_]
"""(H, W): which pixels are meant."""


def logit(probability: SoftMask) -> SoftMask:
    """Log odds, in +-4.6: probabilities are taken as 0.01 to 0.99."""
    clipped = np.clip(probability, 0.01, 0.99)
    return np.asarray(np.log(clipped / (1 - clipped)))


def sigmoid(odds: NDArray[np.floating]) -> SoftMask:
    """The probability of log odds."""
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


def is_inside(box_xyxy: Boxes, width: int, height: int) -> Flags:
    """Which pixels of a mask have their centre in the box (4,) px of the mask, (H, W)."""
    column, row = (
        (axis >= box_xyxy[i]) & (axis <= box_xyxy[i + 2])
        for i, axis in enumerate((np.arange(width) + 0.5, np.arange(height) + 0.5))
    )
    return np.asarray(row[:, None] & column)


def elliptic_radius(box_xyxy: Boxes, width: int, height: int) -> NDArray[np.float64]:
    """Distance of each pixel from the middle of the box (4,) px, 1 on the ellipse inscribed in it, (H, W)."""
    half, middle = (box_xyxy[2:] - box_xyxy[:2]) / 2, center(box_xyxy)
    column, row = ((np.arange(side) + 0.5 - middle[i]) / half[i] for i, side in enumerate((width, height)))
    return np.asarray(np.hypot(column, row[:, None]))


def prior_of(radius: NDArray[np.floating], is_allowed: Flags) -> SoftMask:
    """How likely each pixel is the target's by its place alone; radius (H, W) is 0 in its middle, 1 at its edge."""
    return np.where(is_allowed, np.clip(1.1 - 0.6 * radius, 0.3, 0.9), 0.02).astype(np.float32)


def bounding_box(mask: Flags) -> Boxes:
    """The tight box of a mask (H, W) that is not empty, (4,) px."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)


def guided_filter(mask: SoftMask, guide: SoftMask, radius: int, epsilon: float) -> SoftMask:
    """The mask with its edges drawn to those of the guide (H, W), grey in [0, 1] (He et al., ECCV 2010)."""
    side = (2 * radius + 1, 2 * radius + 1)

    def blur(image: SoftMask) -> SoftMask:
        return np.asarray(cv2.blur(image, side))

    guide_mean, mask_mean = blur(guide), blur(mask)
    slope = (blur(guide * mask) - guide_mean * mask_mean) / (blur(guide * guide) - guide_mean**2 + epsilon)
    return np.asarray(np.clip(blur(slope) * guide + blur(mask_mean - slope * guide_mean), 0, 1))

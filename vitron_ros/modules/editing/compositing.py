"""Soft masks, and pictures laid over each other with them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.frame import Image

Alpha = NDArray[np.float32]
Pixels = NDArray[np.float32]
Mask = NDArray[np.uint8]

EDGE_FRACTION = 0.02  # of the square root of the mask's area: how far the soft edge reaches
MIN_EDGE, MAX_EDGE = 2, 8  # px
EPSILON = 1e-3  # of the guided filter, in squared intensity of 0..1


def edge_width(mask: Mask) -> int:
    """How far the soft edge of a mask reaches to either side, px."""
    return int(np.clip(round(EDGE_FRACTION * np.sqrt(np.count_nonzero(mask > 127))), MIN_EDGE, MAX_EDGE))


def soft_mask(rgb: Image, mask: Mask) -> Alpha:
    """The mask with an edge that follows the image, (H, W) float32 in [0, 1], exactly 0 away from the mask.

    Guided filter: He, Sun, Tang, ECCV 2010.

    Args:
        rgb: (H, W, 3) uint8.
        mask: (H, W) uint8, above 127 inside.
    """
    radius = edge_width(mask)
    inside = (mask > 127).astype(np.uint8)
    alpha = np.zeros(mask.shape, np.float32)
    x, y, width, height = cv2.boundingRect(inside)
    if not width:
        return alpha
    reach = 4 * radius
    rows, columns = slice(max(0, y - reach), y + height + reach), slice(max(0, x - reach), x + width + reach)
    near = inside[rows, columns]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    guide = np.ascontiguousarray(rgb[rows, columns], np.float32) / 255
    soft = cv2.ximgproc.guidedFilter(guide, near.astype(np.float32), radius, EPSILON)
    soft = np.clip((soft - 0.1) / 0.8, 0, 1)
    soft[cv2.erode(near, kernel) > 0] = 1
    soft[cv2.dilate(near, kernel) == 0] = 0
    alpha[rows, columns] = soft
    return alpha


def grown(mask: Mask, radius: int) -> NDArray[np.bool_]:
    """What lies in a mask (H, W) uint8, or at most so many px beside it."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate((mask > 127).astype(np.uint8), kernel) > 0)


def blend(rgb: Image, over: Pixels | Image, alpha: Alpha) -> Image:
    """The image with another laid over it, (H, W, 3) uint8; where alpha is 0 it is the image bit for bit."""
    share = alpha[..., None]
    mixed = np.clip(np.rint(rgb * (1 - share) + over * share), 0, 255).astype(np.uint8)
    return np.where(share > 0, mixed, rgb)


def as_mask(alpha: Alpha) -> Mask:
    """A soft mask as uint8: 0 only where alpha is 0."""
    return np.ceil(alpha * 255).astype(np.uint8)

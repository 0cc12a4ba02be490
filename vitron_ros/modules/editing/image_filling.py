"""Removal from one image: the hole is covered with texture from around it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.frame import Image
from vitron_ros.modules.editing.diffusion import spread

Mask = NDArray[np.bool_]

MARGIN = 1.0  # sides of the hole's box: how far around it texture is looked for
MAX_SIDE = 384  # px, of what is searched; a larger part is searched on a smaller scale
MIN_KNOWN = 0.25  # share of what is searched; with less there is no texture to take


def fill_image(rgb: Image, hole: Mask) -> Image:
    """The image with its hole covered, (H, W, 3) uint8; outside the hole it is the image bit for bit.

    Shift maps (Pritch, Kav-Venaki, Peleg, ICCV 2009), which look right where a smooth fill has the lower error. A hole
    with too little around it is filled smoothly.
    """
    if not hole.any():
        return rgb
    x, y, w, h = cv2.boundingRect(hole.astype(np.uint8))
    reach = round(MARGIN * max(w, h)) + 8
    rows, columns = slice(max(0, y - reach), y + h + reach), slice(max(0, x - reach), x + w + reach)
    part, part_hole = np.ascontiguousarray(rgb[rows, columns]), np.ascontiguousarray(hole[rows, columns])
    result = rgb.copy()
    fill = _smooth(part, part_hole) if (~part_hole).mean() < MIN_KNOWN else _shift_map(part, part_hole)
    result[rows, columns][part_hole] = fill[part_hole]
    return result


def fill_smoothly(rgb: Image, hole: Mask) -> Image:
    """The image with its hole filled from its rim, without texture; (H, W, 3) uint8. It varies little in a clip."""
    result = rgb.copy()
    result[hole] = _smooth(rgb, hole)[hole]
    return result


def _smooth(rgb: Image, hole: Mask) -> Image:
    return np.clip(np.rint(spread(rgb.astype(np.float32), ~hole)), 0, 255).astype(np.uint8)


def _shift_map(rgb: Image, hole: Mask) -> Image:
    height, width = hole.shape
    scale = min(1.0, MAX_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB)
    small_hole = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    filled = small.copy()
    cv2.setRNGSeed(1)  # the search starts at random shifts
    cv2.xphoto.inpaint(small, np.where(small_hole, 0, 255).astype(np.uint8), filled, cv2.xphoto.INPAINT_SHIFTMAP)
    filled = cv2.cvtColor(filled, cv2.COLOR_LAB2RGB)
    return np.asarray(cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC))

"""From one click to a box: the patch of like colour around the point."""

import cv2
import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import RegionError
from vitron_ros.frame import Image

COLOUR_TOLERANCE = 10.0  # in Lab units of OpenCV's 8-bit form, between neighbouring pixels and the clicked one
MIN_PIXELS = 32
MAX_FRACTION = 0.5  # of the image: a patch larger than that is the background


def box_around_point(rgb: Image, x: float, y: float) -> Boxes:
    """The tight box of the patch of like colour that the point lies in, (4,) px.

    Raises:
        RegionError: the point lies outside the image, or nothing there stands out from its surroundings.
    """
    height, width = rgb.shape[:2]
    column, row = int(np.floor(x)), int(np.floor(y))
    if not (0 <= column < width and 0 <= row < height):
        raise RegionError(f"the point ({x:g}, {y:g}) lies outside the image of {width}x{height} pixels")
    lab = cv2.cvtColor(cv2.medianBlur(np.ascontiguousarray(rgb), 5), cv2.COLOR_RGB2LAB)
    filled = np.zeros((height + 2, width + 2), np.uint8)
    tolerance = (2 * COLOUR_TOLERANCE, COLOUR_TOLERANCE, COLOUR_TOLERANCE)  # shading changes L more than a and b
    flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | (1 << 8)
    pixels, _, _, (left, top, w, h) = cv2.floodFill(lab, filled, (column, row), 0, tolerance, tolerance, flags)
    if pixels < MIN_PIXELS or pixels > MAX_FRACTION * height * width:
        raise RegionError(
            f"nothing at the point ({x:g}, {y:g}) stands out from its surroundings; draw a box around the target"
        )
    return np.array([left, top, left + w, top + h], np.float64)

"""The path of a target, drawn as a line that fades towards the past."""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.frame import Image

_FAR = 1 << 14  # px; OpenCV draws with 32-bit fixed-point numbers


def draw_trajectory(canvas: Image, points: NDArray[np.float64], colour: tuple[int, int, int], thickness: int) -> None:
    """Draw onto the canvas (H, W, 3) the line through points (N, 2), px, oldest first: the newest part is opaque."""
    corners = np.clip(np.round(points), -_FAR, _FAR).astype(int).tolist()
    opacity = np.zeros(canvas.shape[:2], np.uint8)
    for number, (start, end) in enumerate(pairwise(corners), 1):
        cv2.line(opacity, start, end, (255 * number // (len(corners) - 1),), thickness, cv2.LINE_AA)
    x, y, width, height = cv2.boundingRect(opacity)
    part = canvas[y : y + height, x : x + width]
    share = opacity[y : y + height, x : x + width, None] / 255
    part[:] = np.round(part * (1 - share) + np.array(colour) * share)

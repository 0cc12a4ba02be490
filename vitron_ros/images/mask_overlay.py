"""The mask of a target, drawn over an image."""

import cv2
import numpy as np

from vitron_ros.frame import Image
from vitron_ros.masks import CroppedMask

_OPACITY = 0.4


def draw_mask(canvas: Image, mask: CroppedMask, colour: tuple[int, int, int], thickness: int) -> None:
    """Tint the pixels of the mask and draw its outline, px thick, into the canvas (H, W, 3) uint8."""
    rows, columns = mask.pixels.shape
    under = canvas[mask.y : mask.y + rows, mask.x : mask.x + columns]
    tinted = cv2.addWeighted(np.full_like(under, colour), _OPACITY, under, 1 - _OPACITY, 0)
    np.copyto(under, tinted, where=mask.pixels[..., None] > 0)
    outlines, _ = cv2.findContours(mask.pixels, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outlines, -1, colour, thickness, offset=(mask.x, mask.y))

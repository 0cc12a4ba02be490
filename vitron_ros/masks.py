"""Which pixels of an image are a target's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, clip


@dataclass(frozen=True, slots=True, eq=False)
class CroppedMask:
    """A mask cut to its target's box.

    Attributes:
        pixels: (h, w) uint8, 255 on the target and 0 beside it.
        x, y: px, its top-left pixel in the image.
    """

    pixels: NDArray[np.uint8]
    x: int
    y: int

    def in_image(self, width: int, height: int) -> NDArray[np.uint8]:
        """The mask of the whole image, (height, width) uint8. The crop lies inside it."""
        canvas = np.zeros((height, width), np.uint8)
        rows, columns = self.pixels.shape
        canvas[self.y : self.y + rows, self.x : self.x + columns] = self.pixels
        return canvas


def covered_pixels(box_xyxy: Boxes, width: int, height: int) -> tuple[int, int, int, int]:
    """x_min, y_min, x_max, y_max of the pixels of an image that a box (4,) px touches; the last two are exclusive."""
    x_min, y_min, x_max, y_max = clip(box_xyxy, width, height)
    return int(np.floor(x_min)), int(np.floor(y_min)), int(np.ceil(x_max)), int(np.ceil(y_max))

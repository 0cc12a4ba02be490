"""The square cut-out of fixed size in which a target's colours and outline are looked at, whatever its size."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Image
from vitron_ros.tracking.appearance import colour_bins
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.window import cut_square

CROP_PX = 64

Mask = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Crop:
    """What a crop shows, and where it lies.

    Attributes:
        rgb: (CROP_PX, CROP_PX, 3) uint8; beyond the image its border pixels are repeated.
        center: (2,) image px in the middle of the crop.
        scale: crop px per image px.
        image_size: (2,) width and height of the image, px.
    """

    rgb: Image
    center: Boxes
    scale: float
    image_size: Boxes

    @cached_property
    def bins(self) -> NDArray[np.int32]:
        """The colour bin of each pixel, (CROP_PX, CROP_PX)."""
        return colour_bins(self.rgb)

    @property
    def image_box(self) -> Boxes:
        """The image, (4,) crop px."""
        return self.from_image(np.array([0.0, 0.0, *self.image_size]))

    def from_image(self, points: Boxes) -> Boxes:
        """Crop pixels of image points (or of the corners of boxes), (..., 2) or (4,)."""
        middle = self.center if points.shape[-1] == 2 else np.tile(self.center, 2)
        return (points - middle) * self.scale + CROP_PX / 2


def take_crop(view: View, center: Boxes, size: Boxes) -> Crop:
    """Around a target of a width and height, (2,) px, with half its mean size of context on each side.

    The crop's side is sqrt((w + p) (h + p)) with p = (w + h) / 2, as in SiamFC (Bertinetto et al., 2016).
    """
    scale = float(CROP_PX / np.sqrt((size + size.sum() / 2).prod()))
    image_size = np.array([view.frame.width, view.frame.height], np.float64)
    return Crop(cut_square(view, center, scale, CROP_PX), center, scale, image_size)

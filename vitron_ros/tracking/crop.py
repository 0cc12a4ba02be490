"""The square cut-out of fixed size in which a target is looked at, whatever its size in the image."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Image
from vitron_ros.tracking.box_tracker import View

CROP_PX = 128
MASK_PX = CROP_PX // 2

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
    def grey(self) -> Image:
        """(CROP_PX, CROP_PX) uint8."""
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY), np.uint8)

    @cached_property
    def is_inside(self) -> NDArray[np.bool_]:
        """Which pixels of the mask grid lie inside the image, (MASK_PX, MASK_PX)."""
        offsets = (np.arange(MASK_PX) + 0.5 - MASK_PX / 2) * (CROP_PX / MASK_PX) / self.scale
        column, row = (
            (axis + offsets > 0) & (axis + offsets < size)
            for axis, size in zip(self.center, self.image_size, strict=True)
        )
        return np.asarray(row[:, None] & column)

    def from_image(self, points: Boxes) -> Boxes:
        """Crop pixels of image points (or of the corners of boxes), (..., 2) or (4,)."""
        return (points - self._tiled(self.center, points)) * self.scale + CROP_PX / 2

    def to_image(self, points: Boxes) -> Boxes:
        """Image pixels of crop points (or of the corners of boxes), (..., 2) or (4,)."""
        return (points - CROP_PX / 2) / self.scale + self._tiled(self.center, points)

    @staticmethod
    def _tiled(center: Boxes, points: Boxes) -> Boxes:
        return center if points.shape[-1] == 2 else np.concatenate([center, center])


def crop_scale(size: Boxes) -> float:
    """Scale at which a target of that width and height, (2,) px, has half its mean size of context on each side.

    The crop's side is sqrt((w + p) (h + p)) with p = (w + h) / 2, as in SiamFC (Bertinetto et al., 2016).
    """
    context = size.sum() / 2
    return float(CROP_PX / np.sqrt((size + context).prod()))


def take_crop(view: View, center: Boxes, scale: float) -> Crop:
    """Cut from the level of the view's pyramid that is nearest above the wanted scale."""
    rgb, factor = view.level(max(0, int(np.floor(np.log2(1 / scale) + 0.3))))
    step = 1 / (scale * factor)
    offset = (0.5 - CROP_PX / 2) * step - 0.5
    to_level = np.array([[step, 0, offset + center[0] / factor], [0, step, offset + center[1] / factor]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(rgb, to_level, (CROP_PX, CROP_PX), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return Crop(np.asarray(cut, np.uint8), center, scale, np.array([view.frame.width, view.frame.height], np.float64))

"""The part of an image around a target, made small: all that segmentation of one image looks at."""

from dataclasses import dataclass

import cv2
import numpy as np

from vitron_ros.boxes import Boxes, clip
from vitron_ros.frame import Image
from vitron_ros.tracking.soft_mask import Flags, SoftMask

MARGIN = 0.35  # of the mean side of the box
MAX_SIDE_PX = 192


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A rectangle of an image, in its own, smaller pixels.

    Attributes:
        rgb: (h, w, 3) uint8.
        left, top, right, bottom: what it shows, px of the image.
        image_size: width and height of the image, px.
    """

    rgb: Image
    left: int
    top: int
    right: int
    bottom: int
    image_size: tuple[int, int]

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])

    @property
    def scale(self) -> Boxes:
        """(2,): px of the patch per px of the image, across and down."""
        return np.array([self.width / (self.right - self.left), self.height / (self.bottom - self.top)])

    def from_image(self, points: Boxes) -> Boxes:
        """Patch pixels of image points (..., 2) or of the corners of a box (4,)."""
        repeats = points.shape[-1] // 2
        return np.asarray((points - np.tile([self.left, self.top], repeats)) * np.tile(self.scale, repeats))

    def shrink(self, mask: Flags | SoftMask) -> SoftMask:
        """A mask of the image, (H, W), in the patch: its mean in each pixel, (h, w)."""
        part = mask[self.top : self.bottom, self.left : self.right].astype(np.float32)
        return np.asarray(cv2.resize(part, (self.width, self.height), interpolation=cv2.INTER_AREA))

    def enlarge(self, mask: SoftMask) -> Flags:
        """A mask of the patch (h, w) in the image, (H, W), from 0.5 on; nothing outside the patch."""
        width, height = self.image_size
        whole = np.zeros((height, width), bool)
        size = (self.right - self.left, self.bottom - self.top)
        whole[self.top : self.bottom, self.left : self.right] = cv2.resize(mask, size) >= 0.5
        return whole


def take_patch(rgb: Image, box_xyxy: Boxes) -> Patch:
    """The box (4,) px, inside the image, with its surroundings."""
    height, width = rgb.shape[:2]
    grown = box_xyxy + MARGIN * np.sqrt((box_xyxy[2:] - box_xyxy[:2]).prod()) * np.array([-1, -1, 1, 1])
    edges = clip([*np.floor(grown[:2]), *np.ceil(grown[2:])], width, height)
    left, top, right, bottom = (int(edge) for edge in edges)
    part = rgb[top:bottom, left:right]
    scale = min(1.0, MAX_SIDE_PX / max(part.shape[:2]))
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Patch(small, left, top, right, bottom, (width, height))

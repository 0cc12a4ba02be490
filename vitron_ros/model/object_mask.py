"""What a segmentation network says of one object in one image."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes

LEAST_PART = 0.1  # of the largest part of a mask; smaller ones are specks


@dataclass(frozen=True, eq=False)
class ObjectMask:
    """Where an object is in one image.

    Attributes:
        logits: (h, w) float32, of the whole image, above 0 on the object.
        width, height: px of the image.
        score: the network's probability that the object is in the image at all. Below 0.5 no pixel is its.
    """

    logits: NDArray[np.float32]
    width: int
    height: int
    score: float

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """(H, W) uint8, 255 on the object. Specks are left out."""
        logits = cv2.resize(_without_specks(self.logits), (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.compare(logits, 0, cv2.CMP_GT), np.uint8)

    @cached_property
    def box_xyxy(self) -> Boxes | None:
        """The tight box of the mask, (4,) px; None: the object is not in the image."""
        x, y, width, height = cv2.boundingRect(self.pixels)
        return np.array([x, y, x + width, y + height], np.float64) if width else None


def _without_specks(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    is_object = (logits > 0).astype(np.uint8)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(is_object, connectivity=8)
    if count <= 2:
        return logits
    areas = statistics[:, cv2.CC_STAT_AREA]
    is_speck = areas < LEAST_PART * areas[1:].max()
    is_speck[0] = False  # the background
    return np.where(is_speck[labels], np.float32(-1), logits)

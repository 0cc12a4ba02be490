"""An image set in motion: its object is cut out and goes along a path, over what was behind it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.frame import Image
from vitron_ros.modules.editing.compositing import Alpha, blend, edge_width, grown, soft_mask
from vitron_ros.modules.editing.image_filling import fill_image
from vitron_ros.modules.generation.scene_plan import Motion
from vitron_ros.modules.module import Mask

REACH = 0.4  # of the image's side: how far a thing goes, where there is room


class Animation:
    """The object of one image, moving. `frame` gives any moment of it."""

    def __init__(self, rgb: Image, mask: Mask, motion: Motion) -> None:
        """rgb (H, W, 3) uint8; mask (H, W) uint8, not empty."""
        self._rgb, self._alpha = rgb, soft_mask(rgb, mask)
        self._background = fill_image(rgb, grown(mask, 2 * edge_width(mask)))
        self._turns = motion.turns
        x, y, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
        self._centre = np.array([x + (width - 1) / 2, y + (height - 1) / 2])
        shape = np.array(mask.shape[::-1])
        room = np.where(np.array(motion.direction) > 0, shape - (x + width, y + height), (x, y))
        self.travel: NDArray[np.float64] = np.array(motion.direction) * np.minimum(REACH * shape, room)

    def frame(self, share: float) -> tuple[Image, Alpha]:
        """The image and the object's soft mask at 0 (the given image, bit for bit) to 1, the end of the path."""
        if share <= 0:
            return self._rgb, self._alpha
        eased = share * share * (3 - 2 * share)
        angle = 2 * np.pi * self._turns * share
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shift = self._centre + self.travel * eased - turn @ self._centre
        matrix = np.column_stack([turn, shift])
        size = self._rgb.shape[1], self._rgb.shape[0]
        # Premultiplied, so that the background behind the cut-out does not bleed into its edge.
        layer = np.dstack([self._rgb * self._alpha[..., None], self._alpha]).astype(np.float32)
        moved = cv2.warpAffine(layer, matrix, size, flags=cv2.INTER_LINEAR)
        alpha = np.clip(moved[..., 3], 0, 1)
        return blend(self._background, moved[..., :3] / np.maximum(alpha[..., None], 1e-3), alpha), alpha

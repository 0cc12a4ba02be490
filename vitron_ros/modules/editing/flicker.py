"""How much a clip flickers where it should not."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.frame import Image

Mask = NDArray[np.bool_]


def flicker(frames: Sequence[Image], guide: Sequence[Image], areas: Sequence[Mask]) -> float:
    """Mean absolute difference of each frame to the next one, motion taken out, in grey levels.

    Args:
        frames: T images (H, W, 3) uint8.
        guide: T images whose flow is the motion: the source of an edit, so that both are measured along one motion.
        areas: T masks (H, W) of where to measure.

    Returns:
        nan where no area holds a pixel.
    """
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in guide]
    height, width = greys[0].shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    total, count = 0.0, 0
    for index in range(len(frames) - 1):
        if not areas[index].any():
            continue
        to_next = grid + method.calc(greys[index], greys[index + 1], None)
        warped = cv2.remap(frames[index + 1], to_next, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        difference = np.abs(warped.astype(np.float32) - frames[index]).mean(axis=-1)[areas[index]]
        total, count = total + float(difference.sum()), count + len(difference)
    return total / count if count else float("nan")

"""The connected parts of a mask."""

import cv2
import numpy as np

from vitron_ros.tracking.soft_mask import Flags, SoftMask

MIN_PART = 0.1  # of the largest part of a mask


def joined(mask: Flags, to: Flags) -> Flags:
    """The parts of a mask (H, W) that another has pixels in."""
    parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]
    return np.asarray(mask & np.isin(parts, np.unique(parts[to & mask])))


def without_specks(likely: SoftMask) -> SoftMask:
    """A mask (H, W) in which parts much smaller than the largest become unlikely."""
    _, parts, figures, _ = cv2.connectedComponentsWithStats((likely > 0.5).astype(np.uint8), connectivity=8)
    areas = figures[:, cv2.CC_STAT_AREA]
    is_speck = areas < MIN_PART * areas[1:].max(initial=0)
    is_speck[0] = False
    return np.where(is_speck[parts], np.minimum(likely, 0.2), likely).astype(np.float32)

"""How likely each pixel is an object's by its colour: colours from the mask, and the mask from the colours, in turn."""

import cv2
import numpy as np

from vitron_ros.frame import Image
from vitron_ros.tracking.appearance import ColourModel, colour_bins, histogram
from vitron_ros.tracking.soft_mask import Flags, SoftMask, guided_filter, logit, sigmoid

ROUNDS = 4
GUIDE_RADIUS_PX = 6
GUIDE_EPSILON = 1e-3
INNER_SURROUNDINGS = 0.5  # weight, as surroundings, of allowed pixels that are not the object's


def colour_mask(rgb: Image, prior: SoftMask, is_allowed: Flags, motion: SoftMask | None = None) -> SoftMask:
    """The object's mask (H, W), 0 where nothing of it is allowed.

    Args:
        rgb: (H, W, 3).
        prior: (H, W) how likely each pixel is the object's, whatever its colour.
        is_allowed: (H, W) where the object may be.
        motion: (H, W) log odds by motion; None: not known.
    """
    bins = colour_bins(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), np.uint8))
    guide = grey(rgb)
    known = logit(prior) if motion is None else logit(prior) + motion
    mask = prior
    for _ in range(ROUNDS):
        surroundings = np.where(is_allowed, INNER_SURROUNDINGS * (1 - mask), 1)
        colours = ColourModel(histogram(bins, mask), histogram(bins, surroundings))
        refined = guided_filter(sigmoid(colours.evidence(bins) + known), guide, GUIDE_RADIUS_PX, GUIDE_EPSILON)
        mask = np.where(is_allowed, refined, 0).astype(np.float32)
    return mask


def grey(rgb: Image) -> SoftMask:
    """An image (H, W, 3) as the guide of a filter, (H, W) in [0, 1]."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255)

"""GrabCut (Rother et al., SIGGRAPH 2004) that gives the same mask each time."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.frame import Image
from vitron_ros.tracking.soft_mask import Flags, SoftMask

RNG_SEED = 7

Labels = NDArray[np.uint8]
"""(H, W) of OpenCV's four kinds, cv2.GC_*."""


def grab_cut(image: Image, labels: Labels, rounds: int) -> Flags:
    """The object in an image (H, W, 3). Where the labels leave only one side to learn from, they are the result."""
    cut = labels.copy()
    if 0 < np.count_nonzero(_is_object(cut)) < cut.size:
        # GrabCut draws its starting clusters from OpenCV's global generator.
        cv2.setRNGSeed(RNG_SEED)
        models = np.zeros((2, 1, 65))
        cv2.grabCut(np.ascontiguousarray(image), cut, None, models[0], models[1], rounds, cv2.GC_INIT_WITH_MASK)
    return _is_object(cut)


def cut_labels(likely: SoftMask, is_background: Flags, is_object: Flags) -> Labels:
    """What GrabCut starts from: likely and unlikely pixels of a mask (H, W), and those that are certain."""
    labels = np.where(likely > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[is_background] = cv2.GC_BGD
    labels[is_object] = cv2.GC_FGD
    return labels


def chroma(rgb: Image) -> Image:
    """Lab with its lightness halved and its two colours tripled, about 128: edges of colour before those of shading."""
    lab = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2LAB).astype(np.float32)
    return np.asarray(np.clip((lab - 128) * [0.5, 3, 3] + 128, 0, 255), np.uint8)


def _is_object(labels: Labels) -> Flags:
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))

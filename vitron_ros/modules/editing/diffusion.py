"""Values known at some pixels, spread over the others."""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

SIGMAS = (3.0, 6.0, 12.0, 25.0, 50.0)  # px


def spread(values: Pixels, is_known: NDArray[np.bool_]) -> Pixels:
    """Known pixels as they are, the others from those around: normalised Gaussian blurs, the nearer ones first.

    Args:
        values: (H, W, C) float32.
        is_known: (H, W).

    Returns:
        (H, W, C); 0 where nothing known is near.
    """
    if is_known.all() or not is_known.any():
        return values if is_known.all() else np.zeros_like(values)
    known = is_known.astype(np.float32)
    stacked = np.dstack([values * known[..., None], known])
    total = np.zeros_like(stacked)
    for sigma in SIGMAS:
        total += _blurred(stacked, sigma) * np.exp(-sigma / 4)
    weight = total[..., -1:]
    result = np.where(weight > 1e-12, total[..., :-1] / np.maximum(weight, 1e-12), 0)
    return np.where(is_known[..., None], values, result).astype(np.float32)


def _blurred(image: Pixels, sigma: float) -> Pixels:
    """A Gaussian blur; a wide one on a smaller image, which looks the same and costs a fraction."""
    height, width = image.shape[:2]
    factor = max(1, int(sigma // 3))
    if factor == 1:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma))
    size = max(1, width // factor), max(1, height // factor)
    small = cv2.GaussianBlur(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (0, 0), sigma / factor)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))

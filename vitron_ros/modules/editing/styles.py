"""Styles that a whole image, or a part of it, can be drawn in."""

from collections.abc import Callable

import cv2
import numpy as np

from vitron_ros.frame import Image

SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]], np.float32)


def _grey(rgb: Image) -> Image:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def _sepia(rgb: Image) -> Image:
    return np.asarray(np.clip(np.rint(rgb.astype(np.float32) @ SEPIA.T), 0, 255), np.uint8)


def _sketch(rgb: Image) -> Image:
    """Dark strokes on white paper: the grey image divided by its blur."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    blurred = cv2.GaussianBlur(grey, (0, 0), max(2.0, min(grey.shape) / 100))
    return np.asarray(cv2.cvtColor(cv2.divide(grey, blurred, scale=250), cv2.COLOR_GRAY2RGB))


def _cartoon(rgb: Image) -> Image:
    """Flat colours with dark outlines."""
    flat = cv2.edgePreservingFilter(rgb, flags=cv2.RECURS_FILTER, sigma_s=40, sigma_r=0.35)
    flat = np.asarray(np.rint(flat / 24.0) * 24).clip(0, 255).astype(np.uint8)
    grey = cv2.medianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), 5)
    outlines = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9, 5)
    return np.where(outlines[..., None] > 0, flat, flat // 4).astype(np.uint8)


STYLES: dict[str, Callable[[Image], Image]] = {
    "grey": _grey,
    "sepia": _sepia,
    "sketch": _sketch,
    "cartoon": _cartoon,
}
"""By name; each maps (H, W, 3) uint8 to the same."""

STYLE_WORDS = {
    **{name: name for name in STYLES},
    "gray": "grey",
    "greyscale": "grey",
    "grayscale": "grey",
    "monochrome": "grey",
    "black-and-white": "grey",
    "pencil": "sketch",
    "drawing": "sketch",
    "comic": "cartoon",
}

"""Colour words, and the colours they mean."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.worlds.sprites import COLOUR_RANGES

Lab = NDArray[np.float32]


def _middle(ranges: tuple[tuple[float, float], ...]) -> tuple[int, int, int]:
    hue, saturation, value = (sum(limits) / 2 for limits in ranges)
    rgb = cv2.cvtColor(np.array([[[hue % 360, saturation, value]]], np.float32), cv2.COLOR_HSV2RGB)[0, 0]
    red, green, blue = (round(float(channel) * 255) for channel in rgb)
    return red, green, blue


COLOURS: dict[str, tuple[int, int, int]] = {
    **{name: _middle(ranges) for name, ranges in COLOUR_RANGES.items()},
    "grey": (128, 128, 128),
    "gray": (128, 128, 128),
    "cyan": (0, 190, 210),
    "turquoise": (48, 200, 185),
    "magenta": (215, 20, 190),
    "gold": (212, 165, 35),
    "silver": (192, 192, 196),
    "beige": (222, 205, 165),
    "violet": (140, 70, 215),
}
"""RGB, 0..255; those that the worlds have are the middles of their ranges."""


def lab_of(rgb: NDArray[np.generic]) -> Lab:
    """CIE Lab of RGB (H, W, 3) in 0..255: L in 0..100, a and b about 0. float32."""
    return np.asarray(cv2.cvtColor(np.asarray(rgb, np.float32) / 255, cv2.COLOR_RGB2LAB))


def rgb_of(lab: Lab) -> Lab:
    """RGB in 0..255 of CIE Lab, cut to what a screen shows. (H, W, 3) float32."""
    return np.asarray(cv2.cvtColor(np.asarray(lab, np.float32), cv2.COLOR_LAB2RGB) * 255)


def colour_lab(name: str) -> tuple[float, float, float]:
    """CIE Lab of a colour of `COLOURS`."""
    lightness, a, b = (float(value) for value in lab_of(np.array([[COLOURS[name]]]))[0, 0])
    return lightness, a, b

"""The square window about a target that its filter sees: four target sides wide, and of fixed size in cells.

Each cell holds how strongly the grey changes in which direction (a histogram of gradient directions, as HOG has it, by
its first Fourier coefficients), soft colour names (van de Weijer et al., TIP 2009, by prototypes), and grey.
"""

from functools import cache

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Image
from vitron_ros.tracking.box_tracker import View

CELLS = 40
CELL_PX = 4
SIDES = 4.0  # of the target, in the window's
GRADIENT_FLOOR = 2.0  # grey levels: smaller gradients count less
GRADIENT_WEIGHT = 0.5
# Black, blue, brown, grey, green, orange, pink, purple, red, white, yellow.
COLOURS = np.array(
    [
        *([0, 0, 0], [0, 0, 255], [139, 69, 19], [128, 128, 128], [0, 160, 0], [255, 140, 0]),
        *([255, 150, 190], [128, 0, 128], [230, 0, 0], [255, 255, 255], [250, 240, 0]),
    ],
    np.float32,
)
COLOUR_SPREAD = 25.0  # CIELAB
CHANNELS = 5 + len(COLOURS) + 1

Features = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

_HANNING = np.hanning(CELLS + 2)[1:-1]
_TAPER = np.outer(_HANNING, _HANNING).astype(np.float32)
# sin 2a, cos 4a + 1 and sin 4a from cos 2a and half of sin 2a.
_DOUBLED = np.array([2, 2, 4], np.float32).reshape(3, 1, 1)


def cells_per_px(size: Boxes) -> float:
    """Cells of the window per image px, for a target of that width and height, (2,) px."""
    return float(CELLS / (SIDES * np.sqrt(size.prod())))


def window_spectrum(view: View, center: Boxes, size: Boxes) -> Spectrum:
    """The Fourier transform of the window about a centre (2,) image px for a target of size (2,) px.

    (CHANNELS, CELLS, CELLS / 2 + 1), of features with a root mean square of 1.
    """
    scale = cells_per_px(size)
    features = np.empty((CHANNELS, CELLS, CELLS), np.float32)
    small = cut_square(view, center, scale, CELLS)
    _gradients(cut_square(view, center, scale * CELL_PX, CELLS * CELL_PX, is_grey=True), features[:5])
    level = (small >> 3).astype(np.int32)
    colour = (level[..., 0] << 10) | (level[..., 1] << 5) | level[..., 2]
    np.take(_colour_names(), colour, axis=1, out=features[5:-1], mode="clip")  # the other modes would copy first
    features[-1] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) * np.float32(1 / 255) - np.float32(0.5)
    features *= _TAPER
    flat = features.ravel()
    features *= np.sqrt(flat.size / (flat @ flat + np.float32(1e-6)))
    return np.asarray(scipy.fft.rfft2(features, overwrite_x=True), np.complex64)


def cut_square(view: View, center: Boxes, scale: float, side_px: int, *, is_grey: bool = False) -> Image:
    """(side_px, side_px, 3), or without the last if grey: about a centre (2,) image px, `scale` px per image px.

    Cut from the level of the view's pyramid that is nearest above the wanted scale; border pixels are repeated.
    """
    image, factor = view.level(max(0, int(np.floor(np.log2(1 / scale) + 0.3))), is_grey=is_grey)
    step = 1 / (scale * factor)
    offset = (0.5 - side_px / 2) * step - 0.5
    to_level = np.array([[step, 0, offset + center[0] / factor], [0, step, offset + center[1] / factor]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(image, to_level, (side_px, side_px), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)


def _gradients(grey: Image, into: Features) -> None:
    """Per cell, the mean size of the gradients and its cosines and sines of two and four times their angle, (5, ...).

    Divided by the mean size about the cell, so that light and contrast count less.
    """
    x, y = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=1)
    xx, yy, xy = x * x, y * y, x * y
    squared = xx + yy
    size = np.sqrt(squared)
    squared += 1
    xx -= yy
    cos = np.divide(xx, squared, out=xx)
    half_sin = np.divide(xy, squared, out=xy)
    size_cos = size * cos
    for channel, wave in zip(into, (size, size_cos, size * half_sin, size_cos * cos, size_cos * half_sin), strict=True):
        cv2.resize(wave, (CELLS, CELLS), dst=channel, interpolation=cv2.INTER_AREA)
    into[2:5] *= _DOUBLED
    into[3] -= into[0]
    into *= GRADIENT_WEIGHT / (cv2.blur(into[0], (3, 3)) + GRADIENT_FLOOR)


@cache
def _colour_names() -> Features:
    """Share of each of COLOURS in every colour of 5 bits a channel, (11, 32³)."""
    axis = np.arange(32, dtype=np.float32) * 8 + 4
    colours = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    lab, prototypes = (cv2.cvtColor(rgb[None] / np.float32(255), cv2.COLOR_RGB2LAB)[0] for rgb in (colours, COLOURS))
    squared = ((lab[:, None] - prototypes) ** 2).sum(axis=-1)
    share = np.exp(-squared / (2 * COLOUR_SPREAD**2))
    return np.ascontiguousarray((share / (share.sum(axis=1, keepdims=True) + 1e-6)).T, np.float32)

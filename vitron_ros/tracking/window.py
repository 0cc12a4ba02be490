"""The square window about a target that its filter sees: four target sides wide, and of fixed size in cells.

Each cell holds how strongly the grey changes in which direction (a histogram of gradient directions, as HOG has it, by
its first Fourier coefficients), soft colour names (van de Weijer et al., TIP 2009, by prototypes), and grey.
"""

import math
from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Image
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.compiled import compiled, compiled_unlocked

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
Places = NDArray[np.uintp]
Spectrum = NDArray[np.complex64]

_HANNING = np.hanning(CELLS + 2)[1:-1]
_TAPER = np.outer(_HANNING, _HANNING).astype(np.float32)


def cells_per_px(size: Boxes) -> float:
    """Cells of the window per image px, for a target of that width and height, (2,) px."""
    return CELLS / (SIDES * math.sqrt(size[0] * size[1]))


def window_spectra(view: View, center: Boxes, sizes: Sequence[Boxes]) -> Spectrum:
    """The Fourier transforms of the windows about a centre (2,) image px for targets of some sizes (2,) px.

    (len(sizes), CHANNELS, CELLS, CELLS / 2 + 1), of features with a root mean square of 1.
    """
    features = np.empty((len(sizes), CHANNELS, CELLS, CELLS), np.float32)
    for size, into in zip(sizes, features, strict=True):
        scale = cells_per_px(size)
        grey = _place(view, center, scale * CELL_PX, CELLS * CELL_PX, is_grey=True)
        _fill(*grey, *_place(view, center, scale, CELLS), _colour_names(), _TAPER, into)
    return np.asarray(scipy.fft.rfft2(features, overwrite_x=True), np.complex64)


def cut_square(view: View, center: Boxes, scale: float, side_px: int, *, is_grey: bool = False) -> Image:
    """(side_px, side_px, 3), or (..., 1) if grey: about a centre (2,) image px, `scale` px per image px.

    Cut from the level of the view's pyramid that is nearest above the wanted scale; border pixels are repeated.
    """
    return _cut(*_place(view, center, scale, side_px, is_grey=is_grey), side_px).reshape(side_px, side_px, -1)


def _place(
    view: View, center: Boxes, scale: float, side_px: int, *, is_grey: bool = False
) -> tuple[Image, int, float, float, float]:
    """What `_cut` needs to cut a square from the view: a level of its pyramid, and where in it the pixels lie."""
    image, factor = view.level(max(0, math.floor(math.log2(1 / scale) + 0.3)), is_grey=is_grey)
    step = 1 / (scale * factor)
    x, y = ((0.5 - side_px / 2) * step - 0.5 + center / factor).tolist()
    height, width = image.shape[:2]
    return image.reshape(height, -1), width, x, y, step


@compiled
def _cut(image: Image, width: int, x: float, y: float, step: float, side_px: int) -> Image:
    """(side_px, side_px * C) of an image (H, width * C), interpolated at x, x + step and so on, and down from y."""
    height, channels = len(image), image.shape[1] // width
    cut = np.empty((side_px, side_px * channels), np.uint8)
    left, right = np.empty(cut.shape[1], np.uintp), np.empty(cut.shape[1], np.uintp)
    share = np.empty(cut.shape[1], np.float32)
    for i in range(len(share)):
        place = min(max(x + i // channels * step, 0.0), width - 1.0)
        left[i] = channels * int(place) + i % channels
        right[i] = channels * min(int(place) + 1, width - 1) + i % channels
        share[i] = place - int(place)
    above, below = np.empty(len(share), np.float32), np.empty(len(share), np.float32)
    last_row = -1  # of the image, that is in `below`
    for row in range(side_px):
        place = min(max(y + row * step, 0.0), height - 1.0)
        image_row = int(place)
        if image_row == last_row:
            above, below = below, above
        else:
            _interpolate(image[image_row], left, right, share, above)
        last_row = min(image_row + 1, height - 1)
        _interpolate(image[last_row], left, right, share, below)
        down = np.float32(place - image_row)
        for i in range(len(share)):
            cut[row, i] = np.uint8(np.rint(above[i] + down * (below[i] - above[i])))
    return cut


@compiled
def _interpolate(row: Image, left: Places, right: Places, share: Features, into: Features) -> None:
    for i in range(len(into)):
        first = np.float32(row[left[i]])
        into[i] = first + share[i] * (np.float32(row[right[i]]) - first)


@compiled_unlocked
def _fill(
    grey_image: Image,
    grey_width: int,
    grey_x: float,
    grey_y: float,
    grey_step: float,
    rgb_image: Image,
    width: int,
    x: float,
    y: float,
    step: float,
    names: Features,
    taper: Features,
    into: Features,
) -> None:
    """The features of a window, tapered and with a root mean square of 1, into (CHANNELS, CELLS, CELLS).

    names: see `_colour_names`; the rest as `_place` returns it.
    """
    cells = len(taper)
    grey = _cut(grey_image, grey_width, grey_x, grey_y, grey_step, cells * CELL_PX)
    _fill_gradients(grey, into)
    rgb = _cut(rgb_image, width, x, y, step, cells)
    for row in range(cells):
        for column in range(cells):
            red, green = np.int32(rgb[row, 3 * column]), np.int32(rgb[row, 3 * column + 1])
            blue = np.int32(rgb[row, 3 * column + 2])
            share = names[(red >> 3) << 10 | (green >> 3) << 5 | blue >> 3]
            for name in range(len(share)):
                into[5 + name, row, column] = share[name]
            level = (9798 * red + 19235 * green + 3735 * blue + 16384) >> 15  # as OpenCV has it
            into[-1, row, column] = np.float32(level) * np.float32(1 / 255) - np.float32(0.5)
    energy = np.zeros(CELLS, np.float32)
    for channel in range(CHANNELS):
        for row in range(CELLS):
            for column in range(CELLS):
                value = into[channel, row, column] * taper[row, column]
                into[channel, row, column] = value
                energy[column] += value * value
    total = np.float32(1e-6)
    for column in range(CELLS):
        total += energy[column]
    gain = np.sqrt(np.float32(into.size) / total)
    for channel in range(CHANNELS):
        for row in range(CELLS):
            for column in range(CELLS):
                into[channel, row, column] *= gain


@compiled
def _fill_gradients(grey: Image, into: Features) -> None:
    """Per cell, the mean size of the gradients and its cosines and sines of two and four times their angle, into
    (5, CELLS, CELLS).

    Divided by the mean size about the cell, so that light and contrast count less.
    """
    _fill_waves(grey, into)
    size, about, last = into[0].copy(), np.empty(CELLS, np.float32), CELLS - 1
    for row in range(CELLS):
        above, here, below = size[abs(row - 1)], size[row], size[last - abs(last - row - 1)]
        for column in range(CELLS):
            about[column] = above[column] + here[column] + below[column]
        for column in range(CELLS):
            mean = (about[abs(column - 1)] + about[column] + about[last - abs(last - column - 1)]) / np.float32(9)
            weight = np.float32(GRADIENT_WEIGHT) / (mean + np.float32(GRADIENT_FLOOR))
            for wave in range(5):
                into[wave, row, column] *= weight


@compiled
def _fill_waves(grey: Image, into: Features) -> None:
    """The means before they are divided."""
    last = len(grey) - 1
    x, y = np.zeros(len(grey), np.float32), np.empty(len(grey), np.float32)
    sums = np.empty((5, len(grey)), np.float32)
    for cell_row in range(CELLS):
        sums[:] = 0
        for row in range(CELL_PX * cell_row, CELL_PX * (cell_row + 1)):
            above, here, below = grey[abs(row - 1)], grey[row], grey[last - abs(last - row - 1)]  # reflected
            for column in range(1, last):
                x[column] = np.float32(here[column + 1]) - np.float32(here[column - 1])
            for column in range(len(grey)):
                y[column] = np.float32(below[column]) - np.float32(above[column])
            for column in range(len(grey)):
                xx, yy = x[column] * x[column], y[column] * y[column]
                size, floored = np.sqrt(xx + yy), xx + yy + np.float32(1)
                cos, sin = (xx - yy) / floored, np.float32(2) * x[column] * y[column] / floored
                sums[0, column] += size
                sums[1, column] += size * cos
                sums[2, column] += size * sin
                sums[3, column] += size * (np.float32(2) * cos * cos - np.float32(1))
                sums[4, column] += size * np.float32(2) * cos * sin
        for wave in range(5):
            for column in range(CELLS):
                first = CELL_PX * column
                total = sums[wave, first] + sums[wave, first + 1] + sums[wave, first + 2] + sums[wave, first + 3]
                into[wave, cell_row, column] = total / np.float32(CELL_PX**2)


@cache
def _colour_names() -> Features:
    """Share of each of COLOURS in every colour of 5 bits a channel, (32³, 11)."""
    axis = np.arange(32, dtype=np.float32) * 8 + 4
    colours = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    lab, prototypes = (cv2.cvtColor(rgb[None] / np.float32(255), cv2.COLOR_RGB2LAB)[0] for rgb in (colours, COLOURS))
    squared = ((lab[:, None] - prototypes) ** 2).sum(axis=-1)
    share = np.exp(-squared / (2 * COLOUR_SPREAD**2))
    return np.asarray(share / (share.sum(axis=1, keepdims=True) + 1e-6), np.float32)

"""What the background-aware filter sees of an image: gradient histograms and soft colour names, in cells.

The histograms are HOG (Dalal and Triggs, CVPR 2005) with the four block normalisations summed, as in Felzenszwalb et
al., PAMI 2010. The colour names replace the learned ones of van de Weijer et al., TIP 2009, by their prototypes.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.frame import Image

CELL_PX = 4
DIRECTIONS = 9
NORM_FLOOR = 20.0  # squared grey levels: gradients of a block below count less
NORM_LIMIT = 0.2
# Black, blue, brown, grey, green, orange, pink, purple, red, white, yellow.
COLOURS = np.array(
    [
        *([0, 0, 0], [0, 0, 255], [139, 69, 19], [128, 128, 128], [0, 160, 0], [255, 140, 0]),
        *([255, 150, 190], [128, 0, 128], [230, 0, 0], [255, 255, 255], [250, 240, 0]),
    ],
    np.float32,
)
COLOUR_SPREAD = 25.0  # CIELAB

Array = NDArray[np.float32]


def filter_features(rgb: Image) -> Array:
    """Gradients, colours and grey of a square image (S, S, 3), (21, S / CELL_PX, S / CELL_PX); S a multiple."""
    cells = len(rgb) // CELL_PX
    small = np.asarray(cv2.resize(rgb, (cells, cells), interpolation=cv2.INTER_AREA))
    level = (small >> 3).astype(np.int32)
    names = _colour_names()[(level[..., 0] << 10) | (level[..., 1] << 5) | level[..., 2]]
    grey = small.mean(axis=-1, keepdims=True).astype(np.float32) / 255 - 0.5
    return np.ascontiguousarray(np.concatenate([_gradients(rgb), names, grey], axis=-1).transpose(2, 0, 1))


def _gradients(rgb: Image) -> Array:
    """(cells, cells, DIRECTIONS)."""
    cells = len(rgb) // CELL_PX
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    x, y = (cv2.Sobel(grey, cv2.CV_32F, *order, ksize=1) for order in ((1, 0), (0, 1)))
    size, angle = cv2.cartToPolar(x, y)
    direction = angle.ravel() * (DIRECTIONS / np.pi)  # opposite gradients are one direction
    low = direction.astype(np.int32)
    share, size = direction - low, size.ravel()
    cell, count = _cell_of_pixel(cells), cells * cells * DIRECTIONS
    sums = np.bincount(cell + low % DIRECTIONS, size * (1 - share), count)
    sums += np.bincount(cell + (low + 1) % DIRECTIONS, size * share, count)
    histogram = sums.reshape(cells, cells, DIRECTIONS).astype(np.float32)
    histogram = np.dstack([cv2.GaussianBlur(part, (3, 3), 0.8) for part in np.split(histogram, (4, 8), axis=-1)])
    energy = np.pad((histogram**2).sum(axis=-1), 1, mode="edge")
    block = energy[:-1, :-1] + energy[1:, :-1] + energy[:-1, 1:] + energy[1:, 1:]
    norm = 1 / np.sqrt(block + NORM_FLOOR)
    blocks = [norm[i : i + cells, j : j + cells, None] for i in (0, 1) for j in (0, 1)]
    return np.asarray(sum(np.minimum(histogram * part, NORM_LIMIT) for part in blocks), np.float32)


@cache
def _cell_of_pixel(cells: int) -> NDArray[np.int64]:
    """The first histogram bin of each pixel's cell, (S²,)."""
    axis = np.arange(cells * CELL_PX) // CELL_PX
    return np.asarray(((axis[:, None] * cells + axis) * DIRECTIONS).ravel())


@cache
def _colour_names() -> Array:
    """Share of each of COLOURS in every colour of 5 bits a channel, (32³, 11)."""
    axis = np.arange(32, dtype=np.float32) * 8 + 4
    colours = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    lab, prototypes = (cv2.cvtColor(rgb[None] / np.float32(255), cv2.COLOR_RGB2LAB)[0] for rgb in (colours, COLOURS))
    squared = ((lab[:, None] - prototypes) ** 2).sum(axis=-1)
    share = np.exp(-squared / (2 * COLOUR_SPREAD**2))
    return np.asarray(share / (share.sum(axis=1, keepdims=True) + 1e-6), np.float32)

"""A correlation filter that is not larger than its target, learned against all of the background around it.

STRCF (Li et al., CVPR 2018) with the mask of BACF (Galoogahi et al., ICCV 2017): each image's filter is kept near
the last one, and ADMM finds the one without weight outside the target. As that is small, its Fourier transform is two
products with small matrices.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from vitron_ros.boxes import Boxes
from vitron_ros.tracking.window import CELLS, Spectrum, cells_per_px

LABEL_WIDTH = 0.1  # of the target's mean size
INERTIA = 16.0  # of the last filter
PENALTIES = (1.0, 10.0)  # of ADMM, one an iteration

_FREQUENCY = np.arange(CELLS // 2 + 1)
# Of a real signal's spectrum only half is kept; all but the first and last column stand for two.
_ROW_FREQUENCY = np.fft.fftfreq(CELLS, 1 / CELLS)
_WITHIN_CELL = np.arange(-6, 7) / 12
_TWICE = np.where((_FREQUENCY == 0) | (CELLS // 2 == _FREQUENCY), 1, 2).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """The best place in a window.

    Attributes:
        offset: (2,) cells from the middle of the window.
        height: the filter's answer there; about 0.4 on what it was learned from, 0 on what is unlike it.
    """

    offset: Boxes
    height: float


class BackgroundAwareFilter:
    """Finds a target of one aspect ratio.

    Attributes:
        spectrum: the filter, (CHANNELS, CELLS, CELLS / 2 + 1).
    """

    def __init__(self, sample: Spectrum, size: Boxes) -> None:
        """sample: a window with the target in its middle; size: (2,) image px of the target."""
        cells = size * cells_per_px(size)
        half = np.clip(np.ceil(cells / 2), 2, CELLS // 2).astype(int)
        columns, rows = (CELLS // 2 + np.arange(-reach, reach) for reach in half)
        self._rows_to = np.exp(-2j * np.pi * np.outer(np.arange(CELLS), rows) / CELLS).astype(np.complex64)
        self._columns_to = np.exp(-2j * np.pi * np.outer(columns, _FREQUENCY) / CELLS).astype(np.complex64)
        self._rows_from = self._rows_to.conj().T / np.float32(CELLS)
        self._columns_from = self._columns_to.conj().T * (_TWICE[:, None] / np.float32(CELLS))
        axis = np.fft.fftfreq(CELLS, 1 / CELLS)
        bump = np.exp(-0.5 * (axis / (LABEL_WIDTH * np.sqrt(cells.prod()))) ** 2)
        self._label = (np.fft.rfft2(np.outer(bump, bump)) / CELLS**2).astype(np.complex64)
        self.spectrum = self._solved(sample, sample * self._label, inertia=0.0)

    def learn(self, sample: Spectrum) -> None:
        """The target is in the middle of this window."""
        self.spectrum = self._solved(sample, sample * self._label + INERTIA * self.spectrum, inertia=INERTIA)

    def _solved(self, sample: Spectrum, wanted: Spectrum, inertia: float) -> Spectrum:
        energy = (sample.real**2 + sample.imag**2).sum(axis=0)
        conjugate = sample.conj()
        inside, multiplier = np.zeros_like(wanted), np.zeros_like(wanted)
        for penalty in PENALTIES:
            weight = penalty + inertia
            right = penalty * inside
            right -= multiplier
            right += wanted
            share = (conjugate * right).sum(axis=0)
            share /= energy + CELLS**2 * weight
            free = sample * share
            np.subtract(right, free, out=free)
            free /= weight
            inside = self._cut_to_target(free + multiplier / penalty)
            free -= inside
            free *= penalty
            multiplier += free
        return inside

    def _cut_to_target(self, spectrum: Spectrum) -> Spectrum:
        """The spectrum without what lies outside the target."""
        inside = (self._rows_from @ spectrum @ self._columns_from).real.astype(np.complex64)
        return np.asarray(self._rows_to @ (inside @ self._columns_to))


def find(spectrum: Spectrum, window: Spectrum) -> Peak:
    """Where in a window a filter's target is.

    About the best cell the response is computed in steps of a twelfth of a cell: a parabola through three cells would
    draw slow targets back to the cell's middle.
    """
    answer = (spectrum.conj() * window).sum(axis=0)
    response = scipy.fft.irfft2(answer, (CELLS, CELLS))
    top = np.array(divmod(int(response.argmax()), CELLS))
    rows = np.exp(2j * np.pi / CELLS * np.outer(top[0] + _WITHIN_CELL, _ROW_FREQUENCY))
    columns = np.exp(2j * np.pi / CELLS * np.outer(_FREQUENCY, top[1] + _WITHIN_CELL)) * _TWICE[:, None]
    fine = (rows @ answer @ columns).real / CELLS**2
    row, column = divmod(int(fine.argmax()), len(_WITHIN_CELL))
    cell = top[::-1] + _WITHIN_CELL[[column, row]]
    return Peak((cell + CELLS // 2) % CELLS - CELLS // 2, float(fine[row, column]))


def height_in_middle(spectrum: Spectrum, window: Spectrum) -> float:
    """The filter's answer in the middle of a window."""
    return float(((spectrum.real * window.real + spectrum.imag * window.imag).sum(axis=(0, 1)) @ _TWICE) / CELLS**2)


def vertex(left: float, middle: float, right: float) -> float:
    """Where, within half a step of the middle, the parabola through three values has its top."""
    curvature = left - 2 * middle + right
    return min(max((left - right) / (2 * curvature), -0.5), 0.5) if curvature < 0 else 0.0

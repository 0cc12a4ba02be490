"""A correlation filter that is not larger than its target, learned against all of the background around it.

STRCF (Li et al., CVPR 2018) with the mask of BACF (Galoogahi et al., ICCV 2017): each image's filter is kept near
the last one, and ADMM finds the one without weight outside the target. As that is small, its Fourier transform is two
products with small matrices.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.correlation_filter import Spectrum, vertex
from vitron_ros.tracking.crop import cut_square
from vitron_ros.tracking.filter_features import CELL_PX, filter_features

CELLS = 40
WINDOW = 4.0  # side of the window, in sides of the target
LABEL_WIDTH = 0.1  # of the target's mean size
INERTIA = 16.0  # of the last filter
PENALTIES = (1.0, 10.0)  # of ADMM, one an iteration

_HANNING = np.hanning(CELLS + 2)[1:-1]
_TAPER = np.outer(_HANNING, _HANNING).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """The best place for a filter.

    Attributes:
        offset: (2,) image px from the middle of the window.
        growth: of the target's size.
        response: about 0.4 on what the filter was learned from, 0 on what is unlike it.
    """

    offset: Boxes
    growth: float
    response: float


class BackgroundAwareFilter:
    """Finds a target of one aspect ratio at the sizes it is asked for."""

    def __init__(self, view: View, center: Boxes, size: Boxes) -> None:
        """center, size: (2,) image px of the target."""
        cells = size * _scale(size) / CELL_PX
        half = np.clip(np.ceil(cells / 2), 2, CELLS // 2).astype(int)
        frequency = np.arange(CELLS // 2 + 1)
        columns, rows = (CELLS // 2 + np.arange(-reach, reach) for reach in half)
        self._rows_to = np.exp(-2j * np.pi * np.outer(np.arange(CELLS), rows) / CELLS).astype(np.complex64)
        self._columns_to = np.exp(-2j * np.pi * np.outer(columns, frequency) / CELLS).astype(np.complex64)
        # Of a real signal's spectrum only half is kept; all but the first and last column stand for two.
        twice = np.where((frequency == 0) | (frequency == CELLS // 2), 1, 2).astype(np.float32)
        self._rows_from = self._rows_to.conj().T / np.float32(CELLS)
        self._columns_from = self._columns_to.conj().T * (twice[:, None] / np.float32(CELLS))
        axis = np.fft.fftfreq(CELLS, 1 / CELLS)
        bump = np.exp(-0.5 * (axis / (LABEL_WIDTH * np.sqrt(cells.prod()))) ** 2)
        self._label = np.fft.rfft2(np.outer(bump, bump)).astype(np.complex64)
        self._filter: Spectrum | None = None
        self.learn(view, center, size)

    def find(self, view: View, center: Boxes, size: Boxes, growths: tuple[float, ...]) -> Match:
        """The best place within WINDOW of a centre (2,) image px, for a target of size (2,) px times each growth."""
        return max((self._match(view, center, size, growth) for growth in growths), key=lambda match: match.response)

    def learn(self, view: View, center: Boxes, size: Boxes) -> None:
        """The target is here."""
        sample = _spectrum(view, center, size)
        last, inertia = (0, 0.0) if self._filter is None else (self._filter, INERTIA)
        area = CELLS**2
        energy = (sample.real**2 + sample.imag**2).sum(axis=0)
        wanted = sample * (self._label / area) + inertia * last
        inside: Spectrum | float = 0.0
        multiplier: Spectrum | float = 0.0
        for penalty in PENALTIES:
            weight = penalty + inertia
            right = wanted + (penalty * inside - multiplier)
            free = (right - sample * ((sample.conj() * right).sum(axis=0) / (energy + area * weight))) / weight
            inside = self._cut_to_target(free + multiplier / penalty)
            multiplier = multiplier + penalty * (free - inside)
        self._filter = np.asarray(inside)

    def _match(self, view: View, center: Boxes, size: Boxes, growth: float) -> Match:
        assert self._filter is not None
        answer = (self._filter.conj() * _spectrum(view, center, size * growth)).sum(axis=0)
        response = np.fft.fftshift(np.fft.irfft2(answer, (CELLS, CELLS)))
        row, column = divmod(int(response.argmax()), CELLS)
        cell = np.array([column + vertex(response[row], column), row + vertex(response[:, column], row)])
        offset = (cell - CELLS // 2) * CELL_PX / _scale(size * growth)
        return Match(offset, growth, float(response[row, column]))

    def _cut_to_target(self, spectrum: Spectrum) -> Spectrum:
        """The spectrum (21, CELLS, CELLS / 2 + 1) without what lies outside the target."""
        inside = (self._rows_from @ spectrum @ self._columns_from).real.astype(np.complex64)
        return np.asarray(self._rows_to @ (inside @ self._columns_to))


def _scale(size: Boxes) -> float:
    """Pixels of the window per image px, for a target of that size (2,) image px."""
    return float(CELLS * CELL_PX / (WINDOW * np.sqrt(size.prod())))


def _spectrum(view: View, center: Boxes, size: Boxes) -> NDArray[np.complex64]:
    """Of the window's features at a root mean square of 1, (21, CELLS, CELLS / 2 + 1)."""
    features = filter_features(cut_square(view, center, _scale(size), CELLS * CELL_PX)) * _TAPER
    features *= np.sqrt(features.size / ((features**2).sum() + np.float32(1e-6)))
    return np.asarray(np.fft.rfft2(features), np.complex64)

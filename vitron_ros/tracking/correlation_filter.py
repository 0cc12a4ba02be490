"""A correlation filter over gradient and colour channels: where in a crop does it look most like the target.

The filter is that of DSST without its scale part (Danelljan et al., BMVC 2014): per channel a numerator, one common
denominator, both averaged over time in the Fourier domain.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.tracking.crop import CROP_PX, Crop

CELL_PX = 4
CELLS = CROP_PX // CELL_PX
DIRECTIONS = np.arange(6) * np.pi / 6
# cos^4 of the angle to each direction as a mean and waves, two and four of them a turn: (6, 5).
WAVES = np.column_stack(
    [
        np.full(6, 3 / 8),
        *(np.cos(2 * DIRECTIONS) / 2, np.sin(2 * DIRECTIONS) / 2),
        *(np.cos(4 * DIRECTIONS) / 8, np.sin(4 * DIRECTIONS) / 8),
    ]
).astype(np.float32)
LABEL_WIDTH = 0.08  # of the target's mean size
REGULARISATION = 0.05  # of the mean spectral energy
SEARCH_WIDTH = 0.3  # of the target's mean size: how far the peak may lie from where motion puts the target

_WINDOW = np.outer(np.hanning(CELLS + 2)[1:-1], np.hanning(CELLS + 2)[1:-1]).astype(np.float32)


Spectrum = NDArray[np.complexfloating]


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """The best place in a crop.

    Attributes:
        offset: (2,) crop px from the middle of the crop.
        height: the filter's answer there; 1 on the crop it was made from.
    """

    offset: Boxes
    height: float


@dataclass(frozen=True, slots=True, eq=False)
class FilterSample:
    """What filters learn from one crop.

    Attributes:
        numerator: (9, CELLS, CELLS / 2 + 1), for each channel.
        energy: (CELLS, CELLS / 2 + 1), of all channels.
    """

    numerator: Spectrum
    energy: NDArray[np.floating]


class CorrelationFilter:
    """Learns crops with the target in their middle; finds it in others."""

    def __init__(self, sample: FilterSample) -> None:
        self._numerator, self._energy = sample.numerator.copy(), sample.energy.copy()

    def learn(self, sample: FilterSample, rate: float) -> None:
        """Move by `rate`, in [0, 1], towards what another crop teaches."""
        self._numerator += rate * (sample.numerator - self._numerator)
        self._energy += rate * (sample.energy - self._energy)

    def find(self, spectrum: Spectrum, size: Boxes, expected: Boxes | None = None) -> Peak:
        """The target's place in a crop: near the `expected` offset (2,) crop px from its middle, or anywhere."""
        answer = (self._numerator.conj() * spectrum).sum(axis=0) / (self._energy + REGULARISATION * self._energy.mean())
        response = np.fft.fftshift(np.fft.irfft2(answer, (CELLS, CELLS)))
        likely = np.maximum(response, 0)
        if expected is not None:
            axis = np.arange(CELLS) - CELLS // 2
            x, y = expected / CELL_PX
            width = SEARCH_WIDTH * np.sqrt(size.prod()) / CELL_PX
            likely = likely * np.outer(
                np.exp(-0.5 * ((axis - y) / width) ** 2), np.exp(-0.5 * ((axis - x) / width) ** 2)
            )
        row, column = divmod(int(likely.argmax()), CELLS)
        cell = np.array([column + _vertex(response[row], column), row + _vertex(response[:, column], row)])
        return Peak((cell - CELLS // 2) * CELL_PX, float(response[row, column]))


def _vertex(line: NDArray[np.floating], index: int) -> float:
    """Offset, within half a cell, of the top of the parabola through three neighbours."""
    if not 0 < index < len(line) - 1:
        return 0.0
    left, middle, right = (float(value) for value in line[index - 1 : index + 2])
    curvature = left - 2 * middle + right
    return float(np.clip((left - right) / (2 * curvature), -0.5, 0.5)) if curvature < 0 else 0.0


def crop_spectrum(crop: Crop) -> Spectrum:
    """The Fourier transform of a crop's channels, (9, CELLS, CELLS / 2 + 1)."""
    return np.asarray(np.fft.rfft2(_features(crop)))


def make_filter_sample(spectrum: Spectrum, size: Boxes, offset: Boxes) -> FilterSample:
    """What a crop teaches that has the target at an offset (2,) crop px from its middle.

    size: (2,) crop px, the target's width and height.
    """
    frequency = np.fft.fftfreq(CELLS)
    width = LABEL_WIDTH * np.sqrt(size.prod()) / CELL_PX
    bump = np.fft.fft(np.exp(-0.5 * (frequency * CELLS / width) ** 2))
    x, y = np.exp(2j * np.pi * frequency * offset[:, None] / CELL_PX) * bump.conj()
    label = np.outer(y, x[: CELLS // 2 + 1]).astype(np.complex64)
    return FilterSample(label * spectrum, (spectrum.real**2 + spectrum.imag**2).sum(axis=0))


def _features(crop: Crop) -> NDArray[np.float32]:
    """(9, CELLS, CELLS): six gradient directions, normalised by their neighbourhood, then L, a and b; windowed."""
    lab = cv2.cvtColor(crop.rgb, cv2.COLOR_RGB2LAB)
    smooth = cv2.GaussianBlur(lab[..., 0], (3, 3), 0)
    x, y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=1)
    # |gradient| cos^4 of the angle to a direction, from sines and cosines of two and four times the gradient's angle.
    squared, cos, sin = x * x + y * y, x * x - y * y, 2 * x * y
    size = 1 / ((squared + 1) * np.sqrt(squared + 1))
    waves = (squared * squared, squared * cos, squared * sin, cos * cos - sin * sin, 2 * cos * sin)
    small = [cv2.resize(size * wave, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for wave in waves]
    channels = np.empty((9, CELLS, CELLS), np.float32)
    channels[:6] = np.tensordot(WAVES, small, 1)
    energy = cv2.blur(channels[:6].sum(axis=0), (3, 3))
    channels[:6] = np.minimum(channels[:6] / (energy + 4), 0.6) * 2
    colours = cv2.resize(lab, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255 - 0.5
    channels[6], channels[7], channels[8] = colours[..., 0], 2 * colours[..., 1], 2 * colours[..., 2]
    return channels * _WINDOW

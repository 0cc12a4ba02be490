"""A correlation filter that is not larger than its target, learned against all of the background around it.

STRCF (Li et al., CVPR 2018) with the mask of BACF (Galoogahi et al., ICCV 2017): each image's filter is kept near
the last one, and ADMM finds the one without weight outside the target. As that is small, its Fourier transform is two
products with small matrices.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from vitron_ros.boxes import Boxes
from vitron_ros.tracking.compiled import compiled
from vitron_ros.tracking.window import CELLS, CHANNELS, Features, Spectrum, cells_per_px

LABEL_WIDTH = 0.1  # of the target's mean size
INERTIA = 16.0  # of the last filter
PENALTIES = (1.0, 10.0)  # of ADMM, one an iteration
STEPS = 12  # of a cell, in which the peak is placed

_FREQUENCY = np.arange(CELLS // 2 + 1)
# Of a real signal's spectrum only half is kept; all but the first and last column stand for two.
_TWICE = np.where((_FREQUENCY == 0) | (CELLS // 2 == _FREQUENCY), 1, 2).astype(np.float32)
_ROOTS = np.exp(2j * np.pi * np.arange(CELLS * STEPS) / (CELLS * STEPS)).astype(np.complex64)  # of unity


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
        self._rows_from = np.ascontiguousarray(self._rows_to.conj().T) / np.float32(CELLS)
        self._columns_from = np.ascontiguousarray(self._columns_to.conj().T) * (_TWICE[:, None] / np.float32(CELLS))
        axis = np.fft.fftfreq(CELLS, 1 / CELLS)
        bump = np.exp(-0.5 * (axis / (LABEL_WIDTH * np.sqrt(cells.prod()))) ** 2)
        self._label = (np.fft.rfft2(np.outer(bump, bump)) / CELLS**2).astype(np.complex64)
        self.spectrum = self._solved(sample, np.zeros_like(sample), inertia=0.0)

    def learn(self, sample: Spectrum) -> None:
        """The target is in the middle of this window."""
        self.spectrum = self._solved(sample, self.spectrum, inertia=INERTIA)

    def _solved(self, sample: Spectrum, last: Spectrum, inertia: float) -> Spectrum:
        """The filter near `last`, without weight outside the target, that answers the sample with the label."""
        inside, both, penalty = np.zeros_like(sample), np.zeros_like(sample), 0.0
        flat = (CHANNELS, -1)
        for next_penalty in PENALTIES:
            _free(
                sample.reshape(flat),
                last.reshape(flat),
                inside.reshape(flat),
                both.reshape(flat),
                self._label.ravel(),
                inertia,
                penalty,
                next_penalty,
            )
            inside, penalty = self._cut_to_target(both), next_penalty
        return inside

    def _cut_to_target(self, spectrum: Spectrum) -> Spectrum:
        """The spectrum without what lies outside the target."""
        inside = (self._rows_from @ (spectrum @ self._columns_from)).real.astype(np.complex64)
        return np.asarray(self._rows_to @ (inside @ self._columns_to))


@compiled
def _free(
    sample: Spectrum,
    last: Spectrum,
    inside: Spectrum,
    both: Spectrum,
    label: Spectrum,
    inertia: float,
    penalty: float,
    next_penalty: float,
) -> None:
    """Half a round of ADMM: the filter of the best answer near `last` and `inside`, with weight anywhere.

    All spectra are (CHANNELS, bins), the label is (bins,). Real and imaginary parts are apart, since loops of them are
    vectorised.

    Args:
        inside: the last round's filter with weight inside the target only.
        both: the last round's free filter plus its multiplier over its penalty. Becomes this round's; what of it lies
            inside the target is the other half of the round.
    """
    bins = len(label)
    near, old, new = np.float32(inertia), np.float32(penalty), np.float32(next_penalty)
    weight = near + new
    energy, real, imag = np.zeros(bins, np.float32), np.zeros(bins, np.float32), np.zeros(bins, np.float32)
    wanted_real, wanted_imag = np.empty(sample.shape, np.float32), np.empty(sample.shape, np.float32)
    for channel in range(CHANNELS):
        for i in range(bins):
            seen, aim, before, cut = sample[channel, i], label[i], last[channel, i], inside[channel, i]
            pull = both[channel, i] - cut
            a = seen.real * aim.real - seen.imag * aim.imag + near * before.real + new * cut.real - old * pull.real
            b = seen.real * aim.imag + seen.imag * aim.real + near * before.imag + new * cut.imag - old * pull.imag
            wanted_real[channel, i], wanted_imag[channel, i] = a, b
            energy[i] += seen.real * seen.real + seen.imag * seen.imag
            real[i] += seen.real * a + seen.imag * b
            imag[i] += seen.real * b - seen.imag * a
    for i in range(bins):
        share = np.float32(1) / (energy[i] + np.float32(CELLS**2) * weight)
        real[i] *= share
        imag[i] *= share
    for channel in range(CHANNELS):
        for i in range(bins):
            seen, pull = sample[channel, i], both[channel, i] - inside[channel, i]
            a = (wanted_real[channel, i] - seen.real * real[i] + seen.imag * imag[i]) / weight
            b = (wanted_imag[channel, i] - seen.real * imag[i] - seen.imag * real[i]) / weight
            both[channel, i] = complex(a + old / new * pull.real, b + old / new * pull.imag)


def find(spectrum: Spectrum, windows: Spectrum) -> list[Peak]:
    """Where in each of some windows (K, CHANNELS, CELLS, CELLS / 2 + 1) a filter's target is.

    About the best cell the response is computed in steps of a twelfth of a cell: a parabola through three cells would
    draw slow targets back to the cell's middle.
    """
    answers = _answers_to(spectrum, windows)
    responses = scipy.fft.irfft2(answers, (CELLS, CELLS))
    return [Peak(np.array([x, y]), height) for x, y, height in _peaks(answers, responses, _ROOTS, _TWICE).tolist()]


def height_in_middle(spectrum: Spectrum, window: Spectrum) -> float:
    """The filter's answer in the middle of a window."""
    return float((_answers_to(spectrum, window[None])[0].real @ _TWICE).sum() / CELLS**2)


def _answers_to(spectrum: Spectrum, windows: Spectrum) -> Spectrum:
    """The spectra of a filter's responses to windows, (K, CELLS, CELLS / 2 + 1)."""
    answers = _answers(spectrum.reshape(CHANNELS, -1), windows.reshape(len(windows), CHANNELS, -1))
    return answers.reshape(-1, *spectrum.shape[1:])


@compiled
def _answers(spectrum: Spectrum, windows: Spectrum) -> Spectrum:
    """The same of (CHANNELS, bins) and (K, CHANNELS, bins)."""
    bins = spectrum.shape[1]
    answers = np.empty((len(windows), bins), np.complex64)
    for index in range(len(windows)):
        real, imag = np.zeros(bins, np.float32), np.zeros(bins, np.float32)
        for channel in range(CHANNELS):
            for i in range(bins):
                own, seen = spectrum[channel, i], windows[index, channel, i]
                real[i] += own.real * seen.real + own.imag * seen.imag
                imag[i] += own.real * seen.imag - own.imag * seen.real
        for i in range(bins):
            answers[index, i] = complex(real[i], imag[i])
    return answers


@compiled
def _peaks(answers: Spectrum, responses: Features, roots: Spectrum, twice: Features) -> Boxes:
    """Column and row of each response's peak, in cells from the middle of the window, and its height, (K, 3)."""
    peaks = np.empty((len(answers), 3), np.float64)
    near = np.empty(CELLS // 2 + 1, np.complex64)
    for index in range(len(answers)):
        top_row, top_column = divmod(np.argmax(responses[index]), CELLS)
        best = np.float32(-np.inf)
        for row in range(STEPS * top_row - STEPS // 2, STEPS * top_row + STEPS // 2 + 1):
            near[:] = 0
            for frequency in range(-CELLS // 2, CELLS // 2):
                wave = roots[(row * frequency) % len(roots)]
                for column in range(CELLS // 2 + 1):
                    near[column] += wave * answers[index, frequency, column]
            for column in range(STEPS * top_column - STEPS // 2, STEPS * top_column + STEPS // 2 + 1):
                height = np.float32(0)
                for frequency in range(CELLS // 2 + 1):
                    height += twice[frequency] * (near[frequency] * roots[(column * frequency) % len(roots)]).real
                if height > best:
                    best = height
                    peaks[index, 0] = (column / STEPS + CELLS // 2) % CELLS - CELLS // 2
                    peaks[index, 1] = (row / STEPS + CELLS // 2) % CELLS - CELLS // 2
        peaks[index, 2] = best / CELLS**2
    return peaks


def vertex(left: float, middle: float, right: float) -> float:
    """Where, within half a step of the middle, the parabola through three values has its top."""
    curvature = left - 2 * middle + right
    return min(max((left - right) / (2 * curvature), -0.5), 0.5) if curvature < 0 else 0.0

"""The colours of a target and of what surrounds it, as two histograms (as in Staple, Bertinetto et al., CVPR 2016)."""

import numpy as np
from numpy.typing import NDArray

from vitron_ros.frame import Image
from vitron_ros.tracking.compiled import compiled

BINS = 16  # a channel
FLOOR = 2e-5  # probability that any colour has in either histogram
MAX_EVIDENCE = 3.0
BLUR = (0.2, 0.6)  # weight of the neighbours and of the bin itself, along each axis

Histogram = NDArray[np.float64]


def colour_bins(rgb: Image) -> NDArray[np.int32]:
    """The histogram bin of each pixel, (H, W), of (H, W, 3)."""
    bins = (rgb >> 4).astype(np.int32)
    return np.asarray((bins[..., 0] << 8) | (bins[..., 1] << 4) | bins[..., 2])


def histogram(bins: NDArray[np.int32], weight: NDArray[np.floating]) -> Histogram:
    """Share of each colour, (BINS³,), blurred over neighbouring bins; all 0 where nothing has weight."""
    return blurred_shares(np.asarray(np.bincount(bins.ravel(), weight.ravel(), BINS**3), np.float64))


@compiled
def blurred_shares(counts: Histogram) -> Histogram:
    """The histogram of counts (BINS³,)."""
    neighbour, own = BLUR
    total = 1e-9
    for count in counts:
        total += count
    shares = counts / total
    for step in (1, BINS, BINS**2):  # between neighbours along an axis
        last, shares = shares, own * shares
        for line in range(0, len(shares), BINS * step):
            for i in range(line, line + (BINS - 1) * step):
                shares[i] += neighbour * last[i + step]
                shares[i + step] += neighbour * last[i]
    return shares


def colour_evidence(target: Histogram, other: Histogram) -> NDArray[np.float32]:
    """Log odds of each colour to be the target's rather than the other's, (BINS³,), in +-MAX_EVIDENCE."""
    odds = np.log((target + FLOOR) / (other + FLOOR))
    return np.asarray(np.clip(odds, -MAX_EVIDENCE, MAX_EVIDENCE), np.float32)


@compiled
def overlap(first: Histogram, second: Histogram) -> float:
    """Their Bhattacharyya coefficient: 1 where they are equal, 0 where no colour is in both."""
    total = 0.0
    for i in range(len(first)):
        total += np.sqrt(first[i] * second[i])
    return float(total)


@compiled
def blend(old: Histogram, new: Histogram, rate: float) -> Histogram:
    """`old`, moved towards `new` by `rate`, in [0, 1]."""
    blended = np.empty_like(old)
    for i in range(len(old)):
        blended[i] = old[i] + rate * (new[i] - old[i])
    return blended


class ColourModel:
    """What the target and its surroundings are coloured like."""

    def __init__(self, target: Histogram, surroundings: Histogram) -> None:
        self._target, self._surroundings = target, surroundings

    @property
    def target(self) -> Histogram:
        return self._target

    @property
    def surroundings(self) -> Histogram:
        return self._surroundings

    def learn(self, target: Histogram, surroundings: Histogram, rate: float) -> None:
        """Move towards new histograms by `rate`, in [0, 1]."""
        self._target = blend(self._target, target, rate)
        self._surroundings = blend(self._surroundings, surroundings, rate)

    def evidence(self, bins: NDArray[np.int32]) -> NDArray[np.float32]:
        """Log odds that each pixel is the target's by its colour, in [-MAX_EVIDENCE, MAX_EVIDENCE]."""
        return colour_evidence(self._target, self._surroundings)[bins]

    def likeness(self, target: Histogram) -> float:
        """`overlap` of another histogram and the target's."""
        return overlap(self._target, target)

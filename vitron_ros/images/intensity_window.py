"""16-bit values -> 8 bits, for sensors of 8 to 16 bits and thermal cameras that use a narrow band of them."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

BITS = (8, 10, 12, 14, 16)  # that sensors have

_OUTLIERS = 1000  # one value in so many may be a dead pixel, at either end
_STRIDE = 5  # of the sample: shares no factor with 2 (a mosaic's period), 3 or 4 (channels)
_WHOLE = 10_000  # images up to so many values are not subsampled


class IntensityWindow:
    """The values of one image stream that are shown as black to white. Not for several threads.

    A word of 16 bits does not say how many of them the sensor fills: the high byte of a 12-bit image has 16 grey
    levels. The window holds 2^8, 2^10, 2^12, 2^14 or 2^16 values, the fewest that hold those of all images so far
    (without the outermost thousandth), and value v becomes (v - low) >> (bits - 8): a 12-bit image keeps its upper
    8 bits, a full 16-bit image its high byte. It begins at 0 if that is wide enough, and always for colours, whose
    ratios would change otherwise; else, as for a thermal camera at 7000 to 8000, it lies about the values, in steps
    of a quarter of its size. It never shrinks or moves back, so the brightness of a stream changes four times at most,
    when an image is brighter or darker than all before; no image is stretched by its own content.

    Args:
        on_change: takes one sentence, the first time that the window is not the whole range.
    """

    def __init__(self, on_change: Callable[[str], None] = lambda text: None) -> None:
        self.low = 0
        self.bits = 0  # no image so far
        self._seen = (1 << 16, 0)
        self._on_change: Callable[[str], None] | None = on_change

    def to_8_bits(self, values: NDArray[np.uint16], *, keeps_zero: bool) -> NDArray[np.uint8]:
        """The image in 8 bits, after the window has been widened to hold it; values outside become black or white.

        Args:
            values: (H, W), one channel or interleaved ones.
            keeps_zero: 0 stays black, as colours and mosaics need.
        """
        low, high = _extent(values)
        if self.bits == 0 or low < self.low or high >= self.low + (1 << self.bits):
            self._widen(low, high, keeps_zero)
        above = cv2.subtract(values, self.low) if self.low else values
        return np.asarray(cv2.convertScaleAbs(above >> (self.bits - 8)), np.uint8)  # 255 for all above

    def _widen(self, low: int, high: int, keeps_zero: bool) -> None:
        self._seen = low, high = min(low, self._seen[0]), max(high, self._seen[1])
        for bits in BITS:
            start = 0 if keeps_zero or high < 1 << bits else _start(low, high, bits)
            if bits > self.bits and start <= low and high < start + (1 << bits):
                break
        self.low, self.bits = start, bits
        if self._on_change is not None and bits < 16:
            self._on_change(
                f"16-bit values lie between {low} and {high}, so {start} to {start + (1 << bits) - 1} "
                "are shown as black to white; brighter or darker images widen this"
            )
            self._on_change = None


def _extent(values: NDArray[np.uint16]) -> tuple[int, int]:
    """The smallest and the largest value, without the outermost thousandth, of a sample."""
    sample = (values if values.size <= _WHOLE else values[::_STRIDE, ::_STRIDE]).ravel()
    rank = len(sample) // _OUTLIERS
    ordered = np.partition(sample, (rank, len(sample) - 1 - rank))
    return int(ordered[rank]), int(ordered[len(sample) - 1 - rank])


def _start(low: int, high: int, bits: int) -> int:
    """The start of a window of that many bits, centred on the values."""
    size, step = 1 << bits, 1 << (bits - 2)
    start = round((low + high + 1 - size) / 2 / step) * step
    return min(max(start, 0), (1 << 16) - size)

"""What a target looked like whenever its tracker was sure: learned slower than all else, and asked before a lost
target counts as found, so that another one which merely resembles it is not taken for it."""

import numpy as np

from vitron_ros.tracking.appearance import Histogram

COLOUR_RATE = 0.004
USUAL_RATE = 0.03
LIKE_FROM = 0.92  # of the usual likeness of its colours
HEIGHT_FROM = 0.6  # of the usual height of the filter's answer; below, the colours must agree the better
MIN_HEIGHT = 0.47
COLOURS_FOR_HEIGHT = 0.3
WHOLE_FROM = 0.8  # of the usual height: nothing covers the target


class Memory:
    """The target's colours, how like them it usually is, and how well the correlation filter usually knows it."""

    def __init__(self, colours: Histogram) -> None:
        self.colours = colours
        self._likeness = self._height = 1.0

    def learn(self, colours: Histogram, height: float) -> None:
        """Take what is seen while the tracker is sure."""
        self._likeness += USUAL_RATE * (self._coefficient(colours) - self._likeness)
        self._height += USUAL_RATE * (height - self._height)
        self.colours = self.colours + COLOUR_RATE * (colours - self.colours)

    def likeness(self, colours: Histogram) -> float:
        """How like the target's these colours are: about 1 as much as usual, 0 not at all."""
        return self._coefficient(colours) / self._likeness

    def is_whole(self, height: float) -> bool:
        """Whether the filter knows the target as well as it usually does."""
        return height >= WHOLE_FROM * self._height

    def is_like(self, colours: Histogram, height: float) -> bool:
        """Whether something with these colours, and that answer of the filter, is the target."""
        known = height / self._height
        needed = LIKE_FROM + COLOURS_FOR_HEIGHT * max(HEIGHT_FROM - known, 0.0)
        return known >= MIN_HEIGHT and self.likeness(colours) >= needed

    def _coefficient(self, colours: Histogram) -> float:
        """Of Bhattacharyya, with the target's colours, in [0, 1]."""
        return float(np.sqrt(self.colours * colours).sum())

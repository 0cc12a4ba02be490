"""What a target looked like whenever its tracker was sure: learned slower than all else, and asked whether what is
followed is still the target, and before a lost one counts as found, so that another which merely resembles it is not
taken for it.

A second, slow correlation filter is the long-term memory of LCT (Ma et al., CVPR 2015).
"""

import numpy as np

from vitron_ros.tracking.appearance import Histogram
from vitron_ros.tracking.correlation_filter import CorrelationFilter, FilterSample

COLOUR_RATE = 0.004
FILTER_RATE = 0.007
MEAN_RATE = 0.03
FIRST_FRAMES = 20  # in which what is usual is learned, whatever it is
FIRST_FILTER_RATE, FIRST_USUAL_RATE = 0.03, 0.15
LEARN_FROM = 0.6  # of the usual height; of what is less like the target nothing is learned
LIKE_FROM = 1.65  # likeness of colours and height of the filter's answer, in shares of the usual, added: light changes
# the colours and a turn the form, seldom both
WHOLE_FROM = 0.8  # of the usual height: nothing covers the target
MISMATCH_BELOW = 0.4  # of the usual height


class LongTermAppearance:
    """The target's colours and form, and how like them it usually is."""

    def __init__(self, colours: Histogram, form: FilterSample) -> None:
        self.colours = colours
        self.filter = CorrelationFilter(form)
        self._likeness = self._height = 1.0
        self._frames = 0

    def learn(self, colours: Histogram, height: float, form: FilterSample) -> None:
        """Take what is seen while the tracker is sure."""
        is_first = self._frames < FIRST_FRAMES
        self._frames += 1
        if not is_first and height < LEARN_FROM * self._height:
            return
        self._likeness += MEAN_RATE * (self._coefficient(colours) - self._likeness)
        self._height += (FIRST_USUAL_RATE if is_first else MEAN_RATE) * (height - self._height)
        self.colours = self.colours + COLOUR_RATE * (colours - self.colours)
        self.filter.learn(form, FIRST_FILTER_RATE if is_first else FILTER_RATE)

    def likeness(self, colours: Histogram) -> float:
        """How like the target's these colours are: about 1 as much as usual, 0 not at all."""
        return self._coefficient(colours) / self._likeness

    def is_whole(self, height: float) -> bool:
        """Whether the filter knows the target as well as it usually does."""
        return height >= WHOLE_FROM * self._height

    def is_mismatch(self, height: float) -> bool:
        """Whether this is hardly the target, however alike its colours."""
        return self._frames >= FIRST_FRAMES and height < MISMATCH_BELOW * self._height

    def is_like(self, colours: Histogram, height: float) -> bool:
        """Whether something with these colours, and that answer of the filter, is the target."""
        return height / self._height + self.likeness(colours) >= LIKE_FROM

    def _coefficient(self, colours: Histogram) -> float:
        """Of Bhattacharyya, with the target's colours, in [0, 1]."""
        return float(np.sqrt(self.colours * colours).sum())

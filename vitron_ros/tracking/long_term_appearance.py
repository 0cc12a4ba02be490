"""What a target looked like whenever its tracker was sure: learned slower than all else, and asked whether what is
followed is still the target, and before a lost one counts as found, so that another which merely resembles it is not
taken for it.

A second, slow correlation filter is the long-term memory of LCT (Ma et al., CVPR 2015).
"""

import numpy as np

from vitron_ros.tracking.appearance import Histogram, blend, overlap
from vitron_ros.tracking.window import Spectrum

COLOUR_RATE = 0.008
FILTER_RATE = 0.03
MEAN_RATE = 0.06
FIRST_LOOKS = 10  # in which what is usual is learned, whatever it is
FIRST_MEAN_RATE = 0.3
LEARN_FROM = 0.6  # of the usual height; of what is less like the target nothing is learned
WHOLE_FROM = 0.8  # of the usual height: nothing covers the target
MISMATCH_BELOW = 0.6  # of the usual height


class LongTermAppearance:
    """The target's colours and form, and how like them it usually is.

    Attributes:
        colours: of the target.
        filter: its form, the spectrum of a correlation filter.
    """

    def __init__(self, colours: Histogram, filter_spectrum: Spectrum, height: float) -> None:
        """height: of the filter's answer to what it was learned from."""
        self.colours, self.filter = colours, filter_spectrum
        self._likeness, self._height = 1.0, height
        self._looks = 0

    def learn(self, colours: Histogram, height: float, filter_spectrum: Spectrum) -> None:
        """Take what is followed, if it is the target; the filter is the one that was learned from it."""
        is_first = self._looks < FIRST_LOOKS
        self._looks += 1
        if not is_first and height < LEARN_FROM * self._height:
            return
        self._likeness += MEAN_RATE * (overlap(self.colours, colours) - self._likeness)
        self._height += (FIRST_MEAN_RATE if is_first else MEAN_RATE) * (height - self._height)
        self.colours = blend(self.colours, colours, COLOUR_RATE)
        self.filter = self.filter + np.float32(FILTER_RATE) * (filter_spectrum - self.filter)

    def likeness(self, colours: Histogram) -> float:
        """How like the target's these colours are: about 1 as much as usual, 0 not at all."""
        return overlap(self.colours, colours) / self._likeness

    def familiarity(self, height: float) -> float:
        """How well the filter knows what it gave an answer of that height to: about 1 as the target, 0 not at all."""
        return height / self._height

    def is_whole(self, height: float) -> bool:
        """Whether the filter knows the target as well as it usually does."""
        return self.familiarity(height) >= WHOLE_FROM

    def is_mismatch(self, height: float) -> bool:
        """Whether this is hardly the target, however alike its colours."""
        return self._looks >= FIRST_LOOKS and self.familiarity(height) < MISMATCH_BELOW

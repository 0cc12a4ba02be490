"""How sure the default tracker may be: the probability that its box has an IoU of 0.5 or more.

A logistic of two cues, fitted on development sequences that were followed forwards and backwards, partly with the
target covered for a while. docs/experiments.md has its reliability there, and on sequences that were kept aside.
"""

from dataclasses import dataclass

import numpy as np

LIKENESS_WEIGHT = 4.2
FAMILIARITY_WEIGHT = 3.5
BIAS = -5.7


@dataclass(frozen=True, slots=True)
class Cues:
    """Evidence for a box, each 0 where nothing is like the target, and about 1 where all is as usual.

    Attributes:
        likeness: of the colours there and the target's.
        familiarity: of what is there to the long-term filter.
    """

    likeness: float
    familiarity: float

    def probability(self) -> float:
        """Of the box being right, in (0, 1)."""
        likeness, familiarity = (min(max(cue, 0.0), 1.0) for cue in (self.likeness, self.familiarity))
        return float(1 / (1 + np.exp(-(LIKENESS_WEIGHT * likeness + FAMILIARITY_WEIGHT * familiarity + BIAS))))

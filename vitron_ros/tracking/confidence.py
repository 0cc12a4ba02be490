"""How sure the default tracker may be: the probability that its box has an IoU of 0.5 or more.

A logistic of two cues, fitted on the development sequences with several starts, forwards and backwards, and with the
target covered for a while. docs/experiments.md has the reliability by leaving one sequence out.
"""

from dataclasses import dataclass

import numpy as np

HEIGHT_WEIGHT = 9.2
LIKENESS_WEIGHT = 3.5
BIAS = -5.5


@dataclass(frozen=True, slots=True)
class Cues:
    """Evidence for a box, each in [0, 1] but for noise.

    Attributes:
        height: the correlation filter's answer where it places the target.
        likeness: of the silhouette's colours and the target's usual ones.
    """

    height: float
    likeness: float

    def probability(self) -> float:
        """Of the box being right, in (0, 1)."""
        odds = HEIGHT_WEIGHT * min(max(self.height, 0), 1) + LIKENESS_WEIGHT * min(max(self.likeness, 0), 1) + BIAS
        return float(1 / (1 + np.exp(-odds)))

    def towards(self, other: "Cues", rate: float) -> "Cues":
        """Moved towards other cues by `rate`, in [0, 1]."""
        return Cues(
            self.height + rate * (other.height - self.height), self.likeness + rate * (other.likeness - self.likeness)
        )

"""How far a target is, by the depths on its silhouette: robust against holes, background and what is in front."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_PIXELS = 6  # with a depth
MIN_SHARE = 0.05  # of the silhouette, with a depth
NEARER_SHARE = 0.3  # of the pixels that are clearly nearer: then the surface is there, and the mask leaks to the rest
GAP = 0.05  # of the distance, from the bulk of the depths to those that are clearly nearer
MAX_SPREAD = 0.08  # of the distance, of the middle half of the depths; a target that is wider may be deeper, too
SIGMA_OF_HALF = 1.349  # normal deviations that the middle half spans
INLIER_SIGMAS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """The part of a target that the depth sensor sees.

    Attributes:
        distance: m along the optical axis, the middle of its depths.
        spread: m, one standard deviation of these depths.
        extent: m, from its nearest to its farthest part, without the outermost twentieths.
        pixels: how many depths agree.
    """

    distance: float
    spread: float
    extent: float
    pixels: int


def shortest_half(ordered: Array) -> tuple[int, int]:
    """First and last index of the shortest interval with half of the ascending values (N,), N at least 1.

    Its middle is a mode that up to half of the values cannot move (the "shorth": Andrews et al., 1972).
    """
    count = len(ordered) // 2 + 1
    first = int(np.argmin(ordered[count - 1 :] - ordered[: len(ordered) - count + 1]))
    return first, first + count - 1


def find_surface(depths: Array, width: float) -> Surface | None:
    """The visible surface of a target; None: its depths are spread too widely to say.

    The bulk of the depths is taken, or the bulk of those that are clearly nearer where there are enough of them.

    Args:
        depths: (N,) m, on the silhouette, without holes.
        width: of the target at a distance of 1 m, in m: what is wide may be deep.
    """
    ordered = np.sort(depths)
    while True:
        first, last = shortest_half(ordered)
        middle = float(ordered[(first + last) // 2])
        nearer = int(np.searchsorted(ordered, ordered[first] - GAP * middle))
        if nearer < max(NEARER_SHARE * len(ordered), MIN_PIXELS):
            break
        ordered = ordered[:nearer]
    half = float(ordered[last] - ordered[first])
    if half > max(MAX_SPREAD, width / 2) * middle:
        return None
    reach = INLIER_SIGMAS * max(half / SIGMA_OF_HALF, GAP * middle / INLIER_SIGMAS)
    start, stop = np.searchsorted(ordered, [middle - reach, middle + reach], side="right")
    inliers = ordered[start:stop]
    near, low, centre, high, far = inliers[[int(share * (len(inliers) - 1)) for share in (0.05, 0.25, 0.5, 0.75, 0.95)]]
    return Surface(
        distance=float(centre),
        spread=float(high - low) / SIGMA_OF_HALF,
        extent=float(far - near),
        pixels=len(inliers),
    )

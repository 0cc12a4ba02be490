"""What a detector sees in one image, and the candidates among it.

Shapes: Q boxes of one image as they come, N candidates.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, clip, iou

SAME_IOU = 0.7  # of two boxes that show one thing: less would merge people who stand close together
MOST_CANDIDATES = 32


class Detections(NamedTuple):
    """Boxes (Q, 4) px of the camera image, in no order, with scores (Q,) 0..1."""

    boxes_xyxy: Boxes
    scores: NDArray[np.float64]

    @property
    def are_finite(self) -> bool:
        return bool(np.isfinite(self.boxes_xyxy).all() and np.isfinite(self.scores).all())


def inside(found: Detections, width: int, height: int) -> Detections:
    """The boxes cut to an image of that size, without those of which less than 1 px is left."""
    boxes = clip(found.boxes_xyxy, width, height)
    has_area = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
    return Detections(boxes[has_area], found.scores[has_area])


def candidates(found: Detections, min_score: float) -> Detections:
    """The boxes from `min_score` on, best first; of those that show one thing, the best. At most MOST_CANDIDATES."""
    order = [index for index in np.argsort(-found.scores, kind="stable") if found.scores[index] >= min_score]
    chosen: list[int] = []
    for index in order:
        if len(chosen) == MOST_CANDIDATES:
            break
        if not chosen or float(np.max(iou(found.boxes_xyxy[chosen], found.boxes_xyxy[index]))) < SAME_IOU:
            chosen.append(int(index))
    return Detections(found.boxes_xyxy[chosen], found.scores[chosen])


def normalised(phrase: str) -> str:
    """A phrase in lower case, without the marks that end a sentence: detectors read these as its end."""
    return " ".join(re.sub(r"[.?!;]+(?=\s|$)", " ", phrase.lower()).split())


def fitting(phrase: str, tokens: Callable[[str], int], limit: int) -> tuple[str, str]:
    """As many of a phrase's first words as give no more tokens than a limit, and the words that are left out."""
    words = phrase.split()
    for count in range(len(words), 0, -1):
        text = " ".join(words[:count])
        if tokens(text) <= limit:
            return text, " ".join(words[count:])
    return "", phrase

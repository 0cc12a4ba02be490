"""Where to look for a lost target: a few places a frame, those coloured like it and, in turn, everywhere."""

import cv2
import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.tracking.appearance import Histogram, colour_bins, colour_evidence, histogram
from vitron_ros.tracking.box_tracker import View

COARSE_PX = 160  # the colours are looked at in the first level of the pyramid that is no wider
COLOURED_PLACES = 3
PLACES_IN_TURN = 2
STRIDE = 1.6  # of the target's mean size, between neighbouring places
SIZES = (1.0, 0.74, 1.35)  # of the target's when it was last sure, one a frame


class Search:
    """The search for a target of one size, from where it was last seen outwards."""

    def __init__(self, view: View, seen_at: Boxes, size: Boxes) -> None:
        """seen_at, size: (2,) image px."""
        self._size = size
        stride = max(STRIDE * float(np.sqrt(size.prod())), 1.0)
        columns = np.arange(stride / 2, view.frame.width, stride)
        rows = np.arange(stride / 2, view.frame.height, stride)
        grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
        places = np.concatenate([seen_at[None], grid])
        distance = np.linalg.norm(places - seen_at, axis=1)
        self._places = places[np.argsort(distance, kind="stable")]
        self._turn = self._frame = 0

    def next(self, view: View, colours: Histogram) -> tuple[Boxes, Boxes]:
        """Where to look in this frame and for which size.

        Returns:
            At most COLOURED_PLACES + PLACES_IN_TURN centres, (K, 2) image px, and the size (2,) image px.
        """
        size = self._size * SIZES[self._frame % len(SIZES)]
        self._frame += 1
        turn = (self._turn + np.arange(PLACES_IN_TURN)) % len(self._places)
        self._turn = int(turn[-1] + 1)
        return np.concatenate([_coloured(view, colours, size), self._places[turn]]), size


def _coloured(view: View, colours: Histogram, size: Boxes) -> Boxes:
    """The centres of the boxes of that size with the most of what the target has and the image has not, (K, 2)."""
    coarse, factor = view.level(max(0, int(np.ceil(np.log2(view.frame.width / COARSE_PX)))))
    bins = colour_bins(coarse)
    evidence = colour_evidence(colours, histogram(bins, np.ones(bins.shape)))[bins]
    width, height = np.maximum(np.round(size / factor), 1).astype(int).tolist()
    score = cv2.blur(evidence, (width, height), borderType=cv2.BORDER_CONSTANT)
    found = []
    for _ in range(COLOURED_PLACES):
        row, column = divmod(int(score.argmax()), score.shape[1])
        found.append([(column + 0.5) * factor, (row + 0.5) * factor])
        top, left = max(0, row - height // 2), max(0, column - width // 2)
        score[top : row + height // 2 + 1, left : column + width // 2 + 1] = -np.inf
    return np.array(found)

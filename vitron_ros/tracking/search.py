"""Where to look for a lost target: a few places a frame, those coloured like it and, in turn, everywhere."""

import cv2
import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.tracking.appearance import ColourModel, colour_bins
from vitron_ros.tracking.box_tracker import View

COARSE_PX = 160  # the colours are looked at in the first level of the pyramid that is no wider
COLOURED_PLACES = 2
PLACES_IN_TURN = 2
STRIDE = 0.75  # of the target's mean size, between neighbouring places


class Search:
    """One hunt for a target of one size, from where it was last seen outwards."""

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
        self._turn = 0

    def places(self, view: View, colours: ColourModel) -> Boxes:
        """At most COLOURED_PLACES + PLACES_IN_TURN centres to look at in this frame, (K, 2) image px."""
        turn = (self._turn + np.arange(PLACES_IN_TURN)) % len(self._places)
        self._turn = int(turn[-1] + 1)
        return np.concatenate([self._coloured(view, colours), self._places[turn]])

    def _coloured(self, view: View, colours: ColourModel) -> Boxes:
        coarse, factor = view.level(max(0, int(np.ceil(np.log2(view.frame.width / COARSE_PX)))))
        evidence = colours.evidence(colour_bins(coarse))
        width, height = np.maximum(np.round(self._size / factor), 1).astype(int).tolist()
        score = cv2.blur(evidence, (width, height), borderType=cv2.BORDER_CONSTANT)
        found = []
        for _ in range(COLOURED_PLACES):
            row, column = divmod(int(score.argmax()), score.shape[1])
            found.append([(column + 0.5) * factor, (row + 0.5) * factor])
            score[
                max(0, row - height // 2) : row + height // 2 + 1, max(0, column - width // 2) : column + width // 2 + 1
            ] = -np.inf
        return np.array(found)

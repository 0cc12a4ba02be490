"""Stand-ins that tests script."""

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Frame
from vitron_ros.tracking.box_tracker import BoxEstimate, View

FRAME_NS = 33_000_000


def frame(index: int = 0, *, width: int = 64, height: int = 48, stamp_ns: int | None = None, camera: str = "") -> Frame:
    """A grey frame; stamps begin at 1 s and go on at 30 Hz."""
    stamp_ns = 1_000_000_000 + index * FRAME_NS if stamp_ns is None else stamp_ns
    rgb = np.full((height, width, 3), 128, np.uint8)
    return Frame(rgb=rgb, stamp_ns=stamp_ns, camera=camera, frame_id="lens", index=index)


class ScriptedTracker:
    """Moves its box one pixel to the right a frame, and believes in it as much as the script says, then fully."""

    def __init__(self, scores: list[float] | None = None) -> None:
        self._scores = list(scores or [])
        self._box = np.zeros(4)

    def start(self, view: View, box_xyxy: Boxes) -> None:
        self._box = np.asarray(box_xyxy, np.float64)

    def step(self, view: View) -> BoxEstimate:
        self._box = self._box + np.array([1, 0, 1, 0])
        return BoxEstimate(self._box, self._scores.pop(0) if self._scores else 1.0)

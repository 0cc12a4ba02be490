"""What every box tracker can do, and the per-frame work that trackers share."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Frame


@dataclass(frozen=True, slots=True, eq=False)
class BoxEstimate:
    """Where a tracker believes its target to be.

    Attributes:
        box_xyxy: (4,) px, may reach outside the image.
        score: probability that the box covers the target with an IoU of 0.5 or more, in [0, 1].
    """

    box_xyxy: Boxes
    score: float


class View:
    """One frame as trackers see it. What several targets need of it is computed once, when first asked for.

    Not thread-safe: one worker owns a view.
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """(H, W) uint8."""
        return np.asarray(cv2.cvtColor(self.frame.rgb, cv2.COLOR_RGB2GRAY), np.uint8)


class BoxTracker(Protocol):
    """Follows one box. It never raises on a valid frame: what it cannot see gets a low score."""

    def start(self, view: View, box_xyxy: Boxes) -> None:
        """Take this box in this frame as the target, forgetting any earlier one. (4,) px, inside the image."""

    def step(self, view: View) -> BoxEstimate:
        """Where the target is in the next frame of the same size."""

"""What every box tracker can do, and the per-frame work that trackers share."""

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol, runtime_checkable

import cv2
import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Frame, Image
from vitron_ros.masks import CroppedMask


@dataclass(frozen=True, slots=True, eq=False)
class BoxEstimate:
    """A tracker's estimate of its target's box.

    Attributes:
        box_xyxy: (4,) px, may reach outside the image.
        score: probability that the box covers the target with an IoU of 0.5 or more, in [0, 1].
    """

    box_xyxy: Boxes
    score: float


class View:
    """One frame as trackers see it. What several targets need of it is computed once, when first asked for.

    Trackers in several threads may read one view.
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._levels = [_shared(frame.rgb)]
        self._grey_levels: dict[int, Image] = {}
        self._lock = threading.Lock()

    @cached_property
    def bgr(self) -> Image:
        """(H, W, 3) uint8, contiguous: the channel order of OpenCV's own trackers."""
        return np.asarray(cv2.cvtColor(self.frame.rgb, cv2.COLOR_RGB2BGR), np.uint8)

    def level(self, index: int, *, is_grey: bool = False) -> tuple[Image, int]:
        """The frame, in colours or in grey, made smaller `index` times by two, and the factor reached.

        No side falls below 16 px.

        Pixels are averaged in blocks of 2 x 2, so the pixel x, y of a level covers [x, x + 1) * factor of the frame.
        """
        with self._lock:
            while len(self._levels) <= index and min(self._levels[-1].shape[:2]) >= 32:
                rgb = self._levels[-1]
                height, width = rgb.shape[0] // 2, rgb.shape[1] // 2
                half = cv2.resize(rgb[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
                self._levels.append(_shared(half))
            index = min(index, len(self._levels) - 1)
            if is_grey and index not in self._grey_levels:
                grey = cv2.cvtColor(self._levels[index], cv2.COLOR_RGB2GRAY)
                self._grey_levels[index] = _shared(grey)
        return (self._grey_levels if is_grey else self._levels)[index], 2**index


def _shared(image: Image) -> Image:
    """The image, read-only and contiguous: of one type for compiled loops, whatever a camera sends."""
    shared = np.ascontiguousarray(image).view()
    shared.flags.writeable = False
    return shared


class BoxTracker(Protocol):
    """Follows one box. It never raises on a valid frame: what it cannot see gets a low score."""

    def start(self, view: View, box_xyxy: Boxes) -> None:
        """Take this box in this frame as the target, forgetting any earlier one. (4,) px, inside the image."""

    def step(self, view: View, *, redetect: bool = True) -> BoxEstimate:
        """Where the target is in the next frame of the same size.

        redetect: a lost target may be looked for elsewhere in the image, which costs more than following it.
        """


@runtime_checkable
class ParallelTracker(Protocol):
    """A tracker that says whether it may be stepped beside others in other threads: it shares nothing but the view."""

    is_parallel: ClassVar[bool]


@runtime_checkable
class AppearanceTracker(Protocol):
    """A tracker with an appearance model of its target, which can compare boxes with it."""

    def likeness(self, view: View, box_xyxy: Boxes) -> float:
        """How much a box (4,) px of any frame looks like the target when sure; about 1: alike, 0: not at all."""

    def reject(self) -> None:
        """What is followed is not the target: look for the target elsewhere."""


@runtime_checkable
class MaskTracker(Protocol):
    """A tracker that knows which pixels are its target's."""

    def mask(self, box_xyxy: Boxes) -> CroppedMask | None:
        """The target's pixels inside a box (4,) px of the frame that came last; None: there are none."""

"""A few images of the last seconds, far apart: what the model is shown."""

from collections import deque
from dataclasses import replace

from vitron_ros.frame import Frame
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.catch_up import TimedView


class Keyframes:
    """Views in order of time, at least `period_ns` apart but for those that were asked for.

    The clips of successive keyframes overlap in all but one frame, and hold the very same `Frame` objects, so that what
    a model has computed of one can be kept. Single-threaded: the camera's worker owns it.
    """

    def __init__(self, period_ns: int, count: int) -> None:
        self._period_ns = period_ns
        self._kept: deque[tuple[int, View, Frame]] = deque(maxlen=count)

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        self._kept.clear()

    def push(self, view: View, time_ns: int, *, force: bool = False) -> bool:
        """Offer the newest view; whether it was kept. One that is forced is kept however early it comes."""
        if self._kept and not force and time_ns - self._kept[-1][0] < self._period_ns:
            return False
        if not self._kept or self._kept[-1][0] != time_ns:
            frame = view.frame
            self._kept.append((time_ns, view, frame if frame.stamp_ns else replace(frame, stamp_ns=time_ns)))
        return True

    def clip(self) -> tuple[Frame, ...]:
        """The keyframes, oldest first. A frame without a stamp has the time of its arrival for one here."""
        return tuple(frame for _, _, frame in self._kept)

    def between(self, after_ns: int, before_ns: int) -> list[TimedView]:
        """The keyframes between two times, both exclusive."""
        return [(time_ns, view) for time_ns, view, _ in self._kept if after_ns < time_ns < before_ns]

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
        self._count = count
        self._kept: deque[tuple[int, View, Frame]] = deque(maxlen=count)

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        self._kept.clear()

    def push(self, view: View, time_ns: int, *, force: bool = False) -> bool:
        """Offer the newest view; whether it was kept. One that is forced is kept however early it comes."""
        if self._kept and not force and time_ns - self._kept[-1][0] < self._period_ns:
            return False
        if not self._is_newest(time_ns):
            self._kept.append((time_ns, view, _stamped(view.frame, time_ns)))
        return True

    def clip(self) -> tuple[Frame, ...]:
        """The keyframes, oldest first. A frame without a stamp has the time of its arrival for one here."""
        return tuple(frame for _, _, frame in self._kept)

    def clip_with(self, view: View, time_ns: int) -> tuple[Frame, ...]:
        """The clip as it would be with the newest view for its last; no keyframe is made of it."""
        newest = () if self._is_newest(time_ns) else (_stamped(view.frame, time_ns),)
        return (*self.clip(), *newest)[-self._count :]

    def between(self, after_ns: int, before_ns: int) -> list[TimedView]:
        """The keyframes between two times, both exclusive."""
        return [(time_ns, view) for time_ns, view, _ in self._kept if after_ns < time_ns < before_ns]

    def _is_newest(self, time_ns: int) -> bool:
        return bool(self._kept) and self._kept[-1][0] == time_ns


def _stamped(frame: Frame, time_ns: int) -> Frame:
    return frame if frame.stamp_ns else replace(frame, stamp_ns=time_ns)

"""Frames of a recording as a node gets them that takes its time: the newest image waits, and others are dropped."""

from collections.abc import Iterable, Iterator

from vitron_ros.clock import SECOND_NS
from vitron_ros.frame import Frame
from vitron_ros.offline.replayed_model import Latency


class LiveFrames:
    """The frames that are processed, in order; iterate once.

    An idle node begins with an image at its stamp. One that comes while another is processed waits, and is dropped for
    the next one that does: as the node's worker, and the same every time.

    Attributes:
        published_ns: when the tracks of a frame are out, by its index; of those processed so far.
        dropped: indices of the others, so far.
    """

    def __init__(self, frames: Iterable[Frame], latency: Latency) -> None:
        self.published_ns: dict[int, int] = {}
        self.dropped: list[int] = []
        self._frames = frames
        self._latency = latency
        self._free_ns = 0

    def __iter__(self) -> Iterator[Frame]:
        now_ns = 0
        waiting: Frame | None = None
        for frame in self._frames:
            now_ns = max(now_ns, frame.stamp_ns)  # an image that is out of order comes after its predecessor
            if waiting is not None and self._free_ns <= now_ns:
                yield self._begun(waiting, self._free_ns)
                waiting = None
            if self._free_ns <= now_ns:
                yield self._begun(frame, now_ns)
                continue
            if waiting is not None:
                self.dropped.append(waiting.index)
            waiting = frame
        if waiting is not None:
            yield self._begun(waiting, self._free_ns)

    def _begun(self, frame: Frame, at_ns: int) -> Frame:
        self._free_ns = self.published_ns[frame.index] = at_ns + round(self._latency(0.0) * SECOND_NS)
        return frame

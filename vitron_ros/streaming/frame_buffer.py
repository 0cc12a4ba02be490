"""What is kept of one camera's images: all of the last second, or since the model was asked, and a few before."""

from vitron_ros.frame import Frame
from vitron_ros.streaming.keyframes import Keyframes
from vitron_ros.streaming.ring import ViewRing
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.catch_up import TimedView


class FrameBuffer:
    """The dense ring and the sparse keyframes of one camera. Single-threaded: the camera's worker owns it.

    Args:
        history_ns: of the ring.
        keyframes: kept at most; 0: none are.
    """

    def __init__(self, history_ns: int, keyframe_period_ns: int, keyframes: int) -> None:
        self.ring = ViewRing(history_ns)
        self._keyframes = Keyframes(keyframe_period_ns, keyframes)
        self._keeps_keyframes = keyframes > 0

    def clear(self) -> None:
        self.ring.clear()
        self._keyframes.clear()

    def push(self, view: View, time_ns: int, *, force: bool, needed_ns: int | None = None) -> bool:
        """Keep the newest view; whether it is a keyframe.

        Args:
            force: it becomes one however early it comes.
            needed_ns: views from that time on are still needed.
        """
        self.ring.push(view, time_ns, needed_ns=needed_ns)
        return self._keeps_keyframes and self._keyframes.push(view, time_ns, force=force)

    def clip(self) -> tuple[Frame, ...]:
        """The keyframes, oldest first."""
        return self._keyframes.clip()

    def clip_to_newest(self) -> tuple[Frame, ...]:
        """The clip as it would be if the newest view were a keyframe; empty if there is none yet."""
        newest = self.ring.newest()
        return self._keyframes.clip_with(newest[0], self.ring.newest_ns) if newest and self._keeps_keyframes else ()

    def after(self, time_ns: int) -> list[TimedView]:
        """The views newer than that time, oldest first; keyframes only where the ring does not reach."""
        newer = self.ring.after(time_ns)
        return [*self._keyframes.between(time_ns, self.ring.oldest_ns), *newer] if newer else []

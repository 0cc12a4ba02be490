"""The last second or so of frames, for what was drawn or said about an image that is no longer the newest."""

from collections import deque

from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.catch_up import TimedView

MAX_BYTES = 256 * 2**20
LEAST = 4  # views that stay however old they are: a camera may send one in two seconds


class ViewRing:
    """Views in order of time, bounded in age and in bytes. Single-threaded: the camera's worker owns it."""

    def __init__(self, max_age_ns: int, max_bytes: int = MAX_BYTES) -> None:
        self._views: deque[tuple[int, View]] = deque()
        self._max_age_ns = max_age_ns
        self._max_bytes = max_bytes
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._views)

    def clear(self) -> None:
        self._views.clear()
        self._bytes = 0

    def push(self, view: View, time_ns: int, *, needed_ns: int | None = None) -> None:
        """Keep a view; the oldest that are out of bounds go. The newest always stays.

        Args:
            needed_ns: views from that time on stay however old they are, as the `LEAST` newest do, as long as there is
                room in bytes.
        """
        self._views.append((time_ns, view))
        self._bytes += view.frame.rgb.nbytes
        oldest_ns = time_ns - self._max_age_ns
        oldest_ns = oldest_ns if needed_ns is None else min(oldest_ns, needed_ns)
        while len(self._views) > 1 and (self._bytes > self._max_bytes or self._is_too_old(oldest_ns)):
            _, oldest = self._views.popleft()
            self._bytes -= oldest.frame.rgb.nbytes

    def _is_too_old(self, oldest_ns: int) -> bool:
        return len(self._views) > LEAST and self._views[0][0] < oldest_ns

    def newest(self) -> list[View]:
        """The newest view alone; empty if there is none."""
        return [self._views[-1][1]] if self._views else []

    def after(self, time_ns: int) -> list[TimedView]:
        """The views newer than that time, oldest first."""
        return [(at_ns, view) for at_ns, view in self._views if at_ns > time_ns]

    @property
    def oldest_ns(self) -> int:
        """Time of the oldest view. There must be one."""
        return self._views[0][0]

    @property
    def newest_ns(self) -> int:
        """Time of the newest view. There must be one."""
        return self._views[-1][0]

    def since(self, stamp_ns: int) -> list[View]:
        """The view with that stamp and all newer ones, oldest first; empty if it is no longer, or never was, here.

        Where no frame has exactly that stamp, the first one after it counts, if one before it is here too.
        """
        views = [view for time_ns, view in self._views if time_ns >= stamp_ns]
        if not views:
            return []
        is_covered = len(views) < len(self._views) or self._views[0][0] == stamp_ns
        return views if is_covered else []

"""The interval between a camera's images, and from it how long the camera may be silent."""

from collections import deque
from statistics import median

GAPS = 8  # that the period is the median of
PERIODS = 2.5  # without an image, before the camera counts as silent: any one image may be missing


class FrameInterval:
    """The times at which images came. Written by one thread, read by any."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._gaps_ns: deque[int] = deque(maxlen=GAPS)
        self._period_ns = 0

    @property
    def period_ns(self) -> int:
        """From one image to the next; 0: not known yet."""
        return self._period_ns

    @property
    def silent_after_ns(self) -> int:
        """How long no image may come before the camera counts as silent. No limit in seconds should be shorter."""
        return int(PERIODS * self._period_ns)

    def arrive(self, now_ns: int) -> None:
        """An image has come."""
        if self._last_ns is not None and now_ns > self._last_ns:
            self._gaps_ns.append(now_ns - self._last_ns)
            self._period_ns = int(median(self._gaps_ns))
        self._last_ns = now_ns

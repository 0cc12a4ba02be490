"""How fast a target moves in space, by its positions of the last half second."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from vitron_ros.clock import SECOND_NS

Array = NDArray[np.float64]

WINDOW_NS = SECOND_NS // 2
MIN_SPAN_NS = SECOND_NS // 10
MIN_POSITIONS = 3
MAX_GAP_NS = WINDOW_NS  # after which what came before says nothing
MAX_POSITIONS = 64  # of a camera that is faster the oldest are let go


class VelocityFilter:
    """The slope of a straight line through the positions of one target, by least squares."""

    def __init__(self) -> None:
        self._stamps: deque[int] = deque(maxlen=MAX_POSITIONS)
        self._positions: deque[Array] = deque(maxlen=MAX_POSITIONS)

    def update(self, stamp_ns: int, position: Array) -> Array:
        """The velocity (3,) m/s with a new position (3,) m; NaN: not known yet. A stamp that goes back starts anew."""
        if self._stamps and not 0 < stamp_ns - self._stamps[-1] <= MAX_GAP_NS:
            self._stamps.clear()
            self._positions.clear()
        self._stamps.append(stamp_ns)
        self._positions.append(position)
        while stamp_ns - self._stamps[0] > WINDOW_NS:
            self._stamps.popleft()
            self._positions.popleft()
        if len(self._stamps) < MIN_POSITIONS or stamp_ns - self._stamps[0] < MIN_SPAN_NS:
            return np.full(3, np.nan)
        time_s = (np.array(self._stamps) - stamp_ns) / SECOND_NS
        time_s -= time_s.mean()
        return np.asarray(time_s @ np.array(self._positions) / (time_s @ time_s))

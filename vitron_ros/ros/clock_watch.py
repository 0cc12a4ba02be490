"""Whether a node's clock runs: with `use_sim_time` it is as alive as whoever publishes /clock."""

import time

from rclpy.node import Node

PATIENCE_S = 1.0  # of a simulation that is slow


class ClockWatch:
    """Looks at a node's clock against steady time. One thread owns it."""

    def __init__(self, node: Node) -> None:
        self._clock = node.get_clock()
        self._now_ns = -1
        self._since_s = 0.0

    @property
    def problem(self) -> str:
        """That the clock has stopped, and since when; empty: it runs. Each look at it is one more observation."""
        now_ns, steady_s = int(self._clock.now().nanoseconds), time.monotonic()
        if now_ns != self._now_ns:
            self._now_ns, self._since_s = now_ns, steady_s
        if steady_s - self._since_s <= PATIENCE_S:
            return ""
        if not now_ns:
            return "use_sim_time is set, and nobody publishes /clock"
        return f"/clock has not advanced for {steady_s - self._since_s:.0f} s; its publisher is paused, or has ended"

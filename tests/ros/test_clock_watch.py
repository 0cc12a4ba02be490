"""A node's clock against steady time."""

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from vitron_ros.ros import clock_watch
from vitron_ros.ros.clock_watch import ClockWatch


@pytest.mark.parametrize(
    ("looks", "says"),
    [
        ([(0, 0.0), (0, 1.0)], ""),
        ([(0, 0.0), (0, 1.1)], "use_sim_time is set, and nobody publishes /clock"),
        ([(5, 0.0), (5, 9.0)], "/clock has not advanced for 9 s; its publisher is paused, or has ended"),
        ([(5, 0.0), (6, 9.0)], ""),
        ([(5, 0.0), (5, 9.0), (6, 10.0), (6, 10.9)], ""),
        ([(9, 0.0), (1, 2.0), (1, 2.5)], ""),
    ],
    ids=["patience", "never began", "stopped", "slow", "goes on", "begins anew"],
)
def test_a_clock_that_stands_still_is_told(monkeypatch, looks, says):
    monkeypatch.setattr(clock_watch, "PATIENCE_S", 1.0)
    clock = SimpleNamespace()
    watch = ClockWatch(SimpleNamespace(get_clock=lambda: clock))
    for now_s, steady_s in looks:
        clock.now = lambda now_s=now_s: SimpleNamespace(nanoseconds=now_s * 10**9)
        monkeypatch.setattr(clock_watch.time, "monotonic", lambda steady_s=steady_s: steady_s)
        problem = watch.problem
    assert problem == says

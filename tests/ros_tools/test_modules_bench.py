"""The benchmark of the modules: one short run over DDS, beside one module."""

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from vitron_ros.ros_tools.bench import modules


@pytest.mark.ros
def test_the_boxes_of_perception_are_timed_beside_a_working_module(monkeypatch):
    monkeypatch.setattr(modules, "NODES", ("generation",))
    rest, working = modules.measure(1.0, 1)
    assert (rest["module"], working["module"]) == ("none", "generation")
    assert rest["goals"] == 0 and working["goals"] > 0
    assert rest["processed"] > 0 and working["processed"] > 0 and working["age_ms_p99"] > 0

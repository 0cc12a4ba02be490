"""The benchmark of positions: both ways follow the same targets, and every image gets its depth."""

import json

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from vitron_ros.ros_tools.bench import positions


@pytest.mark.ros
def test_tracks_are_timed_with_and_without_positions(capsys):
    assert positions.run(10, counts=(2,)) == 0
    lines = capsys.readouterr().out.splitlines()
    (row,) = json.loads(lines[-1])["rows"]
    assert (row["targets"], row["placed"]) == (2, 1.0)
    assert row["tracks_with_ms_p50"] > 0 and row["tracks_without_ms_p50"] > 0 and row["positions_ms_p50"] > 0

"""The cameras' benchmark: its figures on made-up tracks, and one short run over DDS."""

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from std_msgs.msg import Header
from vitron_msgs.msg import TrackArray

from vitron_ros.cli import bench
from vitron_ros.ros.conversions import time_from_ns
from vitron_ros.ros_tools.bench.cameras import growth, measure, stream_figures

PERIOD_NS = int(1e9 / 15)


def arrival(camera, index, skipped=0, *, age_ms=20, load_shedding=0):
    stamp_ns = index * PERIOD_NS
    message = TrackArray(
        header=Header(stamp=time_from_ns(stamp_ns)), camera=camera, skipped=skipped, load_shedding=load_shedding
    )
    return stamp_ns + int(age_ms * 1e6), message


def test_images_that_were_dropped_and_lost_are_told_apart():
    figures = stream_figures(
        [
            arrival("left", 1000, skipped=7),
            arrival("right", 400, age_ms=40),
            arrival("left", 1001, skipped=7),
            arrival("right", 401, age_ms=60, load_shedding=2),
            arrival("left", 1004, skipped=8),  # 1002 was dropped by the node, 1003 lost on the way
        ]
    )
    counts = {name: figures[name] for name in ("sent", "processed", "dropped", "lost", "load_shedding")}
    assert counts == {"sent": 5, "processed": 3, "dropped": 1, "lost": 1, "load_shedding": 2}
    assert figures["age_ms_p50"] == pytest.approx(20)
    assert figures["age_ms_p99"] == pytest.approx(59.2)


def test_growth_is_told_by_factors_of_what_is_not_nothing():
    rows = [
        {"cameras": 1, "processed_hz": 15.0, "cpu_percent": 0, "age_ms_p50": 10.0, "age_ms_p99": 20.0},
        {"cameras": 4, "processed_hz": 60.0, "cpu_percent": 90, "age_ms_p50": 12.0, "age_ms_p99": 50.0},
    ]
    assert growth(rows) == "From 1 to 4 cameras: processed_hz x 4.00, age_ms_p50 x 1.20, age_ms_p99 x 2.50."


@pytest.mark.parametrize("words", ["", "0", "two", "1,-2", "1,99"])
def test_numbers_of_cameras_that_cannot_be_are_refused(words, capsys):
    with pytest.raises(SystemExit):
        bench.main(["cameras", "--cameras", words])
    assert "is not a list of numbers from 1 to 16, such as 1,2,4" in capsys.readouterr().err


@pytest.mark.ros
def test_two_cameras_are_followed_by_one_node():
    figures = measure(2, 2.0)
    assert figures["processed"] > 0
    assert figures["sent"] == figures["processed"] + figures["dropped"] + figures["lost"]
    assert figures["lost"] >= 0
    assert figures["age_ms_p50"] > 0
    assert figures["cpu_percent"] > 0

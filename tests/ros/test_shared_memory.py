"""Images too large for Fast DDS's default shared memory reach another process with the shipped setting."""

import os

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from vitron_ros.errors import SourceError
from vitron_ros.ros_tools.bench.transport import main, measure

pytestmark = pytest.mark.ros
COUNT = 30
IN_TURN = 0.0  # Hz: each image once the one before was answered, so that none is lost to a busy machine


def test_best_effort_vga_images_arrive_with_the_shipped_profile():
    row = measure("profile:profile", "640x480", IN_TURN, COUNT, int(os.environ["ROS_DOMAIN_ID"]))
    assert row["received"] == COUNT, row


def test_the_publishers_setting_is_the_one_that_counts():
    row = measure("profile:default", "640x480", IN_TURN, COUNT, int(os.environ["ROS_DOMAIN_ID"]))
    assert row["received"] == COUNT, row


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cases", "profile"], "PUBLISHER:SUBSCRIBER"),
        (["--cases", "profile:tcp"], "PUBLISHER:SUBSCRIBER"),
        (["--sizes", "640"], "WIDTHxHEIGHT"),
        (["--sizes", "0x480"], "WIDTHxHEIGHT"),
    ],
)
def test_the_benchmark_refuses_what_it_does_not_know(capsys, words, said):
    with pytest.raises(SystemExit):
        main(words)
    assert said in capsys.readouterr().err


def test_the_benchmark_says_which_process_failed():
    with pytest.raises(SourceError, match="profile:profile 640x480x3"):
        measure("profile:profile", "640x480x3", IN_TURN, 1, int(os.environ["ROS_DOMAIN_ID"]))

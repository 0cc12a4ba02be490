"""Processes that are killed, stopped and restarted while a goal runs."""

import signal

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Track

from vitron_ros.region import Region
from vitron_ros.ros.conversions import ns_from_time, region_message
from vitron_ros.ros.pattern_camera import frame_index, target_boxes
from vitron_ros.ros.probe import node_process

pytestmark = pytest.mark.ros
SIZE = ("--width", "320", "--height", "240")


def goal(probe):
    """For the target where it is in the newest image."""
    stamp = probe.tracks[-1][1].header.stamp
    box = target_boxes(frame_index(ns_from_time(stamp)), 1, 320, 240)[0]
    return TrackObject.Goal(region=[region_message(Region.from_box(box))], region_stamp=stamp)


def wait_for_tracks(probe, count=10):
    probe.tracks.clear()
    probe.spin_until(lambda: len(probe.tracks) >= count, 30, "tracks")
    return probe.tracks[-1][1].tracks


def test_a_camera_that_is_killed_and_restarted_finds_its_target_again(probe):
    with node_process("perception_node"):
        probe.wait_for_node()
        with node_process("pattern_camera", *SIZE) as camera:
            wait_for_tracks(probe, 3)
            handle = probe.send(goal(probe))
            assert wait_for_tracks(probe)[0].id == 1
            camera.send_signal(signal.SIGKILL)
            camera.wait()
        with node_process("pattern_camera", *SIZE):
            (track,) = wait_for_tracks(probe, 30)
            assert track.id == 1
            assert track.state == Track.TRACKED
            assert probe.cancel(handle).outcome == TrackObject.Result.CANCELED


def test_a_node_that_is_stopped_ends_its_goals_and_leaves_with_zero(probe):
    with node_process("perception_node") as node, node_process("pattern_camera", *SIZE):
        probe.wait_for_node()
        wait_for_tracks(probe, 3)
        handle = probe.send(goal(probe))
        wait_for_tracks(probe, 3)
        future = handle.get_result_async()
        node.send_signal(signal.SIGTERM)
        probe.spin_until(future.done, 20, "the result of a goal of a node that stops")
        assert future.result().result.outcome == TrackObject.Result.SHUTDOWN
        assert node.wait(20) == 0


def test_a_node_that_is_killed_can_be_restarted(probe):
    with node_process("pattern_camera", *SIZE):
        with node_process("perception_node") as node:
            probe.wait_for_node()
            wait_for_tracks(probe, 3)
            node.send_signal(signal.SIGKILL)
            node.wait()
        with node_process("perception_node"):
            wait_for_tracks(probe, 3)
            probe.wait_for_node()
            handle = probe.send(goal(probe))
            assert handle.accepted
            assert wait_for_tracks(probe)[0].state == Track.TRACKED

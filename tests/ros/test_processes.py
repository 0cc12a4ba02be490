"""Processes that are killed, stopped and restarted while a goal runs."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from action_msgs.msg import GoalStatus
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Track

from tests.ros.rig import WAIT_S
from vitron_ros.region import Region
from vitron_ros.ros.conversions import ns_from_time, region_message
from vitron_ros.ros.stale_shared_memory import LOCK_SUFFIX, MIN_AGE_S
from vitron_ros.ros_tools.pattern_camera import frame_index, target_boxes
from vitron_ros.ros_tools.probe import node_process

pytestmark = pytest.mark.ros
SIZE = ("--width", "320", "--height", "240")
PATIENCE = ("--ros-args", "-p", "history:=10.0", "-p", "timeout:=60.0")  # whatever a busy machine holds up
START_S = 120.0  # for a process that imports all that a node needs


def goal(probe):
    """For the target where it is in the newest image."""
    stamp = probe.tracks[-1][1].header.stamp
    box = target_boxes(frame_index(ns_from_time(stamp)), 1, 320, 240)[0]
    return TrackObject.Goal(region=[region_message(Region.from_box(box))], region_stamp=stamp)


def wait_for_tracks(probe, count=3):
    probe.tracks.clear()
    probe.spin_until(lambda: len(probe.tracks) >= count, START_S, "tracks")


def wait_for_target(probe):
    """The only target, once it is seen in an image that comes from now on."""
    probe.tracks.clear()

    def is_seen():
        return probe.tracks and [track.state for track in probe.tracks[-1][1].tracks] == [Track.TRACKED]

    probe.spin_until(is_seen, WAIT_S, "the target")
    return probe.tracks[-1][1].tracks[0]


def test_a_camera_that_is_killed_and_restarted_finds_its_target_again(probe):
    with node_process("ros.perception_node", *PATIENCE):
        probe.wait_for_node(START_S)
        with node_process("ros_tools.pattern_camera", *SIZE) as camera:
            wait_for_tracks(probe)
            handle = probe.send(goal(probe))
            assert wait_for_target(probe).id == 1
            camera.send_signal(signal.SIGKILL)
            camera.wait()
        with node_process("ros_tools.pattern_camera", *SIZE):
            wait_for_tracks(probe, 30)
            assert wait_for_target(probe).id == 1
            assert probe.cancel(handle).error_code == TrackObject.Result.CANCELED


def test_a_node_that_is_stopped_ends_its_goals_and_leaves_with_zero(probe):
    with node_process("ros.perception_node", *PATIENCE) as node, node_process("ros_tools.pattern_camera", *SIZE):
        probe.wait_for_node(START_S)
        wait_for_tracks(probe)
        handle = probe.send(goal(probe))
        wait_for_target(probe)
        owned = segments_of(node)
        assert owned
        future = handle.get_result_async()
        node.send_signal(signal.SIGTERM)
        probe.spin_until(future.done, WAIT_S, "the result of a goal of a node that stops")
        assert future.result().result.error_code == TrackObject.Result.SHUTDOWN
        assert node.wait(WAIT_S) == 0
        assert not [segment for segment in owned if segment.exists()], "its shared memory goes with it"


def test_a_node_whose_clock_stands_still_can_be_stopped(probe):
    with node_process("ros.perception_node", "--ros-args", "-p", "use_sim_time:=true") as node:
        probe.wait_for_node(START_S)
        node.send_signal(signal.SIGTERM)
        assert node.wait(WAIT_S) == 0


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"RMW_IMPLEMENTATION": "rmw_none_cpp"}, "RMW_IMPLEMENTATION is rmw_none_cpp"),
        ({"ROS_DOMAIN_ID": "abc"}, "ROS_DOMAIN_ID is abc"),
        ({"ROS_LOG_DIR": "/proc/none"}, "/proc/none"),
    ],
)
def test_a_node_that_the_environment_keeps_from_starting_names_what_is_wrong(environment, says):
    command = [sys.executable, "-m", "vitron_ros.ros.perception_node"]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=START_S)
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


@contextmanager
def launched(module, *arguments):
    """A process that is started again after it died, as the launch file has it; the list grows with each start."""
    started, stopping = [], threading.Event()

    def supervise():
        while not stopping.is_set():
            with node_process(module, *arguments) as process:
                started.append(process)
                process.wait()
            stopping.wait(MIN_AGE_S)  # the launch file's delay is longer

    thread = threading.Thread(target=supervise)
    thread.start()
    try:
        yield started
    finally:
        stopping.set()
        started[-1].send_signal(signal.SIGINT)
        thread.join(60)
        assert not thread.is_alive()


def segments_of(process):
    """The shared memory that a process owns: of what is its own, it keeps a lock."""
    links = [str(descriptor.readlink()) for descriptor in Path(f"/proc/{process.pid}/fd").iterdir()]
    locks = [Path(link) for link in links if link.endswith(LOCK_SUFFIX) and "_port" not in link]
    return [lock.with_name(lock.name.removesuffix(LOCK_SUFFIX)) for lock in locks]


def test_a_node_that_is_killed_is_started_again_and_leaves_no_shared_memory(probe):
    with node_process("ros_tools.pattern_camera", *SIZE), launched("ros.perception_node", *PATIENCE) as started:
        probe.wait_for_node(START_S)
        wait_for_tracks(probe)
        old = probe.send(goal(probe))
        assert old.accepted
        wait_for_target(probe)
        owned = segments_of(started[0])
        assert owned
        started[0].kill()
        probe.spin_until(lambda: len(started) == 2, WAIT_S, "the second start")
        probe.spin_until(lambda: not probe.tracks[-1][1].tracks, START_S, "a node that knows nothing of the old goal")
        assert not [segment for segment in owned if segment.exists()]
        probe.wait_for_node()
        probe.settle()
        future = old.get_result_async()
        probe.spin_until(future.done, WAIT_S, "what became of the old goal")
        assert future.result().status == GoalStatus.STATUS_UNKNOWN
        assert probe.send(goal(probe)).accepted
        wait_for_target(probe)

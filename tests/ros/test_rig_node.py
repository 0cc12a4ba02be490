"""The node rig over real DDS: one id for two cameras, one goal for both, and what it refuses."""

import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from geometry_msgs.msg import Point
from rclpy.action import ActionClient
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Track3D, Track3DArray, TrackArray

from tests.ros.colour_model import ColourModel
from tests.ros.rig import WAIT_S, running, running_node
from vitron_ros.region import Region
from vitron_ros.ros import qos, remote_action
from vitron_ros.ros.conversions import image_message, ns_from_time, region_message
from vitron_ros.ros.rig_node import RigNode
from vitron_ros.ros_tools.pattern_camera import circle_pictures

pytestmark = pytest.mark.ros
CAMERAS = ["left", "right"]
PHRASE = "the purple mug"  # the colour model looks for the colour alone


class Cameras:
    """Publishes pictures with a purple circle on both cameras' images, and positions of their tracks beside them."""

    def __init__(self, probe):
        self.probe = probe
        self.pictures = circle_pictures(320, 240)
        self.index = 0
        self.places = {"left": (2.0, 0.5, 0.3), "right": (2.0, 0.5, 0.3)}
        self.frames = dict.fromkeys(CAMERAS, "base_link")
        self.merged = []
        self._images = {
            name: probe.create_publisher(Image, f"{name}/image", qos.IMAGE["sensor_data"]) for name in CAMERAS
        }
        self._tracks = {name: probe.create_publisher(Track3DArray, f"{name}/tracks_3d", qos.TRACKS) for name in CAMERAS}
        probe.create_subscription(Track3DArray, "rig/tracks_3d", self.merged.append, qos.TRACKS)
        self.rig = ActionClient(probe, TrackObject, "rig/track", **qos.GOAL_SERVICES)
        self.feedback = []

    def show(self):
        stamp = self.probe.get_clock().now()
        for name in CAMERAS:
            header = Header(stamp=stamp.to_msg(), frame_id="lens")
            self._images[name].publish(image_message(self.pictures[self.index % len(self.pictures)], header))
        self.index += 1
        self.probe.spin_for(1 / 30)

    def place(self, ids):
        """Publish a position for each camera's newest track."""
        stamp = self.probe.get_clock().now().to_msg()
        for name, (x, y, z) in self.places.items():
            if name in ids:
                track = Track3D(id=ids[name], phrase=PHRASE, status=Track3D.OK, position=Point(x=x, y=y, z=z))
                track.covariance = np.diag([1e-3] * 3).ravel()
                header = Header(stamp=stamp, frame_id=self.frames[name])
                self._tracks[name].publish(Track3DArray(header=header, camera=name, tracks=[track]))

    def run_until(self, condition, step=lambda: None):
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            self.show()
            step()

    def send(self, **fields):
        goal = TrackObject.Goal(**fields)
        future = self.rig.send_goal_async(goal, feedback_callback=lambda said: self.feedback.append(said.feedback))
        self.probe.spin_until(future.done, 20)
        return future.result()

    def wait_for_rig(self):
        self.probe.spin_until(self.rig.server_is_ready, 30)
        self.probe.settle("rig")
        self.probe.spin_for(remote_action.SETTLE_S)

    def result(self, handle):
        future = handle.get_result_async()
        self.run_until(future.done)
        return future.result().result


@pytest.fixture
def cameras(probe):
    made = Cameras(probe)
    yield made
    made.rig.destroy()


@pytest.fixture
def rig():
    with running(RigNode, cameras=CAMERAS, feedback_rate=1000.0, timeout=60.0) as node:
        yield node


def camera_ids(probe):
    """The id that perception gave the target of each camera."""
    return {message.camera: message.tracks[0].id for _, message in probe.tracks if message.tracks}


def test_one_goal_for_all_cameras_gives_one_id(probe, cameras, rig):
    for name in CAMERAS:
        probe.create_subscription(
            TrackArray, f"{name}/tracks", lambda message: probe.tracks.append((0, message)), qos.TRACKS
        )
    with running_node(lambda name, run: ColourModel(), model="colours", cameras=CAMERAS, feedback_rate=1000.0):
        cameras.wait_for_rig()
        handle = cameras.send(prompt=PHRASE)
        assert handle.accepted
        cameras.run_until(lambda: len(camera_ids(probe)) == 2)
        ids = camera_ids(probe)
        assert ids["left"] != ids["right"], "each camera has its own track"
        cameras.run_until(
            lambda: len({message.camera for message in cameras.merged if message.tracks}) == 2,
            step=lambda: cameras.place(ids),
        )
        assert {track.id for message in cameras.merged for track in message.tracks} == {1}
        cameras.feedback.clear()
        cameras.run_until(lambda: cameras.feedback and cameras.feedback[-1].tracks.tracks)
        assert [track.id for track in cameras.feedback[-1].tracks.tracks] == [1]
        assert cameras.feedback[-1].phase == TrackObject.Feedback.TRACKING
        handle.cancel_goal_async()
        assert cameras.result(handle).error_code == TrackObject.Result.CANCELED
        cameras.run_until(lambda: not probe.tracks[-1][1].tracks)


def test_targets_that_are_apart_have_two_ids(probe, cameras, rig):
    cameras.wait_for_rig()
    cameras.places["right"] = (2.0, -0.8, 0.3)
    cameras.run_until(
        lambda: len({message.camera for message in cameras.merged if message.tracks}) == 2,
        step=lambda: cameras.place({"left": 7, "right": 8}),
    )
    assert {track.id for message in cameras.merged for track in message.tracks} == {1, 2}


def test_a_position_that_is_not_believed_makes_the_target_less_sure(probe, cameras, rig):
    cameras.wait_for_rig()
    cameras.run_until(lambda: len(cameras.merged) >= 5, step=lambda: cameras.place({"left": 7}))
    before = cameras.merged[-1].tracks[0]
    cameras.merged.clear()
    cameras.places["left"] = (2.0, 8.0, 0.3)

    def unsure():
        return [track for message in cameras.merged for track in message.tracks
                if track.id == 1 and track.covariance[0] > before.covariance[0]]  # fmt: skip

    cameras.run_until(unsure, step=lambda: cameras.place({"left": 7}))
    assert abs(unsure()[0].position.y - before.position.y) < 0.3


def test_positions_in_different_frames_are_not_compared(probe, cameras, rig, capfd):
    cameras.wait_for_rig()
    cameras.frames["right"] = "right_lens"
    said = []

    def step():
        cameras.place({"left": 7, "right": 8})
        said.append(capfd.readouterr().err)

    cameras.run_until(lambda: "set target_frame of perception" in "".join(said), step)
    since_ns = probe.get_clock().now().nanoseconds  # what was placed before may still be on its way
    for _ in range(5):
        cameras.show()
        step()
    assert all(ns_from_time(message.header.stamp) < since_ns for message in cameras.merged)


@pytest.mark.parametrize(
    "fields",
    [{}, {"prompt": PHRASE, "camera": "left"}, {"region": [region_message(Region.from_box([1, 1, 9, 9]))]}],
    ids=["empty", "one camera", "a region"],
)
def test_a_goal_that_is_not_for_all_cameras_is_rejected(probe, cameras, rig, fields):
    cameras.wait_for_rig()
    assert not cameras.send(**fields).accepted


def test_a_rig_without_cameras_stays_unconfigured(probe, capfd):
    with running(RigNode) as node:
        probe.spin_for(0.5)
        assert node.stage == "unconfigured"
    assert "cameras is empty" in capfd.readouterr().err

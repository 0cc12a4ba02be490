"""Targets in space as clients of the node hear of them: depth, calibration and images over real DDS."""

import types
from array import array

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped, Quaternion, Transform, TransformStamped, Vector3
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import Marker, MarkerArray
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Region, Track3D, Track3DArray

from tests.ros.rig import Camera, running_node
from vitron_ros.errors import ConfigError
from vitron_ros.ros import qos, transforms
from vitron_ros.ros.conversions import ns_from_time
from vitron_ros.ros_tools.pattern_camera import target_boxes

pytestmark = pytest.mark.ros
FOCAL, NEAR, WALL = 300.0, 2.0, 5.0


class DepthCamera(Camera):
    """Publishes calibration and depth with each picture: the first target is 2 m away, the other 2.5, the wall 5."""

    def __init__(self, probe, **changes):
        super().__init__(probe)
        self.changes = changes
        self.numbers = {}  # of the pictures, by their stamps
        width, height = self.size
        self._infos = probe.create_publisher(CameraInfo, "camera_info", qos.IMAGE["sensor_data"])
        self._depths = probe.create_publisher(Image, "depth", qos.IMAGE["sensor_data"])
        self.k = [FOCAL, 0.0, width / 2 - 0.5, 0.0, FOCAL, height / 2 - 0.5, 0.0, 0.0, 1.0]

    def connect(self):
        super().connect()
        for publisher in (self._infos, self._depths):
            self._probe.spin_until(lambda made=publisher: made.get_subscription_count() > 0, 20, "subscriptions")
        return self

    def boxes(self, index):
        return target_boxes(index, self.targets, *self.size)

    def publish(self, message=None):
        message = message or self.message()
        self.numbers[ns_from_time(message.header.stamp)] = self.index
        width, height = self.size
        metres = np.full((height, width), WALL)
        for number, (left, top, right, bottom) in enumerate(self.boxes(self.index).astype(int)):
            metres[top:bottom, left:right] = NEAR + 0.5 * number
        values = np.round(metres * self.changes.get("unit", 1000)).astype("<u2")
        header = message.header
        self._infos.publish(CameraInfo(header=header, width=width, height=height, k=self.changes.get("k", self.k),
                                       distortion_model="plumb_bob", d=[0.0] * 5))  # fmt: skip
        self._depths.publish(Image(header=header, width=width, height=height, encoding="16UC1", step=2 * width,
                                   data=array("B", values.tobytes())))  # fmt: skip
        return super().publish(message)

    def position(self, header, number=0):
        """Where a target was in the picture of that header, (3,) m."""
        box = self.boxes(self.numbers[ns_from_time(header.stamp)])[number]
        middle, distance = (box[:2] + box[2:] - self.size) / 2, NEAR + 0.5 * number
        return np.array([*(middle / FOCAL * distance), distance])


def follow(camera, probe, number=0):
    box = [float(value) for value in camera.boxes(camera.index)[number]]
    region = Region(kind=Region.BOX, x=[box[0], box[2]], y=[box[1], box[3]])
    handle = probe.send(TrackObject.Goal(region=[region], prompt=f"square {number}"))
    assert handle.accepted
    return handle


def heard(probe, kind, topic):
    seen = []
    probe.create_subscription(kind, topic, seen.append, qos.TRACKS)
    return seen


def distance(point, truth):
    return np.linalg.norm([point.x, point.y, point.z] - truth)


def test_a_target_has_a_position_a_pose_and_markers(probe):
    with running_node(publish_3d=True):
        arrays = heard(probe, Track3DArray, "tracks_3d")
        poses = heard(probe, PoseWithCovarianceStamped, "target_pose")
        markers = heard(probe, MarkerArray, "markers")
        camera = DepthCamera(probe).connect()
        handle = follow(camera, probe)
        follow(camera, probe, 1)
        camera.hold_until(lambda: arrays and len([t for t in arrays[-1].tracks if t.status == Track3D.OK]) == 2)

        def is_placed():
            newest = arrays[-1]
            return (
                poses and markers and newest.depth_stamp == newest.header.stamp == poses[-1].header.stamp
                and all(track.status == Track3D.OK and not np.isnan(track.velocity.x) for track in newest.tracks)
            )  # fmt: skip

        camera.run_until(is_placed)
        array_, pose = arrays[-1], poses[-1]
        first, second = array_.tracks
        assert array_.header.frame_id == pose.header.frame_id == "lens"
        assert array_.header.stamp in [message.header.stamp for _, message in probe.tracks]
        assert (first.phrase, second.phrase) == ("square 0", "square 1")
        assert distance(first.position, camera.position(array_.header)) < 0.02 * NEAR
        assert distance(second.position, camera.position(array_.header, 1)) < 0.02 * NEAR
        assert distance(pose.pose.pose.position, camera.position(pose.header)) < 0.02 * NEAR
        assert pose.pose.pose.orientation.w == 1.0
        covariance = np.reshape(pose.pose.covariance, (6, 6))
        assert (np.linalg.eigvalsh(covariance) > 0).all()
        shown = {(marker.ns, marker.id): marker for marker in markers[-1].markers}
        assert shown["boxes", first.id].type == Marker.CUBE
        assert "#1 square 0 2." in shown["names", first.id].text

        probe.cancel(handle)
        camera.run_until(lambda: [track.id for track in arrays[-1].tracks] == [second.id])
        poses.clear()
        camera.run_until(lambda: poses)
        found = distance(poses[-1].pose.pose.position, camera.position(poses[-1].header, 1))
        assert found < 0.02 * NEAR, "the next target's turn"


def test_nobody_asks_for_depth_by_default(probe):
    with running_node():
        camera = Camera(probe).connect()
        camera.run_until(lambda: probe.tracks)
        topics = {name for name, _ in probe.get_topic_names_and_types()}
        assert "/tracks" in topics
        assert not topics & {"/depth", "/camera_info", "/tracks_3d", "/target_pose", "/markers"}


def test_every_camera_has_its_own_topics(probe):
    with running_node(publish_3d=True, cameras=["front", "arm/wrist"]):
        wanted = {f"/{camera}/{topic}" for camera in ("front", "arm/wrist")
                  for topic in ("depth", "camera_info", "tracks_3d", "target_pose", "markers")}  # fmt: skip
        probe.spin_until(lambda: wanted <= {name for name, _ in probe.get_topic_names_and_types()}, 20, "the topics")


def test_a_depth_topic_that_nobody_publishes_on_is_named(probe):
    with running_node(publish_3d=True, diagnostics_period=0.2, depth_wait=0.05):
        arrays = heard(probe, Track3DArray, "tracks_3d")
        infos = probe.create_publisher(CameraInfo, "camera_info", qos.IMAGE["sensor_data"])
        camera = Camera(probe).connect()
        width, height = camera.size
        k = [FOCAL, 0.0, 160.0, 0.0, FOCAL, 120.0, 0.0, 0.0, 1.0]
        box = target_boxes(camera.index, camera.targets, *camera.size)[0].tolist()
        region = Region(kind=Region.BOX, x=[box[0], box[2]], y=[box[1], box[3]])
        probe.send(TrackObject.Goal(region=[region]))

        def is_said():
            infos.publish(CameraInfo(width=width, height=height, k=k))
            return any("nobody publishes on /depth" in s.message for _, d in probe.diagnostics for s in d.status)

        camera.run_until(is_said)
        assert arrays[-1].tracks[0].status == Track3D.NO_DEPTH


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"unit": 1}, Track3D.WRONG_UNIT, "look like metres"),
        ({"k": [0.0] * 9}, Track3D.BAD_CAMERA_INFO, "not calibrated"),
    ],
)
def test_what_is_wrong_with_depth_is_said_and_no_pose_is_made_up(probe, changes, status, said):
    with running_node(publish_3d=True, diagnostics_period=0.2):
        arrays = heard(probe, Track3DArray, "tracks_3d")
        poses = heard(probe, PoseWithCovarianceStamped, "target_pose")
        camera = DepthCamera(probe, **changes).connect()
        follow(camera, probe)
        camera.run_until(lambda: arrays and arrays[-1].tracks)
        camera.run_until(lambda: any(said in s.message for _, d in probe.diagnostics for s in d.status))
        found = next(s for _, d in probe.diagnostics for s in d.status if said in s.message)
        assert found.level == DiagnosticStatus.WARN
        camera.run_until(lambda: arrays[-1].tracks[0].status == status)  # depth may be late for an image
        assert np.isnan(arrays[-1].tracks[0].position.x)
        assert probe.tracks[-1][1].tracks, "tracks go on"
        assert poses == []


def test_without_tf2_a_target_frame_is_refused_by_name(probe, monkeypatch):
    monkeypatch.setattr(transforms, "tf2_ros", None)
    with pytest.raises(ConfigError, match=r"target_frame=base_link needs tf2.*tf2-ros-py"):
        transforms.TransformSource(probe, "base_link")
    with running_node(publish_3d=True, target_frame="base_link", autostart=False) as node:
        assert node.trigger_configure() == TransitionCallbackReturn.FAILURE


class TransformException(Exception):
    pass


class KnownTransform:
    """As much of tf2_ros.Buffer as is used: the camera looks along the robot's x axis, 1 m before its origin."""

    def lookup_transform(self, target, source, time):
        if (target, source) != ("base_link", "lens"):
            raise TransformException(source)
        turn = Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)
        return TransformStamped(transform=Transform(translation=Vector3(x=1.0), rotation=turn))


def test_poses_are_in_the_target_frame_by_tf2(probe, monkeypatch):
    """tf2_ros has no wheel; this stands in for its buffer and its listener, with the messages of the real ones."""
    listener = types.SimpleNamespace(unregister=lambda: None)
    fake = types.SimpleNamespace(
        Buffer=KnownTransform, TransformException=TransformException, TransformListener=lambda buffer, node: listener
    )
    monkeypatch.setattr(transforms, "tf2_ros", fake)
    with running_node(publish_3d=True, target_frame="base_link"):
        poses = heard(probe, PoseWithCovarianceStamped, "target_pose")
        camera = DepthCamera(probe).connect()
        follow(camera, probe)
        camera.hold_until(lambda: poses)
        assert poses[-1].header.frame_id == "base_link"
        assert poses[-1].pose.pose.position.x == pytest.approx(1.0 + NEAR, abs=0.02 * NEAR)

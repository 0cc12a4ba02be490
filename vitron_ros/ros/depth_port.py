"""What one camera of the perception node takes and says of space: depth and camera_info in, positions out."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import MarkerArray
from vitron_msgs.msg import Track3DArray

from vitron_ros.config import PerceptionConfig
from vitron_ros.errors import CalibrationError, ImageError
from vitron_ros.geometry.camera_model import camera_model, info_topic
from vitron_ros.geometry.depth_image import depth_image
from vitron_ros.geometry.localizer import Localizer, Lookup, PositionSummary, Tracks3D, tracked_image
from vitron_ros.ros import qos
from vitron_ros.ros.logs import camera_words
from vitron_ros.ros.managed_node import ManagedNode
from vitron_ros.ros.markers import marker_array
from vitron_ros.ros.messages_3d import target_pose, track_3d_array
from vitron_ros.streaming.pipeline import Report
from vitron_ros.streaming.worker import Command

try:
    from vision_msgs.msg import Detection3DArray

    from vitron_ros.ros.detections_3d import detection_3d_array
except ImportError:  # there is no wheel of it; an apt ROS has it
    Detection3DArray = None

MAX_ARRIVED = 8  # depth images that the worker has not looked at yet; the oldest is dropped
MAX_SAID = 20  # problems that are logged once each


class DepthPort:
    """Subscriptions live from activate to deactivate, publishers as long as `node` is configured.

    Messages come in by the executor's thread; the localizer belongs to the camera's worker, which is woken for them.

    Args:
        prefix: of the camera's topics.
        lookup: of transforms to `target_frame`; None: positions stay in the camera's frame.
    """

    def __init__(self, node: ManagedNode, prefix: str, config: PerceptionConfig, lookup: Lookup | None) -> None:
        self.config = config
        self._summary = PositionSummary()
        self._node = node
        self._lookup = lookup
        self._depth_topic = f"{prefix}depth"
        image_topic = node.resolve_topic_name(f"{prefix}image")
        self._info_topic = info_topic(image_topic)
        self._depth_info_topic = info_topic(node.resolve_topic_name(self._depth_topic))
        self._subscriptions: list[Any] = []
        self._arrived: deque[Image] = deque(maxlen=MAX_ARRIVED)
        self._is_posted = False
        self._infos: dict[bool, tuple[Any, ...]] = {}
        self._said: set[str] = set()
        self._tracks = node.managed_publisher(Track3DArray, f"{prefix}tracks_3d", qos.TRACKS)
        self._pose = node.managed_publisher(PoseWithCovarianceStamped, f"{prefix}target_pose", qos.TRACKS)
        self._markers = node.managed_publisher(MarkerArray, f"{prefix}markers", qos.TRACKS)
        self._detections = (
            node.managed_publisher(Detection3DArray, f"{prefix}detections_3d", qos.TRACKS) if Detection3DArray else None
        )

    def activate(self, post: Callable[[Command], None]) -> None:
        """Let depth and calibrations in. post: runs something in the camera's worker."""
        localizer = Localizer(self.config, self.config.target_frame, self._lookup)
        self._localizer, self._post = localizer, post
        self._infos.clear()
        self._arrived.clear()
        self._is_posted = False
        self._said.clear()
        self._summary = PositionSummary()
        profile = qos.IMAGE[self.config.image_qos]
        topics: list[tuple[Any, str, Callable[[Any], None]]] = [
            (CameraInfo, self._info_topic, lambda message: self._on_info(message, is_of_depth=False)),
            (Image, self._depth_topic, self._on_depth),
        ]
        if self._depth_info_topic != self._info_topic:
            topics.append(
                (CameraInfo, self._depth_info_topic, lambda message: self._on_info(message, is_of_depth=True))
            )
        for kind, topic, callback in topics:  # one that cannot be made leaves the others to `deactivate`
            overridable = qos.overridable(self._node, "subscription", topic, profile)
            self._subscriptions.append(self._node.create_subscription(kind, topic, callback, **overridable))

    def deactivate(self) -> None:
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())

    def reconfigure(self, config: PerceptionConfig) -> None:
        self.config = config
        if self._subscriptions:
            self._localizer.config = config

    @property
    def summary(self) -> PositionSummary:
        """What became of the targets' positions; where something is wrong, with the topics that nobody publishes on."""
        summary = self._summary
        topics = [subscription.topic_name for subscription in self._subscriptions[:2]]
        silent = [topic for topic in topics if not self._node.count_publishers(topic)]
        if not (summary.problem and silent):
            return summary
        return replace(summary, problem=f"{summary.problem}; nobody publishes on {' and '.join(silent)}")

    def deliver(self, report: Report) -> None:
        """The tracks of an image, after they were published. Called by the camera's worker."""
        if (frame := report.frame) is None:
            return
        self._localizer.add_image(tracked_image(frame, report.tracks, report.silhouettes))
        self._publish()

    def _publish(self) -> None:
        for result in self._localizer.take():
            self._tracks.publish(track_3d_array(result))
            pose = target_pose(result)
            if pose is not None:
                self._pose.publish(pose)
            if self._markers.get_subscription_count():
                self._markers.publish(marker_array(result))
            if self._detections is not None and self._detections.get_subscription_count():
                self._detections.publish(detection_3d_array(result))
            self._tell(result)

    def _tell(self, result: Tracks3D) -> None:
        """Every problem is logged once."""
        self._summary = PositionSummary(counts=dict(self._localizer.counts), problem=result.problem)
        if result.problem and result.problem not in self._said and len(self._said) < MAX_SAID:
            self._said.add(result.problem)
            self._node.get_logger().warning(f"{camera_words(result.camera)}: no positions: {result.problem}")

    def _on_depth(self, message: Image) -> None:
        self._arrived.append(message)
        if not self._is_posted:
            self._is_posted = True
            self._post(lambda pipeline: self._take_depth())

    def _take_depth(self) -> None:
        self._is_posted = False  # before the queue is emptied: what comes from now on is posted again
        while self._arrived:
            try:
                self._localizer.add_depth(depth_image(self._arrived.popleft()))
            except ImageError as error:
                self._localizer.refuse_depth(str(error))
        self._publish()

    def _on_info(self, message: CameraInfo, *, is_of_depth: bool) -> None:
        """Most say what the one before said."""
        said = _content(message)
        if self._infos.get(is_of_depth) != said:
            self._infos[is_of_depth] = said
            self._post(lambda pipeline: self._take_info(message, is_of_depth=is_of_depth))

    def _take_info(self, message: CameraInfo, *, is_of_depth: bool) -> None:
        try:
            camera = camera_model(message, is_rectified=self.config.images_rectified)
        except CalibrationError as error:
            if not is_of_depth:
                self._localizer.refuse_camera(str(error))
        else:
            (self._localizer.set_depth_camera if is_of_depth else self._localizer.set_camera)(camera)


def _content(info: CameraInfo) -> tuple[Any, ...]:
    """All but the header."""
    numbers = tuple(tuple(values) for values in (info.d, info.k, info.p))
    return (info.width, info.height, info.distortion_model, *numbers, info.binning_x, info.binning_y, str(info.roi))

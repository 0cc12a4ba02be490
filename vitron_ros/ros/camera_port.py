"""One camera of the perception node: its topics and its worker."""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from sensor_msgs.msg import CompressedImage, Image
from vitron_msgs.msg import TrackArray

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PerceptionConfig
from vitron_ros.errors import ConfigError, InactiveError
from vitron_ros.frame import Frame
from vitron_ros.geometry.localizer import Lookup, PositionSummary
from vitron_ros.grounding.request import LanguageVision, ModelReply, ModelRequest, Task
from vitron_ros.images.draw import draw_tracks
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import frame_from_message, header_of, image_message, track_array
from vitron_ros.ros.depth_port import DepthPort
from vitron_ros.ros.image_topic import image_topic
from vitron_ros.ros.logs import camera_words
from vitron_ros.ros.managed_node import ManagedNode
from vitron_ros.streaming.load_shedding import LoadSheddingLevel
from vitron_ros.streaming.overlays import overlays
from vitron_ros.streaming.pipeline import CameraPipeline, Report
from vitron_ros.streaming.sequence import SequenceGaps
from vitron_ros.streaming.statistics import StreamSummary
from vitron_ros.streaming.worker import CameraWorker, Command
from vitron_ros.tracking.track import TrackSnapshot
from vitron_ros.tracking.trackers import make_tracker

try:
    from vision_msgs.msg import Detection2DArray

    from vitron_ros.ros.detections import detection_array
except ImportError:  # there is no wheel of it; an apt ROS has it
    Detection2DArray = None


def unknown_camera(name: str, names: Iterable[str]) -> str:
    """What is wrong with a goal that names a camera that is not there."""
    known = ", ".join(repr(other) for other in names if other)
    if not known:
        return f"there is no camera {name!r}: the node's only camera has no name; leave camera empty"
    return f"there is no camera {name!r}; there are {known}" if name else f"say which camera; there are {known}"


class CameraPort:
    """The subscription and the worker live from activate to deactivate, publishers as long as `node` is configured.

    Args:
        name: the camera's name and the namespace of its topics; empty: topics without a namespace.
        deliver: takes each report after its tracks were published. Called by the worker's thread.
        crashed: called by the worker's thread if it dies.
        model: what answers prompts; None: there is none.
        lookup: of transforms to `target_frame`; None: positions stay in the camera's frame.
    """

    def __init__(
        self,
        node: ManagedNode,
        name: str,
        config: PerceptionConfig,
        ids: "itertools.count[int]",
        deliver: "Callable[[CameraPort, Report], None]",
        crashed: Callable[[], None],
        model: LanguageVision | None,
        lookup: Lookup | None = None,
    ) -> None:
        self.name = name
        self.config = config
        self.last_frame: Frame | None = None
        self._node = node
        self._ids = ids
        self._deliver_on = deliver
        self._crashed = crashed
        self._model = model
        self._worker: CameraWorker[Image | CompressedImage] | None = None
        self._subscription: Any = None
        self._debug_ns = 0
        prefix = f"{name}/" if name else ""
        self._gaps = SequenceGaps()
        self._lost = 0
        self._tracks = node.managed_publisher(TrackArray, f"{prefix}tracks", qos.TRACKS)
        self._debug = node.managed_publisher(Image, f"{prefix}debug_image", qos.DEBUG_IMAGE)
        self.depth = DepthPort(node, prefix, config, lookup) if config.publish_3d else None
        self._detections = (
            node.managed_publisher(Detection2DArray, f"{prefix}detections", qos.TRACKS) if Detection2DArray else None
        )

    @property
    def topics(self) -> str:
        """What it listens to and what it says, for a person. The port must be active."""
        return f"images on {self._subscription.topic_name}, tracks on {self._tracks.topic_name}"

    @property
    def is_active(self) -> bool:
        return self._worker is not None

    def activate(self) -> None:
        """Start the worker, then let images in."""
        pipeline = CameraPipeline(
            self.config,
            lambda: make_tracker(self.config.tracker),
            self._ids,
            camera=self.name,
            model_frames=0 if self._model is None else self._model.max_frames,
            model_can_follow=self._model is not None and Task.FOLLOW in self._model.tasks,
        )
        window = IntensityWindow(lambda text: self._node.get_logger().info(f"{camera_words(self.name)}: {text}"))
        self._worker = CameraWorker(
            pipeline,
            decode=lambda message: frame_from_message(message, self.name, window),
            clock=self.now_ns,
            deliver=self._deliver,
            crashed=self._crashed,
            name=self.name or "camera",
        )
        self._worker.start()
        if self.depth is not None:
            self.depth.activate(self._worker.post)
        self._gaps, self._lost = SequenceGaps(), 0
        kind, topic = image_topic(self._node, self.name, self.config.image_transport)
        self._subscription = self._node.create_subscription(
            kind,
            topic,
            self._on_image,
            **qos.overridable(self._node, "subscription", topic, qos.IMAGE[self.config.image_qos]),
            event_callbacks=SubscriptionEventCallbacks(message_lost=self._on_message_lost),
        )

    def deactivate(self) -> None:
        """Let no more images in, end every goal, stop the worker."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
        if self.depth is not None:
            self.depth.deactivate()
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        self.last_frame = None

    def post(self, command: Command) -> None:
        """Run something on this camera's pipeline. The port must be active."""
        assert self._worker is not None, f"{camera_words(self.name)} is not active"
        self._worker.post(command)

    def receive(self, request: ModelRequest, reply: ModelReply) -> None:
        """Hand the model's reply to the pipeline. From any thread; nothing happens if the port is inactive by now."""
        worker = self._worker
        if worker is not None:
            worker.post(lambda pipeline: pipeline.receive(request, reply))

    def reconfigure(self, config: PerceptionConfig) -> None:
        self.config = config
        if self.depth is not None:
            self.depth.reconfigure(config)
        if self._worker is not None:
            self._worker.post(lambda pipeline: setattr(pipeline, "config", config))

    def summary(self) -> StreamSummary | None:
        """The stream's statistics; None while inactive."""
        return self._worker.summary() if self._worker else None

    @property
    def positions(self) -> PositionSummary:
        """What became of the targets' positions in space."""
        return PositionSummary() if self.depth is None else self.depth.summary

    @property
    def skipped(self) -> int:
        """Images that were sent and were not processed since activation."""
        return self._worker.skipped if self._worker else 0

    @property
    def load_shedding(self) -> LoadSheddingLevel:
        """What is left out since the machine is too slow."""
        return self._worker.load_shedding if self._worker else LoadSheddingLevel.NOTHING

    def source_problem(self) -> str:
        """What the graph says of a camera that sends nothing; empty: nothing is wrong there."""
        if self._subscription is None:
            return ""
        wanted, topic = self._subscription.msg_type.__name__, self._subscription.topic_name
        types = {info.topic_type for info in self._node.get_publishers_info_by_topic(topic)}
        if not types:
            return f"nobody publishes on {topic}"
        if f"sensor_msgs/msg/{wanted}" not in types:
            return f"{topic} has images of {', '.join(sorted(types))}, not {wanted}; see image_transport"
        return ""

    @property
    def qos_problem(self) -> str:
        """Which camera's images cannot come, since its QoS does not match; empty: all that are there match."""
        if self._subscription is None:
            return ""
        policy = qos.mismatch(self._node, self._subscription.topic_name)
        if not policy:
            return ""
        return (
            f"a camera on {self._subscription.topic_name} offers another {policy} than image_qos="
            f"{self.config.image_qos} asks for; set image_qos to sensor_data, or change the camera"
        )

    def now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _deliver(self, report: Report) -> None:
        if report.frame is not None:
            self._publish(report.frame, report.tracks)
            if self.depth is not None:
                self.depth.deliver(report)
        self._deliver_on(self, report)

    def _publish(self, frame: Frame, tracks: tuple[TrackSnapshot, ...]) -> None:
        self.last_frame = frame
        self._tracks.publish(track_array(frame, tracks, self.skipped, self.load_shedding))
        if frame.stamp_ns and self._worker is not None:
            self._worker.statistics.latency(self.now_ns() - frame.stamp_ns)
        if self._detections is not None and self._detections.get_subscription_count():
            self._detections.publish(detection_array(header_of(frame), tracks))
        self._publish_debug(frame, tracks)

    def _publish_debug(self, frame: Frame, tracks: tuple[TrackSnapshot, ...]) -> None:
        """Drawn only while somebody subscribes and there is time for it, and no more often than `debug_rate`."""
        steady_ns = time.monotonic_ns()  # the node's clock may stand still, or begin anew with a bag
        if (
            self.load_shedding >= LoadSheddingLevel.DEBUG_IMAGE
            or steady_ns - self._debug_ns < SECOND_NS / self.config.debug_rate
            or not self._debug.get_subscription_count()
        ):
            return
        self._debug_ns = steady_ns
        self._debug.publish(image_message(draw_tracks(frame.rgb, overlays(tracks)), header_of(frame)))

    def _on_image(self, message: Image | CompressedImage, info: Any) -> None:
        """What a queue of one image lets go is seen in the senders' numbers alone, where the middleware gives them."""
        number, sender = info.get("publication_sequence_number"), info.get("publisher_gid")
        if number is not None and sender is not None:
            self._lost = self._gaps.arrive(bytes(sender["data"]), number)
        lost, self._lost = self._lost, 0
        if self._worker is not None:
            self._worker.put(message, lost)

    def _on_message_lost(self, info: Any) -> None:
        self._lost += info.total_count_change


def active_port(ports: Mapping[str, CameraPort], name: str) -> CameraPort:
    """The camera that a goal names.

    Raises:
        ConfigError: there is none of that name.
        InactiveError: the node is not active.
    """
    port = ports.get(name)
    if port is None:
        raise ConfigError(unknown_camera(name, ports))
    if not port.is_active:
        raise InactiveError
    return port

"""What a camera driver publishes, out of a recording: images, raw or as JPEG, and camera_info beside them."""

from array import array
from collections.abc import Callable, Iterator
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from vitron_ros.frame import Frame
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.recordings.bags import Bag, stamp_of
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import image_message, time_from_ns

INFO_TYPE = "sensor_msgs/msg/CameraInfo"
ACK_S = 1


def recorded_info(bag: Bag, image_topic: str) -> CameraInfo | None:
    """The first camera_info that was recorded beside an image topic; None: there is none.

    Raises:
        SourceError: it cannot be read.
    """
    name = f"{_parent(image_topic.removesuffix('/compressed'))}/camera_info"
    topic = bag.topics.get(name)
    if topic is None or topic.type != INFO_TYPE:
        return None
    first = next(iter(bag.messages([name])), None)
    return None if first is None else _info_message(first.value)


class BagCamera:
    """Publishes frames on `image`, or JPEGs on `image`/compressed, and as many camera_info on the topic beside it.

    Args:
        info: the camera's calibration; None: it is not known, and camera_info holds sizes alone.
    """

    def __init__(self, node: Node, *, compressed: bool, reliable: bool, info: CameraInfo | None) -> None:
        topic, profile = node.resolve_topic_name("image"), qos.IMAGE["reliable" if reliable else "sensor_data"]
        self._is_compressed = compressed
        self._info = info
        self._images = (
            node.create_publisher(CompressedImage, f"{topic}/compressed", profile)
            if compressed
            else node.create_publisher(Image, topic, profile)
        )
        self._infos = node.create_publisher(CameraInfo, f"{_parent(topic)}/camera_info", profile)

    @property
    def topic(self) -> str:
        """Of the images."""
        return str(self._images.topic_name)

    @property
    def has_subscriber(self) -> bool:
        """Whether somebody takes the images."""
        return int(self._images.get_subscription_count()) > 0

    def messages(self, frame: Frame, stamp_ns: int) -> tuple[Image | CompressedImage, CameraInfo]:
        """A frame as it would be published with that stamp."""
        header = Header(stamp=time_from_ns(stamp_ns), frame_id=frame.frame_id)
        info = self._info or CameraInfo(width=frame.width, height=frame.height)
        info.header = header
        if not self._is_compressed:
            return image_message(frame.rgb, header), info
        data = array("B", encode_jpeg(frame.rgb))
        return CompressedImage(header=header, format="rgb8; jpeg compressed bgr8", data=data), info

    def publish(self, messages: tuple[Image | CompressedImage, CameraInfo]) -> None:
        image, info = messages
        self._images.publish(image)
        self._infos.publish(info)

    def flush(self) -> None:
        """Wait a little until reliable subscribers have all of it."""
        self._images.wait_for_all_acked(Duration(seconds=ACK_S))


class BagDepth:
    """Publishes the depth images of a recording on `depth`, as they were recorded but for their stamps.

    Raises:
        SourceError: the recording has no images on that topic.
    """

    def __init__(self, node: Node, bag: Bag, topic: str) -> None:
        self._bag, self._topic = bag, bag.image_topic(topic).name
        self._publisher = node.create_publisher(Image, "depth", qos.IMAGE["sensor_data"])
        self.rewind()

    def rewind(self) -> None:
        """Begin anew with the first."""
        self._messages: Iterator[Any] = (message.value for message in self._bag.messages([self._topic]))
        self._next = next(self._messages, None)

    def publish_until(self, recorded_ns: int, restamp: Callable[[int], int]) -> None:
        """Those that were recorded up to a time and are not published yet, with the stamps that `restamp` gives."""
        while self._next is not None and stamp_of(self._next.header) <= recorded_ns:
            stamp = time_from_ns(restamp(stamp_of(self._next.header)))
            header = Header(stamp=stamp, frame_id=self._next.header.frame_id)
            self._publisher.publish(_depth_message(self._next, header))
            self._next = next(self._messages, None)


def _depth_message(value: Any, header: Header) -> Image:
    names = ("height", "width", "encoding", "is_bigendian", "step")
    return Image(header=header, data=array("B", bytes(value.data)), **{name: getattr(value, name) for name in names})


def _parent(topic: str) -> str:
    return topic.rpartition("/")[0]


def _info_message(value: Any) -> CameraInfo:
    """Of rosbags' object to rclpy's; ROS 1 writes the matrices with capitals."""
    matrices = {
        name: [float(item) for item in getattr(value, name if hasattr(value, name) else name.upper())]
        for name in ("d", "k", "r", "p")
    }
    roi = {name: getattr(value.roi, name) for name in ("x_offset", "y_offset", "height", "width", "do_rectify")}
    return CameraInfo(
        width=value.width,
        height=value.height,
        distortion_model=value.distortion_model,
        binning_x=value.binning_x,
        binning_y=value.binning_y,
        roi=RegionOfInterest(**roi),
        **matrices,
    )

"""The last seconds of a camera's images, as they came, for goals that name a camera instead of giving images."""

from collections import deque
from typing import Any, Protocol

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from vitron_ros.clock import SECOND_NS
from vitron_ros.modules.module import BadJob
from vitron_ros.modules.settings import MIB
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import ns_from_time
from vitron_ros.ros.image_topic import image_topic


class HistorySettings(Protocol):
    """The settings that a history needs."""

    @property
    def history(self) -> float: ...

    @property
    def history_memory(self) -> int: ...

    @property
    def image_transport(self) -> str: ...

    @property
    def image_qos(self) -> str: ...


class ImageHistory:
    """Subscribed from its making until `close`. The executor's thread owns it; any may read.

    Args:
        camera: its name; empty: the only camera, with the topic `image`.
    """

    def __init__(self, node: Node, camera: str, config: HistorySettings) -> None:
        self._node = node
        self._images: deque[tuple[int, Image | CompressedImage]] = deque()
        self._max_age_ns = round(config.history * SECOND_NS)
        self._max_bytes = config.history_memory * MIB
        self._bytes = 0
        kind, topic = image_topic(node, camera, config.image_transport)
        self._subscription: Any = node.create_subscription(kind, topic, self.push, qos.IMAGE_HISTORY[config.image_qos])

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)
        self._images.clear()

    def push(self, message: Image | CompressedImage) -> None:
        """Keep an image; the oldest that are out of bounds go, and all where time went back."""
        stamp_ns = ns_from_time(message.header.stamp)
        if self._images and stamp_ns < self._images[-1][0]:
            self._images.clear()
            self._bytes = 0
        self._images.append((stamp_ns, message))
        self._bytes += len(message.data)
        while len(self._images) > 1 and (
            self._bytes > self._max_bytes or stamp_ns - self._images[0][0] > self._max_age_ns
        ):
            self._bytes -= len(self._images.popleft()[1].data)

    def clip(self, first_ns: int, last_ns: int) -> list[Image | CompressedImage]:
        """The images from the first to the last stamp, oldest first; `last_ns` 0: to the newest.

        Raises:
            BadJob: there is none, or the first are no longer kept.
        """
        kept = list(self._images)  # a copy, since images come and go in the executor's thread meanwhile
        if not kept:
            raise BadJob("no image of the camera has come yet; look at its topic")
        oldest_ns, newest_ns = kept[0][0], kept[-1][0]
        found = [message for stamp, message in kept if stamp >= first_ns and (not last_ns or stamp <= last_ns)]
        if not found or 0 < first_ns < oldest_ns:
            raise BadJob(
                f"the images kept of the camera are from {oldest_ns / SECOND_NS:.3f} to {newest_ns / SECOND_NS:.3f} s, "
                f"not from {first_ns / SECOND_NS:.3f} s; ask sooner, or raise the parameter history"
            )
        return found

    def stamps_ns(self) -> set[int]:
        """Of the images that are kept. May be called from any thread."""
        return {stamp for stamp, _ in list(self._images)}

    def has_reached(self, stamp_ns: int) -> bool:
        """Whether the image of a stamp has come, or a later one. May be called from any thread."""
        return any(stamp >= stamp_ns for stamp, _ in list(self._images))

    def one(self, stamp_ns: int) -> Image | CompressedImage:
        """The image of a stamp; 0: the newest.

        Raises:
            BadJob: it is not there.
        """
        return self.clip(stamp_ns, stamp_ns)[0] if stamp_ns else self.clip(0, 0)[-1]

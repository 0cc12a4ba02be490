"""Where a camera's images are: message type and topic."""

from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image


def image_topic(node: Node, camera: str, image_transport: str) -> tuple[Any, str]:
    """Message type and full topic name of a camera's images.

    As with image_transport, the name of the raw topic is remapped before the transport is added to it:
    `-r image:=/camera/image_raw` stands for /camera/image_raw/compressed as well.

    Args:
        camera: its name; empty: the only camera.
        image_transport: "raw" or "compressed".
    """
    topic = node.resolve_topic_name(f"{camera}/image" if camera else "image")
    return (Image, topic) if image_transport == "raw" else (CompressedImage, f"{topic}/compressed")

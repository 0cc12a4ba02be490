"""Where a node looks for the images of a camera, by its remappings."""

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from vitron_ros.ros.image_topic import image_topic


@pytest.mark.parametrize(
    ("rules", "camera", "transport", "kind", "topic"),
    [
        ([], "", "raw", Image, "/vitron/image"),
        ([], "front/left", "compressed", CompressedImage, "/vitron/front/left/image/compressed"),
        (["image:=/camera/image_raw"], "", "raw", Image, "/camera/image_raw"),
        (["image:=/camera/image_raw"], "", "compressed", CompressedImage, "/camera/image_raw/compressed"),
        (["left/image:=/cam/image"], "left", "compressed", CompressedImage, "/cam/image/compressed"),
        (["image/compressed:=/jpeg"], "", "compressed", CompressedImage, "/jpeg"),
    ],
)
def test_the_transport_is_added_to_the_remapped_name(rules, camera, transport, kind, topic):
    context = Context()
    rclpy.init(args=[], context=context)
    arguments = ["--ros-args", *(word for rule in rules for word in ("-r", rule))]
    node = Node("perception", namespace="vitron", context=context, cli_args=arguments)
    found, name = image_topic(node, camera, transport)
    assert (found, node.resolve_topic_name(name)) == (kind, topic)
    node.destroy_node()
    rclpy.shutdown(context=context)

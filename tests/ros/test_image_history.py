from types import SimpleNamespace

import pytest
import rclpy
from builtin_interfaces.msg import Time
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from tests.ros.rig import WAIT_S
from vitron_ros.clock import SECOND_NS
from vitron_ros.modules.module import BadJob
from vitron_ros.modules.settings import MIB, ModuleConfig
from vitron_ros.ros import qos
from vitron_ros.ros.image_history import ImageHistory


def history(**settings):
    node = SimpleNamespace(
        create_subscription=lambda *_: None, destroy_subscription=lambda _: None, resolve_topic_name=str
    )
    return ImageHistory(node, "", ModuleConfig(history=2.0, **settings))


def push(kept, *seconds, size=1):
    for second in seconds:
        kept.push(Image(header=Header(stamp=Time(sec=second)), data=bytes(size)))


def stamps(messages):
    return [message.header.stamp.sec for message in messages]


def test_images_are_found_by_their_stamps_and_old_ones_go():
    kept = history()
    push(kept, 1, 2, 3, 4)
    assert stamps(kept.clip(0, 0)) == [2, 3, 4]
    assert stamps(kept.clip(int(2.5e9), int(3e9))) == [3]
    assert kept.one(0).header.stamp.sec == 4 and kept.one(int(2e9)).header.stamp.sec == 2
    for first_ns, last_ns in ((1e9, 3e9), (5e9, 0)):
        with pytest.raises(BadJob, match=r"from 2\.000 to 4\.000 s"):
            kept.clip(int(first_ns), int(last_ns))


def test_images_are_kept_within_their_bytes_and_forgotten_where_time_goes_back():
    kept = history(history_memory=1)
    push(kept, 1, 2, 3, size=MIB // 2)
    assert stamps(kept.clip(0, 0)) == [2, 3]
    push(kept, 1)
    assert stamps(kept.clip(0, 0)) == [1]
    kept.close()
    with pytest.raises(BadJob, match="no image"):
        kept.clip(0, 0)


@pytest.mark.ros
def test_no_image_is_missed_by_a_node_that_was_held_up(probe):
    """A sentence whose answer named the image that was missed ended with INPUT_STALE."""
    context = Context()
    rclpy.init(args=[], context=context)
    node = Node("keeper", context=context)
    kept = ImageHistory(node, "", ModuleConfig(history=60.0))
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    # As deep as the subscription: within one process, Fast DDS takes what a reader has not read from the writer.
    publisher = probe.create_publisher(Image, "image", qos.IMAGE_HISTORY["sensor_data"])

    def publish(second):
        publisher.publish(Image(header=Header(stamp=Time(sec=second))))

    def has(second):
        executor.spin_once(timeout_sec=0.01)
        return second * SECOND_NS in kept.stamps_ns()

    probe.spin_until(lambda: publish(1) or has(1), WAIT_S)
    for second in range(2, 22):
        publish(second)
    probe.spin_until(lambda: has(21), WAIT_S)
    assert stamps(kept.clip(0, 0))[-20:] == list(range(2, 22))
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)

"""A perception node in a thread of its own and a probe, each in its own context, over real DDS."""

import threading
import time
from contextlib import contextmanager, suppress
from functools import partial

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from vitron_ros.errors import SourceError
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import image_message
from vitron_ros.ros.perception_node import PerceptionNode
from vitron_ros.ros_tools.pattern_camera import pictures
from vitron_ros.streaming.models import load_model


@contextmanager
def running(make_node, **parameters):
    """A node that `make_node` makes, spun by a thread until the block ends, then closed as its process would."""
    context = Context()
    rclpy.init(args=[], context=context)
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = make_node(context=context, parameter_overrides=overrides)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    stop = threading.Event()

    def spin():
        while not stop.is_set():
            executor.spin_once(timeout_sec=0.02)
        node.close()
        for _ in range(10):
            executor.spin_once(timeout_sec=0.01)

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield node
    finally:
        stop.set()
        thread.join(30)
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
        assert not thread.is_alive()


WAIT_S = 60.0
PATIENCE = {"timeout": WAIT_S, "max_image_age": WAIT_S, "model_timeout": WAIT_S}


def running_node(load=load_model, **parameters):
    """A perception node whose model `load` makes. Where the test does not say otherwise, it waits for whatever a busy
    machine holds up."""
    return running(partial(PerceptionNode, load), **PATIENCE | parameters)


LOST_S = 1.0  # an image or its answer must have been lost


class Camera:
    """Publishes pictures from the test's own thread, each when it is asked for.

    The node keeps the newest image alone: what is published just before another may never be looked at. A test that
    needs one image to be looked at asks for its `answer`, and one that waits for something runs until it is there.
    While the node answers, each picture waits for the answer to the one before: a node that a busy machine holds up
    for a second would else find its targets far from where it saw them last.
    """

    def __init__(self, probe, topic="image", targets=2, size=(320, 240), reliability="sensor_data"):
        self.targets, self.size = targets, size
        self.pictures = pictures(targets, *size)
        self.index = 0
        self._probe = probe
        self._topic = probe.resolve_topic_name(topic)
        # As of a camera in another process: within one, Fast DDS takes what a reader has not read from the writer.
        self._publisher = probe.create_publisher(Image, topic, qos.IMAGE_HISTORY[reliability])

    def message(self):
        stamp = self._probe.get_clock().now().to_msg()
        return image_message(self.pictures[self.index % len(self.pictures)], Header(stamp=stamp, frame_id="lens"))

    def publish(self, message=None):
        """Publish the next picture, or another message; the message that was published."""
        message = message or self.message()
        self._publisher.publish(message)
        self.index += 1
        return message

    def show(self, message=None):
        """Publish, and let 1/30 s pass; the message that was published. No answer to another message is awaited."""
        published = self.publish(message)
        self._probe.spin_for(1 / 30)
        if message is None:
            with suppress(SourceError):
                self._probe.spin_until(lambda: not self._is_followed or self._has_answer(published), LOST_S)
        return published

    def run(self, frames):
        for _ in range(frames):
            self.show()

    def run_until(self, condition, make=None):
        """Publish, until a condition holds. make: gives what is published in the place of the next picture."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            self.show(make and make())

    def hold_until(self, condition):
        """Publish the next picture and no other until a condition holds, such as that a box on it is followed."""
        index = self.index

        def again():
            self.index = index
            return self.message()

        self.run_until(condition, again)

    def answer(self, message=None):
        """The node's answer to the next picture, or to another message, published until it is answered."""
        message = message or self.message()
        deadline = time.monotonic() + WAIT_S
        while not self._has_answer(message):
            assert time.monotonic() < deadline, "the image was never answered"
            self._publisher.publish(message)
            with suppress(SourceError):
                self._probe.spin_until(lambda: self._has_answer(message), LOST_S)
        self.index += 1
        return self._probe.tracks[-1][1]

    def _has_answer(self, message):
        return bool(self._probe.tracks) and self._probe.tracks[-1][1].header == message.header

    @property
    def _is_followed(self):
        """Whether the probe hears of the pictures that this camera shows."""
        return bool(self._probe.tracks) and self._publisher.get_subscription_count() > 0

    def result(self, handle):
        """The result of a goal, while the camera goes on."""
        future = handle.get_result_async()
        self.run_until(future.done)
        return future.result().result

    def connect(self):
        self._probe.spin_until(lambda: self._publisher.get_subscription_count() > 0, 20, "the node's subscription")
        return self

"""A camera that is a bag: publishes its images at their own rate, with fresh stamps."""

import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy

# isort: split
import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from vitron_ros.errors import SourceError, VitronError
from vitron_ros.evaluation.bags import read_images
from vitron_ros.frame import Frame
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import image_message, time_from_ns
from vitron_ros.ros.run import init_and_catch_signals, pause

MATCH_TIMEOUT_S = 150.0  # a node that exports its model for the first time is slow to come up
START_DELAY_NS = 500_000_000  # for the caller to hear when it starts
POLL_S = 0.02


def wait_for_subscriber(publisher: Publisher, stop: Sequence[int]) -> None:
    """Raises SourceError if nobody subscribes in time."""
    deadline = time.monotonic() + MATCH_TIMEOUT_S
    while publisher.get_subscription_count() == 0 and not stop:
        if time.monotonic() > deadline:
            raise SourceError(f"nobody subscribed to {publisher.topic_name} within {MATCH_TIMEOUT_S:g} s")
        time.sleep(POLL_S)


def wait_for_start(node: Node, stop: Sequence[int]) -> int:
    """Offer the service `~/start` until somebody calls it; the stamp of the first image, which the caller is told."""
    start_ns = 0

    def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        nonlocal start_ns
        start_ns = time.time_ns() + START_DELAY_NS
        response.success, response.message = True, str(start_ns)
        return response

    # It goes with the node: destroyed now, it could take its answer along before that has reached the caller.
    node.create_service(Trigger, "~/start", answer)
    while not start_ns and not stop:
        rclpy.spin_once(node, timeout_sec=POLL_S)
    return start_ns


def play(publisher: Publisher, frames: Iterable[Frame], start_ns: int, rate: float, stop: Sequence[int] = ()) -> int:
    """Publish each frame when its time has come, until `stop` holds something; how many were published.

    A frame's stamp is `start_ns` plus its time since the first frame, divided by `rate`. The next frame is read and
    converted before its time, so that publishing is all that happens then.
    """
    first_ns: int | None = None
    count = 0
    for frame in frames:
        first_ns = frame.stamp_ns if first_ns is None else first_ns
        stamp_ns = start_ns + int((frame.stamp_ns - first_ns) / rate)
        message = image_message(frame.rgb, Header(stamp=time_from_ns(stamp_ns), frame_id=frame.frame_id))
        pause((stamp_ns - time.time_ns()) / 1e9, stop)
        if stop:
            break
        publisher.publish(message)
        count += 1
    publisher.wait_for_all_acked(Duration(seconds=1))
    return count


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bag_player",
        description=__doc__,
        epilog="example: bag_player bags/sample --ros-args -r image:=/camera/image_raw",
    )
    made.add_argument("bag", type=Path, help="a ROS 2 bag: a directory, an .mcap or a .db3 file")
    made.add_argument("--topic", help="the image topic of the bag, where it has several")
    made.add_argument("--rate", type=float, default=1.0, help="how many times faster than recorded (default: 1)")
    made.add_argument("--loop", type=int, default=1, help="how often to play the bag (default: 1)")
    made.add_argument("--wait", action="store_true", help="begin when the service ~/start is called")
    made.add_argument("--reliable", action="store_true", help="publish reliably instead of with best effort")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """The console script `bag_player`."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(remove_ros_args(["bag_player", *words])[1:])
    stop = init_and_catch_signals(["bag_player", *words])
    node = Node("bag_player")
    publisher = node.create_publisher(Image, "image", qos.IMAGE["reliable" if arguments.reliable else "sensor_data"])
    try:
        wait_for_subscriber(publisher, stop)
        start_ns = wait_for_start(node, stop) if arguments.wait else time.time_ns()
        for turn in range(arguments.loop):
            start_ns = time.time_ns() if turn else start_ns
            count = play(publisher, read_images(arguments.bag, arguments.topic), start_ns, arguments.rate, stop)
            node.get_logger().info(f"published {count} images of {arguments.bag}")
        return 0
    except VitronError as error:
        node.get_logger().error(str(error))
        return 1
    finally:
        node.destroy_node()
        rclpy.shutdown()


if __name__ == "__main__":
    sys.exit(main())

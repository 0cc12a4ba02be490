"""A camera that is a bag: publishes its images at their own rate, with fresh stamps, and camera_info beside them."""

import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy

# isort: split
import argparse
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rclpy
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from rosgraph_msgs.msg import Clock
from std_srvs.srv import Trigger

from vitron_ros.errors import ImageError, SourceError, VitronError
from vitron_ros.frame import Frame
from vitron_ros.recordings.bags import Bag
from vitron_ros.ros.bag_camera import BagCamera, BagDepth, recorded_info
from vitron_ros.ros.conversions import time_from_ns
from vitron_ros.ros.run import init_and_catch_signals

MATCH_TIMEOUT_S = 150.0  # a node that exports its model for the first time is slow to come up
START_DELAY_NS = 500_000_000  # for the caller to hear when it starts
POLL_S = 0.02
CLOCK_HZ = 100.0


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """When each image of a recording is due, and how it is stamped.

    Attributes:
        first_ns: the first image's stamp in the recording.
        begin_ns: when it is due, by the clock of this machine.
        stamp_ns: what it is stamped with.
        rate: seconds of the recording in one.
        is_simulated: stamps are as far apart as in the recording, whatever the rate: it is the clock that runs faster.
    """

    first_ns: int
    begin_ns: int
    stamp_ns: int
    rate: float
    is_simulated: bool

    def due_ns(self, recorded_ns: int) -> int:
        return self.begin_ns + round((recorded_ns - self.first_ns) / self.rate)

    def stamp_of(self, recorded_ns: int) -> int:
        elapsed_ns = recorded_ns - self.first_ns
        return self.stamp_ns + (elapsed_ns if self.is_simulated else round(elapsed_ns / self.rate))

    def simulated_ns(self, now_ns: int) -> int:
        """The time that /clock shows."""
        return max(0, self.stamp_ns + round((now_ns - self.begin_ns) * self.rate))


class Ticker:
    """Lets time pass, and publishes it as /clock while it does.

    Args:
        clock_hz: of /clock; None: there is none.
    """

    def __init__(self, node: Node, clock_hz: float | None, stop: Sequence[int]) -> None:
        self._clock = None if clock_hz is None else node.create_publisher(Clock, "/clock", 1)
        self._period_s = POLL_S if clock_hz is None else 1 / clock_hz
        self._stop = stop

    def wait(self, timeline: Timeline, until_ns: int) -> bool:
        """Wait for a time of this machine's clock; False if it is to stop before."""
        while not self._stop:
            now_ns = time.time_ns()
            if self._clock is not None:
                self._clock.publish(Clock(clock=time_from_ns(timeline.simulated_ns(now_ns))))
            if now_ns >= until_ns:
                return True
            time.sleep(min((until_ns - now_ns) / 1e9, self._period_s))
        return False


def wait_for_subscriber(camera: BagCamera, stop: Sequence[int]) -> None:
    """Raises SourceError if nobody subscribes in time."""
    deadline = time.monotonic() + MATCH_TIMEOUT_S
    while not camera.has_subscriber and not stop:
        if time.monotonic() > deadline:
            raise SourceError(f"nobody subscribed to {camera.topic} within {MATCH_TIMEOUT_S:g} s")
        time.sleep(POLL_S)


def wait_for_start(node: Node, stamp_of: Callable[[int], int], stop: Sequence[int]) -> int:
    """Offer the service `~/start` until somebody calls it; when to begin.

    Args:
        stamp_of: the stamp of the first image, which the caller is told, by the time when it begins.
    """
    start_ns = 0

    def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        nonlocal start_ns
        start_ns = time.time_ns() + START_DELAY_NS
        response.success, response.message = True, str(stamp_of(start_ns))
        return response

    # It goes with the node: destroyed now, it could take its answer along before that has reached the caller.
    node.create_service(Trigger, "~/start", answer)
    while not start_ns and not stop:
        rclpy.spin_once(node, timeout_sec=POLL_S)
    return start_ns


def play(
    camera: BagCamera, frames: Iterable[Frame], timeline: Timeline, ticker: Ticker, depth: BagDepth | None = None
) -> int:
    """Publish each frame when its time has come, until it is to stop; how many were published.

    The next frame is read and converted before its time, so that publishing is all that happens then.
    """
    count = 0
    for frame in frames:
        messages = camera.messages(frame, timeline.stamp_of(frame.stamp_ns))
        if not ticker.wait(timeline, timeline.due_ns(frame.stamp_ns)):
            break
        camera.publish(messages)
        if depth is not None:
            depth.publish_until(frame.stamp_ns, timeline.stamp_of)
        count += 1
    camera.flush()
    return count


def play_bag(node: Node, arguments: argparse.Namespace, stop: Sequence[int]) -> None:
    """Play it as often as the command line says.

    Raises:
        SourceError: the bag cannot be read, has no image that can be, or nobody subscribes.
    """
    bag = Bag(arguments.bag)
    topic = bag.image_topic(arguments.topic).name
    camera = BagCamera(
        node, compressed=arguments.compressed, reliable=arguments.reliable, info=recorded_info(bag, topic)
    )
    depth = None if arguments.depth is None else BagDepth(node, bag, arguments.depth)
    ticker = Ticker(node, arguments.clock, stop)
    wait_for_subscriber(camera, stop)
    timeline: Timeline | None = None
    for _ in range(arguments.loop):
        if stop:
            break
        bad: list[ImageError] = []
        frames = bag.images(topic, on_bad=partial(_note, bad))
        first = next(frames, None)
        if first is None:
            why = f", the first: {bad[0]}" if bad else ""
            raise SourceError(f"{arguments.bag}: no image of {topic} can be read{why}")
        timeline = _timeline(node, arguments, first.stamp_ns, timeline, stop)
        if depth is not None:
            depth.rewind()
        count = play(camera, itertools.chain([first], frames), timeline, ticker, depth)
        node.get_logger().info(f"published {count} images of {arguments.bag} on {camera.topic}")
        if bad:
            node.get_logger().warning(f"{len(bad)} images could not be read, the last: {bad[-1]}")


def _note(bad: list[ImageError], index: int, error: ImageError) -> None:
    bad.append(error)


def _timeline(
    node: Node, arguments: argparse.Namespace, first_ns: int, before: Timeline | None, stop: Sequence[int]
) -> Timeline:
    """Of the next turn; simulated time goes on where the turn before ended."""
    is_simulated = arguments.clock is not None
    if before is not None or not arguments.wait:
        begin_ns = time.time_ns()
    else:
        begin_ns = wait_for_start(node, lambda start_ns: first_ns if is_simulated else start_ns, stop)
    stamp_ns = begin_ns
    if is_simulated:
        stamp_ns = first_ns if before is None else before.simulated_ns(begin_ns)
    return Timeline(
        first_ns=first_ns, begin_ns=begin_ns, stamp_ns=stamp_ns, rate=arguments.rate, is_simulated=is_simulated
    )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bag_player",
        description=__doc__,
        epilog="example: bag_player bags/sample --ros-args -r image:=/camera/image_raw",
    )
    made.add_argument("bag", type=Path, help="a ROS 2 bag: a directory, an .mcap or a .db3 file")
    made.add_argument("--topic", help="the image topic of the bag, where it has several")
    made.add_argument("--depth", metavar="TOPIC", help="publish the bag's depth images of this topic on depth, too")
    made.add_argument("--rate", type=_positive, default=1.0, help="how many times faster than recorded (default: 1)")
    made.add_argument("--loop", type=_count, default=1, help="how often to play the bag (default: 1)")
    made.add_argument("--wait", action="store_true", help="begin when the service ~/start is called")
    made.add_argument("--reliable", action="store_true", help="publish reliably instead of with best effort")
    made.add_argument("--compressed", action="store_true", help="publish JPEGs on image/compressed instead of image")
    made.add_argument(
        "--clock",
        nargs="?",
        type=_positive,
        const=CLOCK_HZ,
        metavar="HZ",
        help=f"publish /clock, {CLOCK_HZ:g} times a second or so often, for nodes with use_sim_time; the first image "
        "is stamped as it was recorded, and the others go on from there",
    )
    return made


def _positive(text: str) -> float:
    value = float(text)
    if not (value > 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """The console script `bag_player`."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(remove_ros_args(["bag_player", *words])[1:])
    stop = init_and_catch_signals(["bag_player", *words])
    node = Node("bag_player")
    try:
        play_bag(node, arguments, stop)
        return 0
    except VitronError as error:
        node.get_logger().error(str(error))
        return 1
    finally:
        node.destroy_node()
        rclpy.shutdown()


if __name__ == "__main__":
    sys.exit(main())

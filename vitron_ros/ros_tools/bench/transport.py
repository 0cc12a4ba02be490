"""How many best-effort camera images reach another process, and how late, with each transport of Fast DDS.

Publisher and subscriber are two processes in a ROS domain of their own; the images are rgb8, the queues one image
deep. The stream begins once both have found each other. `latency` is from the image's stamp, set just before it is
published, to the subscriber's callback. A case names the publisher's and the subscriber's transport. The last line is
JSON.
"""

import argparse
import array
import itertools
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from vitron_ros.errors import SourceError
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import ns_from_time, time_from_ns
from vitron_ros.ros.transport import PROFILE, installed_rclpy, profile_variable
from vitron_ros.streaming.statistics import percentiles_ms

# "profile" is what vitron_ros ships.
TRANSPORTS: dict[str, dict[str, str]] = {
    "default": {},
    "large_data": {"FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA"},
    "profile": {profile_variable(installed_rclpy()): str(PROFILE)},
}
CASES = ("default:default", "large_data:large_data", "profile:profile")
SIZES = ("640x480", "1280x720", "1920x1080")
MODULE = "vitron_ros.ros_tools.bench.transport"
FIRST_DOMAIN, DOMAINS = 60, 40
POINTS = ("p50_ms", "p95_ms", "p99_ms")
TOPIC = "transport_bench"
HEARD = f"{TOPIC}/heard"  # answers each image with its frame_id
DISCOVERY_S = 20.0  # for the two to find each other; a subscriber that hears nothing for so long gives up
KNOCK_S = 0.05  # between empty images, which are published until one is answered
LOST_S = 10.0  # after which an image that was not answered is taken as lost
SILENCE_S = 2.0  # after the last image, for all to arrive; then the subscriber is told that the stream is over
OVER = "over"  # the frame_id that tells it


def publish(width: int, height: int, rate_hz: float, count: int) -> None:
    """Publish `count` images once somebody answers. rate_hz: 0 publishes the next once one is answered, or is lost.

    Raises:
        SourceError: nobody answers.
    """
    node = Node("publisher")
    publisher = node.create_publisher(Image, TOPIC, qos.IMAGE["sensor_data"])
    heard: set[str] = set()
    node.create_subscription(String, HEARD, lambda answer: heard.add(answer.data), qos.EVENTS)
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def knock(frame_id: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while frame_id not in heard and time.monotonic() < deadline:
            publisher.publish(Image(header=Header(frame_id=frame_id)))
            executor.spin_once(timeout_sec=KNOCK_S)

    knock("", DISCOVERY_S)
    if not heard:
        raise SourceError(f"nobody subscribed within {DISCOVERY_S:g} s")
    message = Image(width=width, height=height, step=3 * width, encoding="rgb8")
    message.data = array.array("B", os.urandom(3 * width * height))
    start = time.monotonic()
    for index in range(count):
        time.sleep(max(0.0, start + index / rate_hz - time.monotonic()) if rate_hz else 0.0)
        message.header = Header(frame_id=str(index), stamp=time_from_ns(time.time_ns()))
        publisher.publish(message)
        lost_s = time.monotonic() + LOST_S
        while not rate_hz and str(index) not in heard and time.monotonic() < lost_s:
            executor.spin_once(timeout_sec=KNOCK_S)
    time.sleep(SILENCE_S)
    knock(OVER, LOST_S)
    executor.shutdown()
    node.destroy_node()


def subscribe() -> list[int]:
    """ns from stamp to callback of each image that came, in order."""
    latencies_ns: list[int] = []
    is_over, last_s = False, time.monotonic()
    node = Node("subscriber")
    heard = node.create_publisher(String, HEARD, qos.EVENTS)

    def receive(message: Image) -> None:
        nonlocal is_over, last_s
        arrived_ns = time.time_ns()
        heard.publish(String(data=message.header.frame_id))
        is_over, last_s = message.header.frame_id == OVER, time.monotonic()
        if message.width:
            latencies_ns.append(arrived_ns - ns_from_time(message.header.stamp))

    node.create_subscription(Image, TOPIC, receive, qos.IMAGE["sensor_data"])
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not is_over and time.monotonic() < last_s + DISCOVERY_S:
        executor.spin_once(timeout_sec=0.1)
    heard.wait_for_all_acked(Duration(seconds=1))
    executor.shutdown()
    node.destroy_node()
    return latencies_ns


def measure(case: str, size: str, rate_hz: float, count: int, domain: int) -> dict[str, Any]:
    """Images sent and received and latency percentiles of one case, in two new processes.

    Raises:
        SourceError: one of the processes failed.
    """
    publisher, subscriber = case.split(":")
    words = ["--sizes", size, "--rate", str(rate_hz), "--count", str(count)]
    receiving = _start(["--role", "subscribe", *words], subscriber, domain)
    sending = _start(["--role", "publish", *words], publisher, domain)
    output, _ = receiving.communicate()
    sending.communicate()
    if sending.returncode or receiving.returncode:
        raise SourceError(f"{case} {size}: a process failed; its error is printed above")
    latencies_ns = json.loads(output)
    row: dict[str, Any] = {"case": case, "size": size, "sent": count, "received": len(latencies_ns)}
    if latencies_ns:
        row.update(
            zip(("p50_ms", "p95_ms", "p99_ms"), (round(ms, 2) for ms in percentiles_ms(latencies_ns)), strict=True)
        )
    return row


def _start(words: Sequence[str], transport: str, domain: int) -> "subprocess.Popen[bytes]":
    chosen = {name for settings in TRANSPORTS.values() for name in settings}
    environment = {name: value for name, value in os.environ.items() if name not in chosen}
    environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    environment.update(TRANSPORTS[transport], ROS_DOMAIN_ID=str(domain))
    return subprocess.Popen([sys.executable, "-m", MODULE, *words], env=environment, stdout=subprocess.PIPE)


def _run_role(arguments: argparse.Namespace) -> None:
    width, height = map(int, arguments.sizes[0].split("x"))
    rclpy.init(args=[])
    try:
        if arguments.role == "publish":
            publish(width, height, arguments.rate, arguments.count)
        else:
            print(json.dumps(subscribe()))
    finally:
        rclpy.shutdown()


def _case(text: str) -> str:
    if [name in TRANSPORTS for name in text.split(":")] != [True, True]:
        raise argparse.ArgumentTypeError(f"{text!r} is not PUBLISHER:SUBSCRIBER, each one of {', '.join(TRANSPORTS)}")
    return text


def _size(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT in pixels, such as 640x480")
    return text


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(
        prog="transport_bench",
        description=__doc__,
        epilog="example: python -m vitron_ros.ros_tools.bench.transport --cases default:default --count 90",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", nargs="+", type=_case, default=CASES, metavar="PUBLISHER:SUBSCRIBER")
    parser.add_argument("--sizes", nargs="+", type=_size, default=SIZES, metavar="WIDTHxHEIGHT")
    parser.add_argument("--rate", type=float, default=30.0, help="images a second (default: 30); 0: one by one")
    parser.add_argument("--count", type=int, default=150, help="images sent in each case (default: 150)")
    parser.add_argument("--repeat", type=int, default=1, help="times that all cases run (default: 1)")
    parser.add_argument("--role", choices=["publish", "subscribe"], help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.role:
        _run_role(arguments)
        return 0
    rows = []
    print(f"{'publisher:subscriber':<24} {'image':>10} {'received':>10} {'p50':>8} {'p95':>8} {'p99 ms':>8}")
    runs = itertools.product(range(arguments.repeat), arguments.sizes, arguments.cases)
    for number, (_, size, case) in enumerate(runs):
        row = measure(case, size, arguments.rate, arguments.count, FIRST_DOMAIN + (os.getpid() + number) % DOMAINS)
        rows.append(row)
        percentiles = " ".join(f"{row.get(name, math.nan):8.1f}" for name in POINTS)
        print(f"{case:<24} {size:>10} {row['received']:>6}/{row['sent']} {percentiles}", flush=True)
    print(json.dumps({"rate_hz": arguments.rate, "processors": os.cpu_count(), "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How long an image takes to become a published track, over real DDS between real processes.

First the ceiling: the same camera into a subscriber that does nothing, so that what DDS costs is known. Then the
perception node with 1, 4, 16 and 32 targets, on 640x480, 1280x720 and 1920x1080 at 30 Hz. `latency` is from the image's
stamp to the track's publication, `step` is the tracker's own time; what the node adds is latency - ceiling - step.
With `--masks` every row is measured a second time while tracks carry their masks, with `--positions` while the camera
publishes depth and every target gets a position in space: `latency` is still that of the tracks.
The last line is JSON.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from subprocess import Popen
from typing import Any

import rclpy
from builtin_interfaces.msg import Duration
from rclpy.action.client import ClientGoalHandle
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import TrackArray

from vitron_ros.errors import SourceError
from vitron_ros.region import Region
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import ns_from_time, region_message
from vitron_ros.ros_tools.pattern_camera import RATE_HZ, frame_index, target_boxes
from vitron_ros.ros_tools.probe import Probe, node_process, probe, use_private_domain
from vitron_ros.ros_tools.process_usage import cpu_s
from vitron_ros.streaming.statistics import percentiles_ms

SIZES = ((640, 480), (1280, 720), (1920, 1080))
TARGETS = (1, 4, 16, 32)
WARM_UP_S = 3.0
START_TIMEOUT_S = 60.0
NODE_TIMEOUT_S = 300  # for the node to load its model, and for the model to find its targets
PROMPT = "the red circle"
POINTS = ("p50", "p95", "p99")


def measure_ceiling(width: int, height: int, duration_s: float) -> dict[str, Any]:
    """Images a second, and ms from stamp to callback, of a subscriber that does nothing."""
    latencies: list[int] = []

    def receive(message: Image) -> None:
        latencies.append(time.time_ns() - ns_from_time(message.header.stamp))

    rclpy.init()
    node = Node("ceiling")
    node.create_subscription(Image, "image", receive, qos.IMAGE["sensor_data"])
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        with camera(width, height, 1):
            _spin(executor, lambda: bool(latencies), 30.0)
            _spin(executor, lambda: False, WARM_UP_S)
            latencies.clear()
            _spin(executor, lambda: False, duration_s)
    finally:
        node.destroy_node()
        rclpy.shutdown()
    return {"hz": round(len(latencies) / duration_s, 1), **_named(percentiles_ms(latencies), "latency_ms")}


def measure_node(
    width: int, height: int, targets: int, duration_s: float, *, masks: bool = False, positions: bool = False
) -> dict[str, Any]:
    """What the node says of itself in /diagnostics after `duration_s`, and what it used by /proc."""
    streams = followed_streams(("",), width, height, targets=targets, masks=masks, positions=positions)
    with streams as (node, client):
        before, cpu_before_s, started_s = _values(client), cpu_s(node.pid), time.monotonic()
        newest = heard_meanwhile(client, lambda: client.spin_for(duration_s))[-1][1]
        after, cpu_after_s = _values(client), cpu_s(node.pid)
        elapsed_s = time.monotonic() - started_s
        lost = sum(track.state > 1 for track in newest.tracks)
    processed = int(after["processed"]) - int(before["processed"])
    return {
        "hz": round(processed / elapsed_s, 1),
        "dropped": int(after["dropped"]) - int(before["dropped"]),
        "targets_lost": lost,
        "cpu_ms_per_frame": round((cpu_after_s - cpu_before_s) * 1e3 / max(1, processed), 1),
        **{
            f"{name}_{point}": float(after[f"{name}_{point}"]) for name in ("latency_ms", "step_ms") for point in POINTS
        },
    }


@contextmanager
def followed_streams(
    cameras: Sequence[str],
    width: int,
    height: int,
    *,
    targets: int = 1,
    rate: float = RATE_HZ,
    model: str = "",
    masks: bool = False,
    positions: bool = False,
) -> Iterator[tuple["Popen[bytes]", Probe]]:
    """A warm node that follows the targets of every camera, and a probe that hears of all of them.

    Args:
        cameras: their names; one empty name: a single camera without one.
        model: finds the red circle of every camera by its prompt; empty: `targets` squares are given by their boxes.
        masks: tracks carry their masks.
        positions: the cameras publish depth, and targets get positions.

    Raises:
        SourceError: the node or the targets were not there in time.
    """
    names = [name for name in cameras if name]
    words = ["-p", f"cameras:=[{','.join(names)}]"] if names else []
    words += ["-p", f"max_targets:={targets}"]
    words += ["-p", f"model:={model}"] if model else []
    words += ["-p", "publish_masks:=true"] if masks else []
    words += ["-p", "publish_3d:=true"] if positions else []
    with (
        node_process("ros.perception_node", "--ros-args", *words) as node,
        probe(cameras) as client,
        ExitStack() as processes,
    ):
        client.wait_for_node(NODE_TIMEOUT_S)
        for name in cameras:
            processes.enter_context(
                camera(width, height, targets, rate=rate, name=name, circles=bool(model), depth=positions)
            )
        client.spin_until(lambda: len(_newest(client)) == len(cameras), START_TIMEOUT_S, "the first images")

        def goal(name: str, number: int) -> TrackObject.Goal:
            if model:
                return TrackObject.Goal(prompt=PROMPT, camera=name, timeout=Duration(sec=NODE_TIMEOUT_S))
            stamp = _newest(client)[name].header.stamp
            box = target_boxes(frame_index(ns_from_time(stamp), rate), targets, width, height)[number]
            return TrackObject.Goal(region=[region_message(Region.from_box(box))], region_stamp=stamp, camera=name)

        handles = _follow(client, [partial(goal, name, number) for name in cameras for number in range(targets)])
        client.spin_for(WARM_UP_S)
        yield node, client
        for handle in handles:
            client.cancel(handle)


def _follow(client: Probe, goals: Sequence[Callable[[], TrackObject.Goal]]) -> list[ClientGoalHandle]:
    """The handles of the goals once all have targets. One that comes too late for its image is made and sent again."""
    handles = [client.send(goal()) for goal in goals]
    results = [handle.get_result_async() for handle in handles]

    def are_followed() -> bool:
        for number, result in enumerate(results):
            if result.done():
                handles[number] = client.send(goals[number]())
                results[number] = handles[number].get_result_async()
        return sum(len(message.tracks) for message in _newest(client).values()) == len(goals)

    client.spin_until(are_followed, NODE_TIMEOUT_S, "the targets")
    return handles


@contextmanager
def camera(
    width: int,
    height: int,
    targets: int,
    *,
    rate: float = RATE_HZ,
    name: str = "",
    circles: bool = False,
    depth: bool = False,
) -> Iterator[None]:
    options = ["--width", str(width), "--height", str(height), "--rate", str(rate), "--targets", str(targets)]
    options += ["--circles"] if circles else []
    options += ["--depth"] if depth else []
    topics = [("-r", f"{topic}:={name}/{topic}") for topic in ("image", "depth", "camera_info")]
    options += ["--ros-args", *itertools.chain(*topics)] if name else []
    with node_process("ros_tools.pattern_camera", *options):
        yield


def heard_meanwhile(client: Probe, act: Callable[[], object]) -> list[tuple[int, TrackArray]]:
    """The tracks that come while something is done, two of each camera at least: of fewer there are no figures.

    Raises:
        SourceError: a camera's tracks do not come.
    """
    cameras = _newest(client)
    client.tracks.clear()
    act()

    def has_two_of_each() -> bool:
        counts = Counter(message.camera for _, message in client.tracks)
        return all(counts[name] > 1 for name in cameras)

    client.spin_until(has_two_of_each, START_TIMEOUT_S, "tracks")
    return list(client.tracks)


def _newest(client: Probe) -> dict[str, TrackArray]:
    """The newest tracks of each camera that has any."""
    return {message.camera: message for _, message in client.tracks}


def _values(client: Probe) -> dict[str, str]:
    """The newest diagnostics of the only camera."""
    count = len(client.diagnostics)
    client.spin_until(lambda: len(client.diagnostics) > count, 10.0, "diagnostics")
    _, message = client.diagnostics[-1]
    return {value.key: value.value for value in message.status[0].values}


def _spin(executor: SingleThreadedExecutor, condition: Any, duration_s: float) -> None:
    deadline = time.monotonic() + duration_s
    while not condition() and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.02)


def _named(values: tuple[float, float, float], name: str) -> dict[str, float]:
    return {f"{name}_{point}": round(value, 2) for point, value in zip(POINTS, values, strict=True)}


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(
        prog="stream_bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=12.0, help="length of each measurement (default: 12)")
    parser.add_argument("--masks", action="store_true", help="measure with masks, too")
    parser.add_argument("--positions", action="store_true", help="measure with positions in space, too")
    names = {f"{width}x{height}": (width, height) for width, height in SIZES}
    parser.add_argument("--size", choices=names, help="one image size alone (default: all)")
    arguments = parser.parse_args(argv)
    use_private_domain()
    rows: list[dict[str, Any]] = []
    print(f"{'image':>10} {'targets':>12} {'Hz':>6} {'p50':>7} {'p95':>7} {'p99 ms':>7} {'step':>7} {'CPU/frame':>9}")
    extras = [(), *((name,) for name in ("masks", "positions") if getattr(arguments, name))]
    sizes = [names[arguments.size]] if arguments.size else SIZES
    for width, height in sizes:
        ceiling = measure_ceiling(width, height, arguments.seconds)
        rows.append({"width": width, "height": height, "targets": 0, **ceiling})
        _print_row(rows[-1], "ceiling")
        for targets, extra in itertools.product(TARGETS, extras):
            row = measure_node(width, height, targets, arguments.seconds, **dict.fromkeys(extra, True))
            row["added_ms"] = round(row["latency_ms_p50"] - ceiling["latency_ms_p50"] - row["step_ms_p50"], 2)
            rows.append({"width": width, "height": height, "targets": targets, "extra": " ".join(extra), **row})
            _print_row(rows[-1], " ".join([str(targets), *extra]))
    print(json.dumps({"rate_hz": RATE_HZ, "processors": os.cpu_count(), "rows": rows}))
    return 0


def _print_row(row: dict[str, Any], targets: str) -> None:
    latencies = " ".join(f"{row[f'latency_ms_{point}']:7.1f}" for point in POINTS)
    own = f"{row['step_ms_p50']:7.1f} {row['cpu_ms_per_frame']:9.1f}" if row["targets"] else ""
    print(f"{row['width']}x{row['height']:<5} {targets:>12} {row['hz']:6.1f} {latencies} {own}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SourceError as error:
        sys.exit(f"stream_bench: {error}")

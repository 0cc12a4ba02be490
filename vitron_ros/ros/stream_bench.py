"""How long an image takes to become a published track, over real DDS between real processes.

First the ceiling: the same camera into a subscriber that does nothing, so that what DDS costs is known. Then the
perception node with 1, 4 and 16 targets, on 640x480, 1280x720 and 1920x1080 at 30 Hz. `latency` is from the image's
stamp to the track's publication, `step` is the tracker's own time; what the node adds is latency - ceiling - step.
The last line is JSON.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from vitron_msgs.action import TrackObject

from vitron_ros.errors import SourceError
from vitron_ros.region import Region
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import ns_from_time, region_message
from vitron_ros.ros.pattern_camera import RATE_HZ, frame_index, target_boxes
from vitron_ros.ros.probe import Probe, node_process, probe
from vitron_ros.ros.transport import transport_environment
from vitron_ros.streaming.statistics import percentiles_ms

SIZES = ((640, 480), (1280, 720), (1920, 1080))
TARGETS = (1, 4, 16)
WARM_UP_S = 3.0
SETTLE_S = 30.0  # memory is compared with what it was by then
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


def measure_node(width: int, height: int, targets: int, duration_s: float) -> dict[str, Any]:
    """What the node says of itself in /diagnostics after `duration_s`, and what it used by /proc."""
    with node_process("perception_node") as node, probe() as client:
        client.wait_for_node()
        with camera(width, height, targets):
            client.spin_until(lambda: bool(client.tracks), 30.0, "the first image")
            stamp = client.tracks[-1][1].header.stamp
            boxes = target_boxes(frame_index(ns_from_time(stamp)), targets, width, height)
            regions = [region_message(Region.from_box(box)) for box in boxes]
            handles = [client.send(TrackObject.Goal(region=[region], region_stamp=stamp)) for region in regions]
            client.spin_for(WARM_UP_S)
            before, cpu_before_s, started_s = _values(client), cpu_s(node.pid), time.monotonic()
            if duration_s > SETTLE_S:
                client.spin_for(SETTLE_S)
            settled_mb = memory_mb(node.pid)
            client.tracks.clear()
            client.spin_for(duration_s - (time.monotonic() - started_s))
            after, cpu_after_s = _values(client), cpu_s(node.pid)
            elapsed_s = time.monotonic() - started_s
            grown_mb = memory_mb(node.pid) - settled_mb
            lost = sum(track.state > 1 for track in client.tracks[-1][1].tracks)
            for handle in handles:
                client.cancel(handle)
    processed = int(after["processed"]) - int(before["processed"])
    return {
        "hz": round(processed / elapsed_s, 1),
        "dropped": int(after["dropped"]) - int(before["dropped"]),
        "targets_lost": lost,
        "cpu_ms_per_frame": round((cpu_after_s - cpu_before_s) * 1e3 / max(1, processed), 1),
        "memory_mb": round(settled_mb, 1),
        "memory_growth_mb": round(grown_mb, 1),
        **{
            f"{name}_{point}": float(after[f"{name}_{point}"]) for name in ("latency_ms", "step_ms") for point in POINTS
        },
    }


@contextmanager
def camera(width: int, height: int, targets: int) -> Iterator[None]:
    options = ("--width", str(width), "--height", str(height), "--rate", str(RATE_HZ), "--targets", str(targets))
    with node_process("pattern_camera", *options):
        yield


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, user and system."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Private resident memory of a process; what it shares with others, such as DDS segments, does not count."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {words[0]: int(words[1]) for words in map(str.split, lines)}
    return (kilobytes["Private_Clean:"] + kilobytes["Private_Dirty:"]) / 1024


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
    parser.add_argument("--soak", type=float, default=300.0, help="length of the memory run; 0: none (default: 300)")
    arguments = parser.parse_args(argv)
    os.environ.update(
        {"ROS_DOMAIN_ID": str(20 + os.getpid() % 80), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
        **transport_environment(),
    )
    rows: list[dict[str, Any]] = []
    print(f"{'image':>10} {'targets':>8} {'Hz':>6} {'p50':>7} {'p95':>7} {'p99 ms':>7} {'step':>7} {'CPU/frame':>9}")
    for width, height in SIZES:
        ceiling = measure_ceiling(width, height, arguments.seconds)
        rows.append({"width": width, "height": height, "targets": 0, **ceiling})
        _print_row(rows[-1], "ceiling")
        for targets in TARGETS:
            row = measure_node(width, height, targets, arguments.seconds)
            row["added_ms"] = round(row["latency_ms_p50"] - ceiling["latency_ms_p50"] - row["step_ms_p50"], 2)
            rows.append({"width": width, "height": height, "targets": targets, **row})
            _print_row(rows[-1], str(targets))
    result: dict[str, Any] = {"rate_hz": RATE_HZ, "processors": os.cpu_count(), "rows": rows}
    if arguments.soak:
        result["soak"] = {"seconds": arguments.soak, **measure_node(*SIZES[0], 4, arguments.soak)}
        grown = result["soak"]["memory_growth_mb"]
        print(f"memory after {SETTLE_S:g} s {result['soak']['memory_mb']} MB, after {arguments.soak:g} s {grown:+} MB")
    print(json.dumps(result))
    return 0


def _print_row(row: dict[str, Any], targets: str) -> None:
    latencies = " ".join(f"{row[f'latency_ms_{point}']:7.1f}" for point in POINTS)
    own = f"{row['step_ms_p50']:7.1f} {row['cpu_ms_per_frame']:9.1f}" if row["targets"] else ""
    print(f"{row['width']}x{row['height']:<5} {targets:>8} {row['hz']:6.1f} {latencies} {own}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SourceError as error:
        sys.exit(f"stream_bench: {error}")

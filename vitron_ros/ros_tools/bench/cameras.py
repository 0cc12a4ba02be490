"""What one perception node makes of 1, 2, 4 cameras, 640x480 at 15 Hz each, over real DDS between real processes.

Twice: one square a camera followed from its box without a model, and one circle a camera that `vitron-tiny` finds by
its prompt and is asked about again and again. Everything is measured from outside: `sent` by the stamps, which the
cameras count up; `dropped` is the node's own count of images that newer ones overtook or DDS did not bring; `lost` are
images that it neither processed nor counted. The age of a box is from its image's stamp to the arrival of its tracks,
over all cameras. The last line is JSON.
"""

import json
import os
import time
from collections.abc import Sequence
from typing import Any

from vitron_msgs.msg import TrackArray

from vitron_ros.ros.conversions import ns_from_time
from vitron_ros.ros_tools.bench.stream import POINTS, followed_streams, heard_meanwhile
from vitron_ros.ros_tools.markdown import row, table
from vitron_ros.ros_tools.pattern_camera import frame_index
from vitron_ros.ros_tools.probe import use_private_domain
from vitron_ros.ros_tools.process_usage import cpu_s, machine
from vitron_ros.streaming.statistics import percentiles_ms

WIDTH, HEIGHT, RATE_HZ = 640, 480, 15.0
GROWTH = ("processed_hz", "cpu_percent", "age_ms_p50", "age_ms_p99")  # of which the last table tells the factor
TABLE = (
    ("cameras", "cameras"),
    ("sent/s", "sent_hz"),
    ("processed/s", "processed_hz"),
    ("dropped", "dropped"),
    ("lost", "lost"),
    ("latency p50", "age_ms_p50"),
    ("p95", "age_ms_p95"),
    ("p99 ms", "age_ms_p99"),
    ("CPU %", "cpu_percent"),
    ("CPU ms per image", "cpu_ms_per_frame"),
    ("load shedding", "load_shedding"),
)


def run(counts: Sequence[int], duration_s: float) -> int:
    """Print a table of each kind as Markdown, then one line of JSON."""
    use_private_domain()
    place = machine()
    rows = []
    for title, model in (("One box a camera, no model", ""), ("One prompt a camera, `vitron-tiny`", "vitron-tiny")):
        print(f"{title}:\n\n{table((name for name, _ in TABLE), ())}", flush=True)
        same = []
        for count in counts:
            same.append({"model": model, "cameras": count, **measure(count, duration_s, model)})
            print(row(same[-1][key] for _, key in TABLE), flush=True)
        print(f"\n{growth(same)}\n")
        rows += same
    print(json.dumps({"machine": place, "rate_hz": RATE_HZ, "seconds": duration_s, "rows": rows}))
    return os.EX_OK


def measure(count: int, duration_s: float, model: str = "") -> dict[str, Any]:
    """The figures of one node with `count` cameras."""
    names = [f"camera{number}" for number in range(1, count + 1)]
    with followed_streams(names, WIDTH, HEIGHT, rate=RATE_HZ, model=model) as (node, client):
        cpu_before_s, started_s = cpu_s(node.pid), time.monotonic()
        heard = heard_meanwhile(client, lambda: client.spin_for(duration_s))
        elapsed_s, used_s = time.monotonic() - started_s, cpu_s(node.pid) - cpu_before_s
        figures = stream_figures(heard)
    return {
        **figures,
        "sent_hz": round(figures["sent"] / elapsed_s, 1),
        "processed_hz": round(figures["processed"] / elapsed_s, 1),
        "cpu_percent": round(100 * used_s / elapsed_s),
        "cpu_ms_per_frame": round(1e3 * used_s / max(1, figures["processed"]), 1),
    }


def stream_figures(arrivals: Sequence[tuple[int, TrackArray]], rate: float = RATE_HZ) -> dict[str, Any]:
    """What became of the images between the first and the last tracks of each camera, and the age of the boxes.

    Args:
        arrivals: (ns, message) in order of time, of cameras whose stamps are whole multiples of their period.
    """
    by_camera: dict[str, list[TrackArray]] = {}
    for _, message in arrivals:
        by_camera.setdefault(message.camera, []).append(message)
    sent = processed = dropped = 0
    for messages in by_camera.values():
        first, last = messages[0], messages[-1]
        sent += _index(last, rate) - _index(first, rate)
        processed += len(messages) - 1
        dropped += last.skipped - first.skipped
    ages_ns = [arrival_ns - ns_from_time(message.header.stamp) for arrival_ns, message in arrivals]
    ages = {f"age_ms_{point}": round(value, 1) for point, value in zip(POINTS, percentiles_ms(ages_ns), strict=True)}
    return {
        "sent": sent,
        "processed": processed,
        "dropped": dropped,
        "lost": sent - processed - dropped,
        "load_shedding": max((message.load_shedding for _, message in arrivals), default=0),
        **ages,
    }


def growth(rows: Sequence[dict[str, Any]]) -> str:
    """How the last row compares with the first, in words."""
    first, last = rows[0], rows[-1]
    factors = [f"{name} x {last[name] / first[name]:.2f}" for name in GROWTH if first[name]]
    return f"From {first['cameras']} to {last['cameras']} cameras: {', '.join(factors)}."


def _index(message: TrackArray, rate: float) -> int:
    """Number of its image."""
    return frame_index(ns_from_time(message.header.stamp), rate)

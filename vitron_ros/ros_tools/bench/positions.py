"""What positions in space cost a camera's worker: CPU time per image with and without them, in turn, in one process.

`tracks` is the time until the tracks of an image are ready to be published, with `publish_3d` that of the silhouettes
included; `positions` is what follows after they are published. CPU time, so that a busy machine changes little; what
receiving depth costs the process is not in it: `vitron bench stream --positions`. The last line is JSON.
"""

import itertools
import json
import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import DepthConfig, PipelineConfig
from vitron_ros.frame import Frame
from vitron_ros.geometry.camera_model import CameraModel
from vitron_ros.geometry.depth_image import DepthImage
from vitron_ros.geometry.localizer import Localizer, tracked_image
from vitron_ros.geometry.track_3d import Status
from vitron_ros.region import Region
from vitron_ros.ros_tools.pattern_camera import PERIOD_FRAMES, RATE_HZ, depth_pictures, pictures, target_boxes
from vitron_ros.streaming.goals import TrackRequest
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.streaming.statistics import percentiles_ms
from vitron_ros.tracking.trackers import make_tracker

TARGETS = (1, 4, 16)
WIDTH, HEIGHT = 640, 480
WARM_UP = 30  # images


def measure(targets: int, images: int) -> dict[str, Any]:
    """Percentiles of CPU ms per image, after as many targets have been followed for `WARM_UP` images."""
    shown, depths = pictures(targets, WIDTH, HEIGHT), depth_pictures(targets, WIDTH, HEIGHT)
    without, with_positions = (_pipeline(targets, publish_3d=flag) for flag in (False, True))
    localizer = Localizer(DepthConfig())
    localizer.set_camera(
        CameraModel(
            focal=np.full(2, float(WIDTH)),
            middle=np.array([WIDTH / 2, HEIGHT / 2]),
            size=(WIDTH, HEIGHT),
            distortion=np.zeros(0),
        )
    )
    times: dict[str, list[int]] = {"tracks_without": [], "tracks_with": [], "positions": []}
    for index in range(WARM_UP + images):
        stamp_ns = SECOND_NS + round(index * SECOND_NS / RATE_HZ)
        frame = Frame(rgb=shown[index % PERIOD_FRAMES], stamp_ns=stamp_ns)
        turns = (("tracks_without", without), ("tracks_with", with_positions))
        for name, pipeline in turns if index % 2 else reversed(turns):
            started_ns = time.thread_time_ns()
            report = pipeline.step(frame, stamp_ns)
            times[name].append(time.thread_time_ns() - started_ns)
            if pipeline is with_positions:
                image = tracked_image(frame, report.tracks, report.silhouettes)
        depth = DepthImage(values=depths[index % PERIOD_FRAMES], unit_m=0.001, stamp_ns=stamp_ns)
        started_ns = time.thread_time_ns()
        localizer.add_depth(depth)
        localizer.add_image(image)
        localizer.take()
        times["positions"].append(time.thread_time_ns() - started_ns)
    placed = localizer.counts[Status.OK] / max(1, localizer.counts.total())
    named = {
        f"{name}_ms_{point}": round(value, 2)
        for name, taken in times.items()
        for point, value in zip(("p50", "p95", "p99"), percentiles_ms(taken[WARM_UP:]), strict=True)
    }
    return {"targets": targets, "placed": round(placed, 3), **named}


def _pipeline(targets: int, *, publish_3d: bool) -> CameraPipeline:
    config = PipelineConfig(publish_3d=publish_3d)
    pipeline = CameraPipeline(config, lambda: make_tracker(config.tracker), itertools.count(1))
    for number, box in enumerate(target_boxes(0, targets, WIDTH, HEIGHT)):
        pipeline.add(str(number), TrackRequest(region=Region.from_box(box)), SECOND_NS)
    return pipeline


def run(images: int, counts: Sequence[int] = TARGETS) -> int:
    """Print a table, then one line of JSON."""
    cv2.setNumThreads(1)
    print(f"{'targets':>7} {'tracks p50, p99 ms':>20} {'with positions':>20} {'ratio':>11} {'then positions':>16}")
    rows = []
    for targets in counts:
        row = measure(targets, images)
        rows.append(row)
        pairs = {name: (row[f"{name}_ms_p50"], row[f"{name}_ms_p99"]) for name in
                 ("tracks_without", "tracks_with", "positions")}  # fmt: skip
        ratios = [after / before for before, after in zip(pairs["tracks_without"], pairs["tracks_with"], strict=True)]
        print(f"{targets:>7} {_two(pairs['tracks_without']):>20} {_two(pairs['tracks_with']):>20} {_two(ratios):>11} "
              f"{_two(pairs['positions']):>16}", flush=True)  # fmt: skip
    print(json.dumps({"images": images, "width": WIDTH, "height": HEIGHT, "rows": rows}))
    return 0


def _two(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)

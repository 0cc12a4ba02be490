"""Positions in space against the truth of a recording, with depth as it was recorded and with depth that went wrong.

The targets are tracked once, from their first true boxes; then each kind of depth is given for the same tracks, as it
would arrive at a node. An error is the distance from the true position, relative to the true range.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import DepthConfig, PipelineConfig
from vitron_ros.errors import SourceError
from vitron_ros.geometry.camera_model import CameraModel, camera_model, info_topic
from vitron_ros.geometry.depth_image import DepthImage, depth_image
from vitron_ros.geometry.localizer import Localizer, TrackedImage, Tracks3D, tracked_image
from vitron_ros.geometry.track_3d import Status
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.offline.recorded_depth import INFO_TYPE
from vitron_ros.offline.replay import steps
from vitron_ros.recordings.bags import Bag
from vitron_ros.recordings.ground_truth import (
    GROUND_TRUTH_3D_TOPIC,
    TRACK_3D_ARRAY,
    read_ground_truth,
    truth_messages,
)
from vitron_ros.recordings.image_topics import COMPRESSED_IMAGE, IMAGE
from vitron_ros.region import Region
from vitron_ros.streaming.goals import TrackRequest

Array = NDArray[np.float64]
Truth = Mapping[int, Mapping[int, Array]]  # stamp in ns -> object's id -> position (3,) m
NOISE = 0.003  # m, standard deviation at 1 m; it grows with the square of the distance
HOLES = 0.3
LATE_NS = SECOND_NS // 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthCondition:
    """What is done to the depth. `change`: None: there is none; `delay_ns`: it arrives so late."""

    name: str
    change: Callable[[DepthImage, np.random.Generator], DepthImage | None]
    delay_ns: int = 0
    has_silhouettes: bool = True


def _with(depth: DepthImage, metres: Array) -> DepthImage:
    return replace(depth, values=np.round(metres * 1000).astype(np.uint16), unit_m=0.001)


def _metres(depth: DepthImage) -> Array:
    return np.asarray(depth.values * depth.unit_m, np.float64)


def _noisy(depth: DepthImage, rng: np.random.Generator) -> DepthImage:
    metres = _metres(depth)
    return _with(depth, np.maximum(metres + NOISE * metres**2 * rng.standard_normal(metres.shape), 0))


def _with_holes(depth: DepthImage, rng: np.random.Generator) -> DepthImage:
    return _with(depth, np.where(rng.random(depth.values.shape) < HOLES, 0, _metres(depth)))


NOISE_AND_HOLES = DepthCondition(name="noise and holes", change=lambda depth, rng: _with_holes(_noisy(depth, rng), rng))
CONDITIONS = (
    DepthCondition(name="as recorded", change=lambda depth, rng: depth),
    DepthCondition(name=f"noise of {NOISE:g} m x range^2", change=_noisy),
    DepthCondition(name=f"{HOLES:.0%} holes", change=_with_holes),
    NOISE_AND_HOLES,
    DepthCondition(name="no silhouettes, boxes alone", change=lambda depth, rng: depth, has_silhouettes=False),
    DepthCondition(name="half the size", change=lambda depth, rng: replace(depth, values=depth.values[::2, ::2])),
    DepthCondition(name="200 ms late", change=lambda depth, rng: depth, delay_ns=LATE_NS),
    DepthCondition(name="every third", change=lambda depth, rng: depth if rng.random() < 1 / 3 else None),
    DepthCondition(
        name="stamped 200 ms late", change=lambda depth, rng: replace(depth, stamp_ns=depth.stamp_ns + LATE_NS)
    ),
    DepthCondition(name="missing", change=lambda depth, rng: None),
    DepthCondition(name="cut to another shape", change=lambda depth, rng: replace(depth, values=depth.values[:, 40:])),
    DepthCondition(
        name="millimetres in 32FC1",
        change=lambda depth, rng: replace(depth, values=depth.values.astype(np.float32), unit_m=1.0),
    ),
    DepthCondition(name="metres in 16UC1", change=lambda depth, rng: _with(depth, _metres(depth) / 1000)),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthRecording:
    """What a recording holds, and its targets as they were tracked."""

    images: list[TrackedImage]
    depths: list[DepthImage]
    camera: CameraModel
    truth: Truth
    labels: Mapping[int, str]


def read_recording(path: Path, tracker: str = "default", frames: int | None = None) -> DepthRecording:
    """Track every object of a recording from its first true box. Track ids are the objects' ids.

    Args:
        frames: only the first so many.

    Raises:
        SourceError: it has no images, depth, calibration or truth.
        ConfigError: there is no such tracker.
    """
    bag = Bag(path)
    image_topic, depth_topic = _image_topics(bag, path)
    info, truth_topic = info_topic(image_topic), GROUND_TRUTH_3D_TOPIC
    for name, kind in ((info, INFO_TYPE), (truth_topic, TRACK_3D_ARRAY)):
        if name not in bag.topics or bag.topics[name].type != kind:
            raise SourceError(f"{path} has no {name} of type {kind}; make a recording as bags/make_depth.py does")
    boxes = read_ground_truth(path)
    first = boxes[min(boxes)]
    labels = {item.id: item.label for item in first}
    goals = [ScriptedGoal(request=TrackRequest(region=Region.from_box(item.box_xyxy))) for item in first]
    config = PipelineConfig(tracker=tracker, publish_3d=True)
    reports = steps(islice(bag.images(image_topic), frames), goals, config)
    numbers = dict(enumerate(labels, 1))  # goals start their targets in their order, and ids count from 1
    return DepthRecording(
        images=[
            _renamed(tracked_image(report.frame, report.tracks, report.silhouettes), numbers)
            for report in reports
            if report.frame is not None
        ],
        depths=[depth_image(message.value) for message in bag.messages([depth_topic])],
        camera=camera_model(next(iter(bag.messages([info]))).value),
        truth={
            stamp_ns: {
                int(track.id): np.array([track.position.x, track.position.y, track.position.z])
                for track in value.tracks
                if track.status == Status.OK
            }
            for stamp_ns, value in truth_messages(bag, truth_topic)
        },
        labels=labels,
    )


def _image_topics(bag: Bag, path: Path) -> tuple[str, str]:
    """Those of the images and of the depth: the compressed and the raw one."""
    raw = [name for name, topic in bag.topics.items() if topic.type == IMAGE]
    compressed = [name for name, topic in bag.topics.items() if topic.type == COMPRESSED_IMAGE]
    if len(raw) != 1 or len(compressed) != 1:
        raise SourceError(f"{path} must have one topic of {COMPRESSED_IMAGE} for images and one of {IMAGE} for depth")
    return compressed[0], raw[0]


def _renamed(image: TrackedImage, numbers: Mapping[int, int]) -> TrackedImage:
    return replace(
        image,
        tracks=tuple(replace(track, id=numbers[track.id]) for track in image.tracks),
        silhouettes={numbers[number]: mask for number, mask in image.silhouettes.items()},
    )


def place(recording: DepthRecording, condition: DepthCondition, config: DepthConfig) -> Iterator[Tracks3D]:
    """What a node would say, image by image, with depth that arrives as the condition says."""
    rng = np.random.default_rng(0)
    localizer = Localizer(config)
    localizer.set_camera(recording.camera)
    arrivals: list[tuple[int, int, DepthImage | TrackedImage]] = [
        (image.stamp_ns, 1, image) for image in recording.images
    ]
    for depth in recording.depths:
        changed = condition.change(depth, rng)
        if changed is not None:
            arrivals.append((depth.stamp_ns + condition.delay_ns, 0, changed))
    for _, _, item in sorted(arrivals, key=lambda arrival: arrival[:2]):
        if isinstance(item, DepthImage):
            localizer.add_depth(item)
        else:
            localizer.add_image(item if condition.has_silhouettes else replace(item, silhouettes={}))
        yield from localizer.take()
    yield from localizer.take(is_last=True)


def score(recording: DepthRecording, results: Iterator[Tracks3D]) -> dict[str, Any]:
    """Figures of all targets and of each: relative errors, and the share of the seen targets that got a position."""
    errors: dict[int, list[float]] = {number: [] for number in recording.labels}
    squares: list[float] = []
    statuses: Counter[Status] = Counter()
    problems: Counter[str] = Counter()
    for result in results:
        if result.problem:
            problems[result.problem] += 1
        for placed in result.tracks:
            number = placed.track.id
            truth = recording.truth[result.stamp_ns].get(number)
            if truth is None or placed.status is Status.NOT_SEEN:
                continue
            statuses[placed.status] += 1
            if placed.status is Status.OK:
                miss = placed.position - truth
                errors[number].append(float(np.linalg.norm(miss) / np.linalg.norm(truth)))
                squares.append(float(miss @ np.linalg.solve(placed.covariance, miss)) / 3)
    every = [value for values in errors.values() for value in values]
    return {
        **_figures(every),
        "placed": statuses[Status.OK] / max(1, statuses.total()),
        "squared_error_by_covariance": float(np.mean(squares)) if squares else None,
        "statuses": {status.name: count for status, count in sorted(statuses.items())},
        "problem": problems.most_common(1)[0][0] if problems else "",
        "targets": {recording.labels[number]: _figures(values) for number, values in errors.items()},
    }


def paths(recording: DepthRecording, condition: DepthCondition, config: DepthConfig) -> dict[str, tuple[Array, Array]]:
    """Of each target its true and its measured positions, (N, 3) m; NaN: none."""
    found: dict[str, list[tuple[Array, Array]]] = {label: [] for label in recording.labels.values()}
    for result in place(recording, condition, config):
        for placed in result.tracks:
            truth = recording.truth[result.stamp_ns].get(placed.track.id)
            if truth is not None:
                found[recording.labels[placed.track.id]].append((truth, placed.position))
    return {
        label: (np.array([true for true, _ in pairs]), np.array([measured for _, measured in pairs]))
        for label, pairs in found.items()
        if pairs
    }


def _figures(errors: list[float]) -> dict[str, Any]:
    if not errors:
        return {"mean_error": None, "p95_error": None, "positions": 0}
    return {
        "mean_error": float(np.mean(errors)),
        "p95_error": float(np.percentile(errors, 95)),
        "positions": len(errors),
    }


def evaluate(recording: DepthRecording, config: DepthConfig) -> dict[str, dict[str, Any]]:
    """Figures by the name of the condition."""
    return {condition.name: score(recording, place(recording, condition, config)) for condition in CONDITIONS}

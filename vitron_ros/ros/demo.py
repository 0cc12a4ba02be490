"""The whole way, for real: a bag played by a camera process, over DDS, into a perception process, and filmed."""

import itertools
import os
import shutil
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Track, TrackArray, TrackEvent

from vitron_ros.boxes import Boxes, iou
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.bag_writer import BagWriter
from vitron_ros.evaluation.bags import TrueBox, read_ground_truth, read_images
from vitron_ros.evaluation.video_writer import VideoWriter
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.images.draw import Overlay, draw_tracks
from vitron_ros.region import Region
from vitron_ros.ros.conversions import ns_from_time, region_message, time_from_ns
from vitron_ros.ros.probe import node_process, probe
from vitron_ros.ros.transport import transport_environment
from vitron_ros.streaming.goals import Outcome
from vitron_ros.streaming.statistics import percentiles_ms
from vitron_ros.tracking.track import TrackState

START_TIMEOUT_S = 60.0  # for the player to come up and find its subscriber
TAIL_S = 1.0  # for the last tracks to arrive
VISIBLE = 0.5  # share of a target that must be in sight for its frame to count in the mean IoU
SEEN = (Track.TENTATIVE, Track.TRACKED)


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """An object of the bag that the demo follows, from the first image on."""

    id: int
    phrase: str
    box_xyxy: Boxes  # (4,) px in the first image


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What the bag holds, and what of it is to be followed."""

    bag: Path
    stamps_ns: list[int]
    truth: dict[int, tuple[TrueBox, ...]]
    targets: list[Target]

    @property
    def duration_s(self) -> float:
        return (self.stamps_ns[-1] - self.stamps_ns[0]) / 1e9

    @property
    def fps(self) -> float:
        return (len(self.stamps_ns) - 1) / self.duration_s


@dataclass(slots=True, kw_only=True, eq=False)
class Recording:
    """What the probe heard.

    Attributes:
        start_ns: stamp that the bag's first image was given when it was played.
        tracks: by stamp as played: nanoseconds from that stamp to the arrival, and the message.
    """

    start_ns: int
    tracks: dict[int, tuple[int, TrackArray]]
    events: list[TrackEvent]
    diagnostics: list[tuple[int, DiagnosticArray]]
    results: list[TrackObject.Result]


def read_scene(bag: Path, target_count: int) -> Scene:
    """The bag with its first targets, as many as asked for, that are in sight in the first image.

    Raises:
        SourceError: the bag has fewer than two images, no true boxes, or too few targets.
    """
    stamps_ns = [frame.stamp_ns for frame in read_images(bag)]
    truth = read_ground_truth(bag)
    if len(stamps_ns) < 2:
        raise SourceError(f"{bag} has {len(stamps_ns)} images; the demo needs two or more")
    boxes = [box for box in truth.get(stamps_ns[0], ()) if box.visibility >= VISIBLE]
    if len(boxes) < target_count:
        raise SourceError(f"{bag} shows {len(boxes)} targets in its first image, not {target_count}")
    targets = [Target(box.id, box.label or f"target {box.id}", box.box_xyxy) for box in boxes[:target_count]]
    return Scene(bag, stamps_ns, truth, targets)


def play_and_track(scene: Scene) -> Recording:
    """Play the bag into a node of its own, with one goal a target.

    Both processes get a private ROS domain on this machine, unless the user has chosen one.

    Raises:
        SourceError: the node or the player did not come up, or a goal was refused.
    """
    environment = {
        "ROS_DOMAIN_ID": str(20 + os.getpid() % 80),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        **transport_environment(),
    }
    os.environ.update({name: value for name, value in environment.items() if name not in os.environ})
    with (
        node_process("perception_node") as node,
        node_process("bag_player", str(scene.bag), "--wait") as player,
        probe() as client,
    ):
        client.wait_for_node()
        start_ns = int(client.call(Trigger, "bag_player/start", Trigger.Request(), START_TIMEOUT_S).message)
        handles = [client.send(_goal(target, start_ns)) for target in scene.targets]
        if not all(handle.accepted for handle in handles):
            raise SourceError(f"a goal was refused: {client.events[-1].text if client.events else 'no reason given'}")
        client.spin_until(lambda: player.poll() is not None, scene.duration_s + 60, "the end of the bag")
        client.spin_for(TAIL_S)
        if player.returncode or node.poll() is not None:
            raise SourceError("the player or the node stopped with an error; it is printed above")
        results = [client.cancel(handle) for handle in handles]
        tracks = {}
        for arrival_ns, message in client.tracks:
            stamp_ns = ns_from_time(message.header.stamp)
            tracks[stamp_ns] = (arrival_ns - stamp_ns, message)
        return Recording(
            start_ns=start_ns, tracks=tracks, events=client.events, diagnostics=client.diagnostics, results=results
        )


def _goal(target: Target, start_ns: int) -> TrackObject.Goal:
    return TrackObject.Goal(
        prompt=target.phrase,
        region=[region_message(Region.from_box(target.box_xyxy))],
        region_stamp=time_from_ns(start_ns),
        timeout=60.0,
    )


def measure(recording: Recording, scene: Scene) -> dict[str, Any]:
    """The demo's figures.

    `frames_tracked` counts images for which the node published every target, `frames_seen` those in which it saw all
    that are in sight. `mean_iou` is over every image and target of which at least half is in sight; no answer counts 0.
    """
    tracked = seen = 0
    overlaps: dict[int, list[float]] = {target.id: [] for target in scene.targets}
    for stamp_ns in scene.stamps_ns:
        _, message = recording.tracks.get(_played_ns(stamp_ns, recording, scene), (0, TrackArray()))
        answers = {track.phrase: track for track in message.tracks}
        true_boxes = {box.id: box for box in scene.truth.get(stamp_ns, ()) if box.visibility >= VISIBLE}
        in_sight = [target for target in scene.targets if target.id in true_boxes]
        tracked += all(target.phrase in answers for target in scene.targets)
        seen += all(target.phrase in answers and answers[target.phrase].state in SEEN for target in in_sight)
        for target in in_sight:
            answer = answers.get(target.phrase)
            if answer is None or answer.state == Track.LOST:
                overlaps[target.id].append(0.0)
            else:
                overlaps[target.id].append(float(iou(answer.box, true_boxes[target.id].box_xyxy)))
    p50, p95, p99 = percentiles_ms([latency_ns for latency_ns, _ in recording.tracks.values()])
    return {
        "frames_in": len(scene.stamps_ns),
        "frames_tracked": tracked,
        "frames_seen": seen,
        "frames_dropped": len(scene.stamps_ns) - len(recording.tracks),
        "fps": round((len(recording.tracks) - 1) / scene.duration_s, 2),
        "latency_ms": {"p50": round(p50, 2), "p95": round(p95, 2), "p99": round(p99, 2)},
        "mean_iou": round(float(np.mean([value for values in overlaps.values() for value in values])), 4),
        "targets": [
            {
                "phrase": target.phrase,
                "mean_iou": round(float(np.mean(overlaps[target.id])), 4),
                "outcome": Outcome(result.outcome).name,
                "times_reacquired": result.times_reacquired,
            }
            for target, result in zip(scene.targets, recording.results, strict=True)
        ],
    }


def write_film(path: Path, recording: Recording, scene: Scene, progress: Callable[[], object]) -> None:
    """The bag's images with the tracks that the node published for them."""
    frames = read_images(scene.bag)
    first = next(frames)
    with VideoWriter(path, scene.fps, (first.width, first.height)) as film:
        for frame in itertools.chain([first], frames):
            latency_ns, message = recording.tracks.get(_played_ns(frame.stamp_ns, recording, scene), (0, None))
            if message is None:
                film.write(draw_tracks(frame.rgb, [], "no tracks for this image"))
            else:
                film.write(draw_tracks(frame.rgb, _overlays(message), f"{latency_ns / 1e6:.0f} ms from image to track"))
            progress()


def write_mcap(path: Path, recording: Recording, scene: Scene) -> None:
    """Images, tracks, events and diagnostics as one MCAP file, with the stamps as they were played."""
    folder = path.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    with BagWriter(folder) as bag:
        for log_ns, topic, kind, data in sorted(_messages(recording, scene), key=lambda message: message[0]):
            bag.write_raw(topic, kind, data, log_ns)
    next(folder.glob("*.mcap")).replace(path)
    shutil.rmtree(folder)


def _messages(recording: Recording, scene: Scene) -> Iterator[tuple[int, str, str, bytes]]:
    """Every message of the recording, serialised: time, topic, type, data."""
    for frame in read_images(scene.bag):
        stamp_ns = _played_ns(frame.stamp_ns, recording, scene)
        header = Header(stamp=time_from_ns(stamp_ns), frame_id=frame.frame_id)
        image = CompressedImage(header=header, format="jpeg", data=array("B", encode_jpeg(frame.rgb)))
        yield stamp_ns, "/image/compressed", "sensor_msgs/msg/CompressedImage", serialize_message(image)
    for stamp_ns, (latency_ns, tracks) in recording.tracks.items():
        yield stamp_ns + latency_ns, "/tracks", "vitron_msgs/msg/TrackArray", serialize_message(tracks)
    for event in recording.events:
        stamp_ns = ns_from_time(event.header.stamp) or recording.start_ns
        yield stamp_ns, "/events", "vitron_msgs/msg/TrackEvent", serialize_message(event)
    for arrival_ns, diagnostics in recording.diagnostics:
        yield arrival_ns, "/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", serialize_message(diagnostics)


def _played_ns(stamp_ns: int, recording: Recording, scene: Scene) -> int:
    """The stamp that an image of the bag had when it was played."""
    return recording.start_ns + stamp_ns - scene.stamps_ns[0]


def _overlays(message: TrackArray) -> list[Overlay]:
    return [
        Overlay(
            id=track.id,
            box_xyxy=track.box.astype(np.float64),
            label=track.phrase,
            state=TrackState(track.state).name.lower(),
            score=track.score,
        )
        for track in message.tracks
    ]

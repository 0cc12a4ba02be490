"""What is left of a played demo to look at: a film, and a recording for Foxglove."""

import itertools
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header
from vitron_msgs.action import Converse
from vitron_msgs.msg import TrackArray

from vitron_ros.frame import Frame, Image
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.images.command_panel import CommandPanel, CommandRow, CommandStatus, draw_command_panel
from vitron_ros.images.draw import Overlay, draw_tracks, shade_unselected
from vitron_ros.offline.selected_patches import SelectedPatches
from vitron_ros.recordings.bag_writer import mcap_file
from vitron_ros.recordings.bags import read_images
from vitron_ros.recordings.video_writer import VideoWriter
from vitron_ros.ros.conversions import ns_from_time, time_from_ns
from vitron_ros.ros_tools.demo.cut_outs import cut_outs
from vitron_ros.ros_tools.demo.scoring import Assessment, is_right_track
from vitron_ros.ros_tools.demo.session import DemoRecording, DemoScene
from vitron_ros.tracking.track import TrackState

REGION_S = 2.5  # for which an invocation's region is shown: it speaks of one image
REGION_ID = 101  # chooses its colour


@dataclass(frozen=True, slots=True, eq=False)
class Inset:
    """A small picture that the film shows from a time on."""

    from_ns: int
    rgb: Image
    title: str


def write_film(
    path: Path,
    recording: DemoRecording,
    scene: DemoScene,
    verdicts: list[Assessment],
    kept: SelectedPatches | None,
    progress: Callable[[], object],
) -> None:
    """The bag's images with the tracks that the node published for them; commands that are words stand beside them.

    A reply is shown from its arrival on, and not from the image that it speaks of.

    Args:
        kept: finds the patches of an image that reach the language model; None: there is no model.
        progress: called after each image.
    """
    frames = read_images(scene.bag)
    first = next(frames)
    insets = [] if kept is None else _insets(recording, scene, verdicts, kept)
    insets = _with_cut_outs(insets, recording, scene, verdicts)
    starts = [inset.from_ns for inset in insets]

    def drawn(frame: Frame) -> Image:
        played_ns = recording.played_ns(frame.stamp_ns, scene)
        latency_ns, message = recording.tracks.get(played_ns, (0, None))
        status = "no tracks for this image" if message is None else f"{latency_ns / 1e6:.0f} ms from image to track"
        overlays = [] if message is None else _overlays(message)
        if scene.by_box:
            return draw_tracks(frame.rgb, overlays, status)
        overlays += [overlay for verdict in verdicts for overlay in _region(verdict, played_ns)]
        past = bisect_right(starts, played_ns)
        inset = insets[past - 1] if past else None
        return draw_command_panel(draw_tracks(frame.rgb, overlays), panel_at(verdicts, played_ns, inset, status))

    sheet = drawn(first)
    with VideoWriter(path, scene.fps, (sheet.shape[1], sheet.shape[0])) as film:
        for frame in itertools.chain([first], frames):
            film.write(drawn(frame), frame.stamp_ns)
            progress()


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


def _region(verdict: Assessment, played_ns: int) -> list[Overlay]:
    """The place of an invocation, for a while after it came."""
    is_fresh = 0 < verdict.answered_ns <= played_ns < verdict.answered_ns + REGION_S * 1e9
    if verdict.box_xyxy is None or not is_fresh:
        return []
    label = verdict.instructions[0] if verdict.instructions else ""
    return [Overlay(id=REGION_ID, box_xyxy=verdict.box_xyxy, label=label, state="region", score=1.0)]


def panel_at(verdicts: list[Assessment], played_ns: int, inset: Inset | None, note: str) -> CommandPanel:
    """What stands around the image with a stamp as played."""
    said = [verdict for verdict in verdicts if verdict.exchange.sent_ns <= played_ns]
    return CommandPanel(
        commands=[_command_row(verdict, played_ns) for verdict in verdicts],
        question=said[-1].exchange.command.spoken if said else "",
        answer=_answer(said[-1], played_ns) if said else "",
        inset=inset.rgb if inset else None,
        inset_title=inset.title if inset else "",
        note=note,
    )


def _answer(verdict: Assessment, played_ns: int) -> str:
    if played_ns < verdict.settled_ns:
        return "thinking ..."
    return f"following it as #{verdict.track_ids[0]}" if verdict.track_ids else verdict.words


def _command_row(verdict: Assessment, played_ns: int) -> CommandRow:
    """A command as it stands at a time, judged by what there is until then."""
    spoken = verdict.exchange.command.spoken
    if played_ns < verdict.exchange.sent_ns:
        return CommandRow(spoken, "", "waiting")
    if played_ns < verdict.settled_ns:
        return CommandRow(spoken, "thinking ...", "running")
    if verdict.seconds is None:
        return CommandRow(spoken, verdict.words, "wrong")
    mean = verdict.mean_iou(played_ns)
    is_track = verdict.exchange.command.kind == "track"
    is_right = verdict.is_right if not is_track or mean is None else is_right_track(verdict.track_ids, mean)
    status: CommandStatus = "right" if is_right else "wrong"
    share = "" if mean is None else f", IoU {mean:.2f}"
    return CommandRow(spoken, f"{status}{share}, after {verdict.seconds:.1f} s", status)


def _insets(
    recording: DemoRecording, scene: DemoScene, verdicts: list[Assessment], kept: SelectedPatches
) -> list[Inset]:
    """The newest image of every clip that an answer speaks of, with the patches that the model kept of it."""
    shown_from: dict[int, int] = {}
    for stamp_ns, (latency_ns, message) in sorted(recording.tracks.items()):
        shown_from.setdefault(ns_from_time(message.grounded), stamp_ns + latency_ns)
    for verdict in verdicts:
        result = verdict.exchange.result
        if isinstance(result, Converse.Result):
            shown_from.setdefault(ns_from_time(result.header.stamp), verdict.answered_ns)
    wanted = {recording.recorded_ns(stamp_ns, scene): from_ns for stamp_ns, from_ns in shown_from.items()}
    made = []
    for frame in read_images(scene.bag):
        if frame.stamp_ns in wanted:
            patches = kept(frame.rgb)
            title = f"the model keeps {np.count_nonzero(patches)} of {patches.size} patches"
            made.append(Inset(wanted[frame.stamp_ns], shade_unselected(frame.rgb, patches), title))
    return sorted(made, key=lambda inset: inset.from_ns)


def _with_cut_outs(
    insets: list[Inset], recording: DemoRecording, scene: DemoScene, verdicts: list[Assessment]
) -> list[Inset]:
    """What was cut out instead of the others, from its command's answer on."""
    for verdict, image in cut_outs(recording, scene, verdicts):
        first_ns, last_ns = verdict.answered_ns, verdict.answered_ns + round(REGION_S * 1e9)
        covered = [inset for inset in insets if inset.from_ns <= last_ns]
        after = [replace(covered[-1], from_ns=last_ns)] if covered else []
        kept = [inset for inset in insets if not first_ns <= inset.from_ns <= last_ns]
        insets = sorted(
            [*kept, Inset(first_ns, image, verdict.exchange.command.spoken), *after], key=lambda inset: inset.from_ns
        )
    return insets


def write_mcap(path: Path, recording: DemoRecording, scene: DemoScene) -> None:
    """Images, tracks, events, invocations and diagnostics as one MCAP file, with the stamps as they were played."""
    with mcap_file(path) as bag:
        for log_ns, topic, kind, data in sorted(_messages(recording, scene), key=lambda message: message[0]):
            bag.write_raw(topic, kind, data, log_ns)


def _messages(recording: DemoRecording, scene: DemoScene) -> Iterator[tuple[int, str, str, bytes]]:
    """Every message of the recording, serialised: time, topic, type, data."""
    for frame in read_images(scene.bag):
        stamp_ns = recording.played_ns(frame.stamp_ns, scene)
        header = Header(stamp=time_from_ns(stamp_ns), frame_id=frame.frame_id)
        image = CompressedImage(header=header, format="jpeg", data=array("B", encode_jpeg(frame.rgb)))
        yield stamp_ns, "/image/compressed", "sensor_msgs/msg/CompressedImage", serialize_message(image)
    for stamp_ns, (latency_ns, tracks) in recording.tracks.items():
        yield stamp_ns + latency_ns, "/tracks", "vitron_msgs/msg/TrackArray", serialize_message(tracks)
    for event in recording.events:
        stamp_ns = ns_from_time(event.header.stamp) or recording.start_ns
        yield stamp_ns, "/events", "vitron_msgs/msg/TrackEvent", serialize_message(event)
    for exchange in recording.exchanges:
        if isinstance(exchange.result, Converse.Result):
            for invocation in exchange.result.invocations:
                yield exchange.replied_ns, "/invocations", "vitron_msgs/msg/Invocation", serialize_message(invocation)
    for arrival_ns, diagnostics in recording.diagnostics:
        yield arrival_ns, "/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", serialize_message(diagnostics)

"""What a played demo is worth: each command's outcome, right or wrong, and the figures of the stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from vitron_msgs.msg import Track

from vitron_ros.boxes import Boxes, iou
from vitron_ros.module_registry import Module
from vitron_ros.ros.conversions import ns_from_time, outcome_name, region_from_message
from vitron_ros.ros_tools.demo.session import CommandRun, DemoRecording, DemoScene
from vitron_ros.streaming.statistics import percentiles_ms

RIGHT_IOU = 0.5
NEVER_NS = 2**63 - 1
SEEN = (Track.TENTATIVE, Track.TRACKED)
ANSWERED = ("OK", "CANCELED", "NOT_FOUND", "LOST", "NOT_UNDERSTOOD", "UNSURE")  # any other outcome: it failed to run


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assessment:
    """How a command ended.

    Attributes:
        outcome: of its action, by name; REFUSED.
        words: the same for a person.
        is_right: whether it did what was asked for.
        answered_ns: when the first track or the reply came; 0: never.
        reply: the model's words.
        overlaps: IoU with the target by stamp as played, of every image that counts; of an invocation: its region's.
        track_ids: of the target, in order of appearance.
        instructions: of an invocation.
        box_xyxy: (4,) px, of an invocation's region; None: it has none, or there is no invocation.
    """

    exchange: CommandRun
    outcome: str
    words: str
    is_right: bool
    answered_ns: int
    reply: str = ""
    overlaps: Mapping[int, float]
    track_ids: tuple[int, ...] = ()
    times_reacquired: int = 0
    instructions: tuple[str, ...] = ()
    box_xyxy: Boxes | None = None

    @property
    def has_run(self) -> bool:
        """Whether there is an answer to judge."""
        return self.outcome in ANSWERED

    @property
    def settled_ns(self) -> int:
        """When it was known how it ends: its first track or reply, else its result; at once where refused; or never."""
        if self.exchange.result is None:
            return self.exchange.sent_ns
        return self.answered_ns or self.exchange.replied_ns or NEVER_NS

    def mean_iou(self, until_ns: int | None = None) -> float | None:
        """Over the images that count, all or up to a stamp as played; None if there are none."""
        values = [value for stamp_ns, value in self.overlaps.items() if until_ns is None or stamp_ns <= until_ns]
        return float(np.mean(values)) if values else None

    @property
    def seconds(self) -> float | None:
        """From the command to its first track or its reply."""
        return (self.answered_ns - self.exchange.sent_ns) / 1e9 if self.answered_ns else None


def is_right_track(track_ids: tuple[int, ...], mean_iou: float) -> bool:
    """Whether one id lies well enough on its target."""
    return len(track_ids) == 1 and mean_iou >= RIGHT_IOU


def judge(recording: DemoRecording, scene: DemoScene) -> list[Assessment]:
    """A verdict for every command.

    A track is right where one id lies on the target with a mean IoU of 0.5 or more. It counts from its first image on
    (one that was given by a box: from the first image of the bag), over the images in which at least half of the
    target is in sight; no answer counts 0. An answer is right where it is the expected one, an invocation where its
    module and instruction are and its region has an IoU of 0.5 or more in the image that it speaks of.
    """
    return [
        _judge_track(exchange, recording, scene)
        if exchange.command.kind == "track"
        else _judge_answer(exchange, recording, scene)
        for exchange in recording.exchanges
    ]


def _judge_track(exchange: CommandRun, recording: DemoRecording, scene: DemoScene) -> Assessment:
    answers = _tracks_of(exchange.command.text, recording)
    ids = tuple(dict.fromkeys(track.id for track in answers.values()))
    begin_ns = (
        min(answers) if answers and not scene.by_box else recording.start_ns if scene.by_box else exchange.sent_ns
    )
    overlaps = {}
    for stamp_ns in scene.stamps_ns:
        played_ns = recording.played_ns(stamp_ns, scene)
        true = scene.true_box(exchange.command.target, stamp_ns)
        if true is None or played_ns < begin_ns:
            continue
        answer = answers.get(played_ns)
        if answer is None or answer.state in (Track.LOST, Track.ENDED):
            overlaps[played_ns] = 0.0
        else:
            overlaps[played_ns] = float(iou(answer.box, true.box_xyxy))
    result = exchange.result
    outcome = "REFUSED" if result is None else outcome_name(result)
    times = 0 if result is None else int(result.times_reacquired)
    mean = float(np.mean(list(overlaps.values()))) if overlaps else 0.0
    return Assessment(
        exchange=exchange,
        outcome=outcome,
        words=_track_words(exchange, outcome, ids, times),
        is_right=is_right_track(ids, mean),
        answered_ns=min(stamp_ns + recording.tracks[stamp_ns][0] for stamp_ns in answers) if answers else 0,
        overlaps=overlaps,
        track_ids=ids,
        times_reacquired=times,
    )


def _tracks_of(phrase: str, recording: DemoRecording) -> dict[int, Track]:
    """The track of a phrase in every image that has one, by stamp as played."""
    found = {}
    for stamp_ns, (_, message) in sorted(recording.tracks.items()):
        track = next((track for track in message.tracks if track.phrase == phrase), None)
        if track is not None:
            found[stamp_ns] = track
    return found


def _track_words(exchange: CommandRun, outcome: str, ids: tuple[int, ...], times_reacquired: int) -> str:
    if exchange.result is None:
        return f"refused: {exchange.refusal}"
    if not ids:
        return "not found by the end" if outcome == "CANCELED" else exchange.result.error_msg
    words = "followed as " + ", ".join(f"#{number}" for number in ids)
    if times_reacquired:
        words += f", found again {'once' if times_reacquired == 1 else f'{times_reacquired} times'}"
    return words if outcome in ("OK", "CANCELED") else f"{words}, then {outcome.lower().replace('_', ' ')}"


def _judge_answer(exchange: CommandRun, recording: DemoRecording, scene: DemoScene) -> Assessment:
    result, command = exchange.result, exchange.command
    if result is None:
        words = f"refused: {exchange.refusal}"
        return Assessment(exchange=exchange, outcome="REFUSED", words=words, is_right=False, answered_ns=0, overlaps={})
    outcome = outcome_name(result)
    invocation = result.invocations[0] if result.invocations else None
    words = f'"{result.reply}"' if outcome == "OK" else result.error_msg
    is_right, box, overlaps = False, None, {}
    if invocation is None:
        is_right = outcome == "OK" and command.module is None and _plain(result.reply) == _plain(command.answer)
    else:
        words += f" {Module(invocation.module).name.lower().replace('_', ' ')}, {'; '.join(invocation.instructions)}"
        header = invocation.header if ns_from_time(invocation.header.stamp) else result.header
        stamp_ns = ns_from_time(header.stamp)
        true = scene.true_box(command.target, recording.recorded_ns(stamp_ns, scene))
        if invocation.region:
            box = region_from_message(invocation.region[0]).points.reshape(-1)
        if true is not None:
            overlaps = {stamp_ns: 0.0 if box is None else float(iou(box, true.box_xyxy))}
        is_right = (
            command.module == invocation.module
            and [command.instruction] == list(invocation.instructions)
            and max(overlaps.values(), default=0.0) >= RIGHT_IOU
        )
    return Assessment(
        exchange=exchange,
        outcome=outcome,
        words=words,
        is_right=is_right,
        answered_ns=exchange.replied_ns,
        reply=result.reply,
        overlaps=overlaps,
        instructions=() if invocation is None else tuple(invocation.instructions),
        box_xyxy=box,
    )


def _plain(text: str) -> str:
    return " ".join(text.lower().strip(" .").split())


def measure(recording: DemoRecording, scene: DemoScene, verdicts: list[Assessment]) -> dict[str, Any]:
    """The demo's figures.

    `frames_tracked` counts images for which the node published every target that it had found by then, `frames_seen`
    those in which it saw all of these that are in sight. `mean_iou` is over all tracks and all images that count.
    """
    tracked = seen = 0
    tracks = [verdict for verdict in verdicts if verdict.exchange.command.kind == "track"]
    begins = {
        verdict.exchange.command.text: recording.start_ns if scene.by_box else min(verdict.overlaps, default=0)
        for verdict in tracks
        if scene.by_box or verdict.track_ids
    }
    for stamp_ns in scene.stamps_ns:
        played_ns = recording.played_ns(stamp_ns, scene)
        if played_ns not in recording.tracks:
            continue
        answers = {track.phrase: track for track in recording.tracks[played_ns][1].tracks}
        wanted = [
            verdict.exchange.command
            for verdict in tracks
            if begins.get(verdict.exchange.command.text, played_ns + 1) <= played_ns
        ]
        in_sight = [command for command in wanted if scene.true_box(command.target, stamp_ns)]
        tracked += all(command.text in answers for command in wanted)
        seen += all(command.text in answers and answers[command.text].state in SEEN for command in in_sight)
    p50, p95, p99 = percentiles_ms([latency_ns for latency_ns, _ in recording.tracks.values()])
    overlaps = [value for verdict in tracks for value in verdict.overlaps.values()]
    return {
        "frames_in": len(scene.stamps_ns),
        "frames_tracked": tracked,
        "frames_seen": seen,
        "frames_dropped": len(scene.stamps_ns) - len(recording.tracks),
        "fps": round((len(recording.tracks) - 1) / scene.duration_s, 2),
        "latency_ms": {"p50": round(p50, 2), "p95": round(p95, 2), "p99": round(p99, 2)},
        "model_latency_ms": model_latency(recording),
        "mean_iou": round(float(np.mean(overlaps)), 4) if overlaps else None,
        "commands": [_figures(verdict) for verdict in verdicts],
    }


def model_latency(recording: DemoRecording) -> dict[str, float] | None:
    """p50, p95 and p99 from a question to the model to its reply, as the node's last diagnostics say; None without."""
    for _, message in reversed(recording.diagnostics):
        for status in message.status:
            values = {item.key: item.value for item in status.values}
            if status.name.endswith(": model") and "latency_ms_p50" in values:
                return {point: float(values[f"latency_ms_{point}"]) for point in ("p50", "p95", "p99")}
    return None


def _figures(verdict: Assessment) -> dict[str, Any]:
    mean, seconds = verdict.mean_iou(), verdict.seconds
    figures: dict[str, Any] = {
        "command": verdict.exchange.command.spoken,
        "outcome": verdict.outcome,
        "words": verdict.words,
        "has_run": verdict.has_run,
        "right": verdict.is_right,
        "iou": None if mean is None else round(mean, 4),
        "seconds": None if seconds is None else round(seconds, 3),
    }
    if verdict.exchange.command.kind == "ask":
        return figures | {"reply": verdict.reply}
    return figures | {"track_ids": list(verdict.track_ids), "times_reacquired": verdict.times_reacquired}

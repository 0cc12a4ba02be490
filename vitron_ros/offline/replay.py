"""A recording through the same pipeline as the node's, with the stamps as the clock: twice the same, bit for bit."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import SourceError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.offline.replayed_model import Latency, ReplayedModel, fixed
from vitron_ros.streaming.goals import GoalResult
from vitron_ros.streaming.pipeline import CameraPipeline, Report
from vitron_ros.tracking.track import TrackEvent, TrackSnapshot
from vitron_ros.tracking.trackers import make_tracker

DEFAULT_LATENCY = fixed(0.2)
NOT_STARTED = "the recording ended before its time"


@dataclass(slots=True, eq=False)
class ReplayResult:
    """What came out of a replay.

    Attributes:
        frames: (stamp_ns, tracks) of every frame.
        phrases: of the goals of the script.
        results: how each goal ended, by its number in the script, from 0; without those that never began.
        broken_off: why the frames ended before their time; empty if they did not.
    """

    frames: list[tuple[int, tuple[TrackSnapshot, ...]]] = field(default_factory=list)
    events: list[TrackEvent] = field(default_factory=list)
    phrases: tuple[str, ...] = ()
    results: dict[int, GoalResult] = field(default_factory=dict)
    broken_off: str = ""

    def as_json(self) -> dict[str, Any]:
        """Everything, rounded to what is meaningful: px to 1/100, scores to 1/10000."""
        return {
            "frames": [
                {"stamp_ns": stamp_ns, "tracks": [track_json(track) for track in tracks]}
                for stamp_ns, tracks in self.frames
            ],
            "events": [event_json(event) for event in self.events],
            "goals": [goal_json(phrase, self.results.get(index)) for index, phrase in enumerate(self.phrases)],
            "broken_off": self.broken_off,
        }

    @property
    def found_all(self) -> bool:
        """Whether every goal began and had its target in sight."""
        return all(
            index in self.results and self.results[index].frames_tracked > 0 for index in range(len(self.phrases))
        )


def replay(
    frames: Iterable[Frame],
    goals: Sequence[ScriptedGoal],
    config: PipelineConfig,
    watch: Callable[[Report], None] = lambda report: None,
    *,
    model: LanguageVision | None = None,
    latency: Latency = DEFAULT_LATENCY,
) -> ReplayResult:
    """Every frame in order, none skipped. `watch` sees each report as it comes.

    Args:
        model: answers prompts; None: goals need regions.
        latency: how long the model takes, in the time of the recording.
    """
    pipeline = CameraPipeline(
        config,
        lambda: make_tracker(config.tracker),
        itertools.count(1),
        model_frames=0 if model is None else model.max_frames,
    )
    slow = None if model is None else ReplayedModel(model, latency, int(config.model_timeout * SECOND_NS))
    waiting = sorted(enumerate(goals), key=lambda item: item[1].at_s)
    cancels = sorted((goal.cancel_at_s, index) for index, goal in enumerate(goals) if goal.cancel_at_s is not None)
    recording = ReplayResult(phrases=tuple(goal.request.prompt for goal in goals))
    first_ns: int | None = None
    for frame in _readable(frames, recording):
        first_ns = frame.stamp_ns if first_ns is None else first_ns
        elapsed_s = (frame.stamp_ns - first_ns) / SECOND_NS
        while waiting and waiting[0][1].at_s <= elapsed_s:
            index, goal = waiting.pop(0)
            pipeline.add(str(index), goal.request, frame.stamp_ns)
        while cancels and cancels[0][0] <= elapsed_s:
            pipeline.cancel(str(cancels.pop(0)[1]))
        if slow is not None:
            slow.run_until(frame.stamp_ns, pipeline.receive)
        report = pipeline.step(frame, frame.stamp_ns)
        if slow is not None:
            slow.submit(report.requests, frame.stamp_ns)
        _record(recording, report)
        watch(report)
        pipeline.catch_up()
    _record(recording, pipeline.finish_recording())
    return recording


def _readable(frames: Iterable[Frame], recording: ReplayResult) -> Iterator[Frame]:
    """The frames up to where their source breaks off, if it does."""
    try:
        yield from frames
    except SourceError as error:
        recording.broken_off = str(error)


def _record(recording: ReplayResult, report: Report) -> None:
    if report.frame is not None:
        recording.frames.append((report.frame.stamp_ns, report.tracks))
    recording.events += report.events
    recording.results.update({int(goal_id): result for goal_id, result in report.finished.items()})


def track_json(track: TrackSnapshot) -> dict[str, Any]:
    return {
        "id": track.id,
        "phrase": track.phrase,
        "state": track.state.name,
        "box_xyxy": [round(float(value), 2) for value in track.box_xyxy],
        "score": round(track.score, 4),
        "velocity": [round(float(value), 2) for value in track.velocity],
        "grounded_ns": track.grounded_ns,
    }


def event_json(event: TrackEvent) -> dict[str, Any]:
    return {
        "stamp_ns": event.stamp_ns,
        "track_id": event.track_id,
        "phrase": event.phrase,
        "event": event.kind.name,
        "reason": event.reason.name,
        "text": event.text,
    }


def goal_json(phrase: str, result: GoalResult | None) -> dict[str, Any]:
    """What became of a goal; None: it never began."""
    if result is None:
        return {"phrase": phrase, "outcome": "NOT_STARTED", "message": NOT_STARTED, "track_ids": []}
    return {
        "phrase": phrase,
        "outcome": result.outcome.name,
        "message": result.message,
        "track_ids": [track.id for track in result.tracks],
        "frames_tracked": result.frames_tracked,
        "frames_lost": result.frames_lost,
        "times_reacquired": result.times_reacquired,
    }

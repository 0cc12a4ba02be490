"""A recording through the same pipeline as the node's, with the stamps as the clock: twice the same, bit for bit."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ImageError, SourceError
from vitron_ros.frame import Frame
from vitron_ros.geometry.localizer import Tracks3D
from vitron_ros.geometry.track_3d import Status, Track3D
from vitron_ros.grounding.request import LanguageVision, Task
from vitron_ros.offline.coco_rle import CocoRle, coco_masks
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.offline.replayed_model import Latency, ReplayedModel, fixed
from vitron_ros.recordings.bags import OnBad, log_bad_frame
from vitron_ros.streaming.goals import GoalResult
from vitron_ros.streaming.pipeline import CameraPipeline, Report
from vitron_ros.tracking.track import TrackEvent, TrackSnapshot
from vitron_ros.tracking.trackers import make_tracker

DEFAULT_LATENCY = fixed(0.2)
NOT_STARTED = "the recording ended before its time"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class FrameTracks:
    """The tracks in one frame; `index` is the frame's number in its source, from 0.

    masks: by track id, in place of the snapshots' own, which would fill the memory in a long recording.
    positions: by track id, in space, where there is depth.
    """

    index: int
    stamp_ns: int
    tracks: tuple[TrackSnapshot, ...]
    masks: Mapping[int, CocoRle] = field(default_factory=dict)
    positions: Mapping[int, Track3D] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class ReplayResult:
    """What came out of a replay.

    Attributes:
        phrases: of the goals of the script.
        results: how each goal ended, by its number in the script, from 0; without those that never began.
        broken_off: why the frames ended before their time; empty if they did not.
    """

    frames: list[FrameTracks] = field(default_factory=list)
    events: list[TrackEvent] = field(default_factory=list)
    phrases: tuple[str, ...] = ()
    results: dict[int, GoalResult] = field(default_factory=dict)
    broken_off: str = ""

    def add(self, report: Report, placed: Tracks3D | None = None) -> None:
        """A report, and where its targets are in space."""
        if (frame := report.frame) is not None:
            masks = coco_masks(report.tracks, frame.width, frame.height)
            tracks = tuple(replace(track, mask=None) for track in report.tracks) if masks else report.tracks
            positions = {} if placed is None else {track.track.id: track for track in placed.tracks}
            self.frames.append(FrameTracks(frame.index, frame.stamp_ns, tracks, masks, positions))
        self.events += report.events
        self.results.update({int(goal_id): result for goal_id, result in report.finished.items()})

    def as_json(self) -> dict[str, Any]:
        """Everything, rounded to what is meaningful: px to 1/100, scores to 1/10000."""
        return {
            "frames": [
                {"stamp_ns": item.stamp_ns, "tracks": [track_json(track, item) for track in item.tracks]}
                for item in self.frames
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


def steps(
    frames: Iterable[Frame],
    goals: Sequence[ScriptedGoal],
    config: PipelineConfig,
    *,
    model: LanguageVision | None = None,
    latency: Latency = DEFAULT_LATENCY,
    on_bad: OnBad = log_bad_frame,
) -> Iterator[Report]:
    """A report for every frame in order, and one more without a frame when the recording has ended.

    Args:
        model: answers prompts; None: goals need regions.
        latency: how long the model takes, in the time of the recording.
        on_bad: takes the index of a frame that is skipped since it is out of order, and why; its report has no frame.

    Raises:
        SourceError: the frames ended before their time, after the reports of those that came.
    """
    pipeline = CameraPipeline(
        config,
        lambda: make_tracker(config.tracker),
        itertools.count(1),
        model_frames=0 if model is None else model.max_frames,
        model_can_follow=model is not None and Task.FOLLOW in model.tasks,
    )
    delayed = None if model is None else ReplayedModel(model, latency, int(config.model_timeout * SECOND_NS))
    schedule = _Schedule(goals)
    errors: list[SourceError] = []
    last_ns = 0
    for frame in _until_broken(frames, errors):
        schedule.run_until(frame.stamp_ns, pipeline)
        if delayed is not None:
            delayed.run_until(frame.stamp_ns, pipeline.receive)
        report = pipeline.step(frame, frame.stamp_ns)
        if report.frame is None:
            behind_ms = (last_ns - frame.stamp_ns) / 1e6
            on_bad(frame.index, ImageError(f"it is out of order: an image {behind_ms:.1f} ms newer came before it"))
        else:
            last_ns = frame.stamp_ns
        if delayed is not None:
            delayed.submit(report.requests, frame.stamp_ns)
        yield report
        pipeline.catch_up()
    yield pipeline.finish_recording()
    if errors:
        raise errors[0]


def replay(
    frames: Iterable[Frame],
    goals: Sequence[ScriptedGoal],
    config: PipelineConfig,
    watch: Callable[[Report], None] = lambda report: None,
    *,
    model: LanguageVision | None = None,
    latency: Latency = DEFAULT_LATENCY,
    on_bad: OnBad = log_bad_frame,
    place: Callable[[Report], Tracks3D | None] = lambda report: None,
) -> ReplayResult:
    """All that came out of `steps`, whose arguments these are.

    Args:
        watch: sees the report of each frame as it comes.
        place: gives its targets in space, as `RecordedDepth.place` does.
    """
    result = ReplayResult(phrases=tuple(goal.request.prompt for goal in goals))
    errors: list[SourceError] = []
    for report in _until_broken(steps(frames, goals, config, model=model, latency=latency, on_bad=on_bad), errors):
        result.add(report, place(report))
        if report.frame is not None:
            watch(report)
    result.broken_off = "".join(map(str, errors))
    return result


class _Schedule:
    """Adds and cancels goals when their times have come, counted from the first frame."""

    def __init__(self, goals: Sequence[ScriptedGoal]) -> None:
        self._adds = sorted(enumerate(goals), key=lambda item: item[1].at_s)
        self._cancels = sorted((goal.cancel_at_s, i) for i, goal in enumerate(goals) if goal.cancel_at_s is not None)
        self._first_ns: int | None = None

    def run_until(self, now_ns: int, pipeline: CameraPipeline) -> None:
        self._first_ns = now_ns if self._first_ns is None else self._first_ns
        elapsed_s = (now_ns - self._first_ns) / SECOND_NS
        while self._adds and self._adds[0][1].at_s <= elapsed_s:
            index, goal = self._adds.pop(0)
            pipeline.add(str(index), goal.request, now_ns)
        while self._cancels and self._cancels[0][0] <= elapsed_s:
            pipeline.cancel(str(self._cancels.pop(0)[1]))


def _until_broken(items: Iterable[T], errors: list[SourceError]) -> Iterator[T]:
    """The items up to where their source breaks off, if it does; then its error is in the list."""
    try:
        yield from items
    except SourceError as error:
        errors.append(error)


def track_json(track: TrackSnapshot, frame: FrameTracks) -> dict[str, Any]:
    mask = {"mask": frame.masks[track.id]} if track.id in frame.masks else {}
    position = position_json(frame.positions[track.id]) if track.id in frame.positions else {}
    return {
        "id": track.id,
        "phrase": track.phrase,
        "state": track.state.name,
        "box_xyxy": [round(float(value), 2) for value in track.box_xyxy],
        "score": round(track.score, 4),
        "velocity": [round(float(value), 2) for value in track.velocity],
        "grounded_ns": track.grounded_ns,
        **mask,
        **position,
    }


def position_json(placed: Track3D) -> dict[str, Any]:
    """m and m/s in the camera's optical frame, to 1/10000, m² to 1/1000000; without a position only the reason."""
    position = {"position_status": placed.status.name}
    if placed.status is not Status.OK:
        return position
    return position | {
        "position": _rounded(placed.position),
        "position_covariance": _rounded(placed.covariance.ravel(), digits=6),
        "size": _rounded(placed.size),
        "velocity_3d": None if np.isnan(placed.velocity).any() else _rounded(placed.velocity),
    }


def _rounded(values: NDArray[np.float64], digits: int = 4) -> list[float]:
    return [round(float(value), digits) for value in values]


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

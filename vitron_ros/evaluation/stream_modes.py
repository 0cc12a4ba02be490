"""Four ways to follow what a clip's phrases mean, all in the clip's own time.

fast            the fast loop alone, started on the true box of the first frame, which no real system is given.
model           the model alone: whenever it is free it is asked for the phrase in the newest keyframes, and what it
                says of the last of them is shown until its next reply.
uncompensated   the fast loop follows the model's box of the last keyframe from the image in which the reply comes,
                though the box is of an earlier one. Where the model says "none", nothing changes.
full            the pipeline, as in `replay`.

What the model takes is given by a latency, not by this machine; it answers one batch at a time. The time that the
pipeline itself takes for an image here and now, without decoding and without the model, counts as age of its boxes, and
so does the wait for what it does after the image before: the one figure that differs from run to run.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from vitron_ros.boxes import Boxes, check_box
from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import RegionError, SourceError
from vitron_ros.evaluation.metrics.long_term import Published
from vitron_ros.evaluation.stream_clips import StreamClip
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import LanguageVision, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.offline.replay import replay
from vitron_ros.offline.replayed_model import Latency, ReplayedModel, fixed
from vitron_ros.region import Region
from vitron_ros.streaming.goals import TrackRequest
from vitron_ros.streaming.keyframes import Keyframes
from vitron_ros.streaming.pipeline import Report
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.track import TrackSnapshot, TrackState
from vitron_ros.tracking.track_manager import TrackManager
from vitron_ros.tracking.trackers import make_tracker

Mode = Literal["fast", "model", "uncompensated", "full"]
MODES: tuple[Mode, ...] = ("fast", "model", "uncompensated", "full")
BOX_MODES: tuple[Mode, ...] = ("fast", "full")
SHOWN = (TrackState.TENTATIVE, TrackState.TRACKED, TrackState.PREDICTED)


def follow(
    mode: Mode,
    clip: StreamClip,
    config: PipelineConfig,
    model: LanguageVision | None,
    latency_s: float,
    *,
    from_box: bool = False,
) -> list[Published]:
    """What a mode publishes for each target of a clip.

    Args:
        from_box: `full` starts on the true boxes of the first frame as `fast` does, and is told no phrase.

    Raises:
        SourceError: an image of the clip cannot be decoded.
    """
    if mode == "fast":
        return _pipeline(clip, config, None, fixed(0), from_box=True)
    if model is None:
        raise ValueError(f"mode {mode} needs a model")
    if mode == "full":
        return _pipeline(clip, config, model, fixed(latency_s), from_box=from_box)
    if from_box:
        raise ValueError(f"mode {mode} starts from phrases")
    run = _model_alone if mode == "model" else _uncompensated
    return run(clip, config, model, fixed(latency_s))


@dataclass(slots=True, eq=False)
class _Pages:
    """What is published for one target, frame by frame."""

    ids: list[int] = field(default_factory=list)
    boxes: list[Boxes] = field(default_factory=list)
    is_seen: list[bool] = field(default_factory=list)
    ages_ms: list[float] = field(default_factory=list)

    def nothing(self) -> None:
        self.add(0, np.full(4, np.nan), np.nan, is_seen=False)

    def add(self, track_id: int, box_xyxy: Boxes, age_ms: float, *, is_seen: bool) -> None:
        self.ids.append(track_id)
        self.boxes.append(box_xyxy)
        self.is_seen.append(is_seen)
        self.ages_ms.append(age_ms)

    def bound(self) -> Published:
        return Published(
            ids=np.array(self.ids, np.int64),
            boxes_xyxy=np.array(self.boxes, np.float64).reshape(-1, 4),
            is_seen=np.array(self.is_seen, bool),
            ages_ms=np.array(self.ages_ms, np.float64),
        )


class _Stopwatch:
    """Wall time of an image's way through the pipeline, without that of the model, which answers inline in a replay."""

    def __init__(self) -> None:
        self._began = self._asked = 0.0

    @contextmanager
    def stopped(self) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._asked += time.perf_counter() - begin

    def begin(self, late_ms: float = 0.0) -> None:
        """An image has come, and waits so long for the one before."""
        self._began, self._asked = time.perf_counter() - late_ms / 1e3, 0.0

    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self._began - self._asked) * 1e3


class _UntimedModel:
    """A model whose replies take no time on a stopwatch."""

    def __init__(self, model: LanguageVision, watch: _Stopwatch) -> None:
        self.tasks, self.max_frames, self.max_requests = model.tasks, model.max_frames, model.max_requests
        self.uses_newest_frame_only, self.min_score = model.uses_newest_frame_only, model.min_score
        self.describe = model.describe
        self._model, self._watch = model, watch

    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        with self._watch.stopped():
            return self._model.reply(requests)


def _pipeline(
    clip: StreamClip, config: PipelineConfig, model: LanguageVision | None, latency: Latency, *, from_box: bool
) -> list[Published]:
    goals = [ScriptedGoal(request=request) for request in _track_requests(clip, from_box=from_box)]
    watch = _Stopwatch()
    untimed = None if model is None else _UntimedModel(model, watch)
    ages_ms: list[float] = []

    def frames() -> Iterator[Frame]:
        busy_ms, after_ms, last_ns = 0.0, 0.0, 0
        for frame in clip.frames():
            late_ms = min(after_ms, max(0.0, busy_ms - (frame.stamp_ns - last_ns) / 1e6))
            watch.begin(late_ms)
            yield frame
            done_ms, last_ns = watch.elapsed_ms(), frame.stamp_ns
            busy_ms, after_ms = done_ms - late_ms, done_ms - ages_ms[-1]

    def note(report: Report) -> None:
        ages_ms.append(watch.elapsed_ms())

    recording = replay(frames(), goals, config, note, model=untimed, latency=latency)
    if recording.broken_off:
        raise SourceError(recording.broken_off)
    pages = [_Pages() for _ in goals]
    for item, age_ms in zip(recording.frames, ages_ms, strict=True):
        by_id = {track.id: track for track in item.tracks}
        for index, page in enumerate(pages):
            found = [by_id[track.id] for track in recording.results[index].tracks if track.id in by_id]
            _publish(page, found[0] if found else None, age_ms)
    return [page.bound() for page in pages]


def _track_requests(clip: StreamClip, *, from_box: bool) -> list[TrackRequest]:
    if not from_box:
        return [TrackRequest(prompt=target.phrase) for target in clip.truth.targets]
    boxes = [clip.truth.boxes_xyxy[0, target.object] for target in clip.truth.targets]
    return [TrackRequest(region=Region.from_box(box)) for box in boxes]


def _publish(page: _Pages, track: TrackSnapshot | None, age_ms: float) -> None:
    if track is None or track.state not in SHOWN:
        page.nothing()
    else:
        page.add(track.id, track.box_xyxy, age_ms, is_seen=track.is_seen)


class _Asker:
    """Asks for every phrase of a clip with the newest keyframes, whenever the model is free."""

    def __init__(self, clip: StreamClip, config: PipelineConfig, model: LanguageVision, latency: Latency) -> None:
        self._phrases = [target.phrase for target in clip.truth.targets]
        self._keyframes = Keyframes(int(config.keyframe_period * SECOND_NS), min(config.keyframes, model.max_frames))
        self._slow = ReplayedModel(model, latency, int(config.model_timeout * SECOND_NS))

    def replies(self, now_ns: int) -> dict[int, ModelReply]:
        """What has come by now, by the number of the target; the newest of each."""
        due: dict[int, ModelReply] = {}
        self._slow.run_until(now_ns, lambda request, reply: due.update({int(request.id): reply}))
        return due

    def show(self, view: View) -> None:
        """The next image."""
        now_ns = view.frame.stamp_ns
        if self._keyframes.push(view, now_ns):
            clip = self._keyframes.clip()
            requests = [
                ModelRequest(id=str(index), task=Task.FIND, frames=clip, text=phrase)
                for index, phrase in enumerate(self._phrases)
            ]
            self._slow.submit(requests, now_ns)


def _newest_box(reply: ModelReply, frame: Frame) -> Boxes | None:
    """The box in the last frame that a reply speaks of, if it has one."""
    if reply.status is not ReplyStatus.OK or reply.boxes_xyxy is None:
        return None
    try:
        return check_box(reply.boxes_xyxy[-1], frame.width, frame.height)
    except RegionError:
        return None


def _model_alone(clip: StreamClip, config: PipelineConfig, model: LanguageVision, latency: Latency) -> list[Published]:
    asker, pages = _Asker(clip, config, model, latency), [_Pages() for _ in clip.truth.targets]
    held: dict[int, tuple[Boxes, int]] = {}  # box and its stamp by number of the target
    for frame in clip.frames():
        for index, reply in asker.replies(frame.stamp_ns).items():
            box = _newest_box(reply, frame)
            if box is not None:
                held[index] = box, reply.stamps_ns[-1]
            elif reply.status in (ReplyStatus.OK, ReplyStatus.ABSENT):
                held.pop(index, None)
        asker.show(View(frame))
        for index, page in enumerate(pages):
            if index in held:
                box, of_ns = held[index]
                page.add(index + 1, box, (frame.stamp_ns - of_ns) / 1e6, is_seen=True)
            else:
                page.nothing()
    return [page.bound() for page in pages]


def _uncompensated(
    clip: StreamClip, config: PipelineConfig, model: LanguageVision, latency: Latency
) -> list[Published]:
    watch = _Stopwatch()
    asker, pages = _Asker(clip, config, _UntimedModel(model, watch), latency), [_Pages() for _ in clip.truth.targets]
    manager = TrackManager(lambda: make_tracker(config.tracker), itertools.count(1))
    ids: dict[int, int] = {}  # track by number of the target
    for frame in clip.frames():
        watch.begin()
        view, now_ns = View(frame), frame.stamp_ns
        manager.step(view, now_ns, config)
        late_ms: dict[int, float] = {}
        for index, reply in asker.replies(now_ns).items():
            box = _newest_box(reply, frame)
            if box is None:
                continue
            late_ms[index] = (now_ns - reply.stamps_ns[-1]) / 1e6
            if index in ids:
                catch_up = manager.start_catch_up(view, box, now_ns, score=reply.score)
                manager.correct(ids[index], catch_up, frame, config)
            else:
                ids[index], _ = manager.start(view, box, now_ns, config, phrase=clip.truth.targets[index].phrase)
        tracks = {track.id: track for track in manager.report(now_ns)}
        age_ms = watch.elapsed_ms()
        asker.show(view)
        for index, page in enumerate(pages):
            _publish(page, tracks.get(ids.get(index, 0)), age_ms + late_ms.get(index, 0.0))
    return [page.bound() for page in pages]

"""Frames of one camera in, tracks, events and the state of goals out. Knows no ROS, no thread and no clock."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from vitron_ros.boxes import Boxes
from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest
from vitron_ros.masks import CroppedMask
from vitron_ros.streaming.frame_buffer import FrameBuffer
from vitron_ros.streaming.frame_interval import PERIODS, FrameInterval
from vitron_ros.streaming.goal_manager import GoalManager
from vitron_ros.streaming.goals import GoalFeedback, GoalResult, Outcome, Phase, TrackRequest
from vitron_ros.streaming.load_shedding import LoadSheddingLevel
from vitron_ros.streaming.model_fusion import ModelFusion
from vitron_ros.streaming.pending_requests import PendingRequests
from vitron_ros.streaming.step_context import StepContext
from vitron_ros.tracking.box_tracker import BoxTracker, View
from vitron_ros.tracking.catch_up import CatchUp
from vitron_ros.tracking.track import Reason, TrackEvent, TrackSnapshot
from vitron_ros.tracking.track_manager import TrackManager

STEPS = 5  # of trackers that fit between two images: what the targets leave of them goes to images of the past
PAST_STEPS = 4  # that these get with many targets, too
LEAST_VIEWS = 2  # images of the past for each box on its way, whatever is to be done: with fewer it would never arrive
CATCH_UP_VIEWS = 32  # that all boxes on their way to now may go through: 1 s at 30 Hz for one; fewer are left out then
MIN_CATCH_UP_VIEWS = 10  # for each of them
REORDER_NS = 200_000_000  # images late by less are out of order and skipped; by more, the clock jumped back


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """What one step changed.

    Attributes:
        frame: the frame that was tracked; None if there was none, and then `tracks` says nothing.
        silhouettes: by track id, where `needs_silhouettes` asks for them; the tracks carry masks if they are published.
        feedback: by goal id, for every goal that goes on.
        finished: by goal id, for every goal that ended.
        requests: for the model; the reply goes to `CameraPipeline.receive`. One with a known id is the same question
            with a newer clip.
    """

    frame: Frame | None = None
    tracks: tuple[TrackSnapshot, ...] = ()
    silhouettes: Mapping[int, CroppedMask] = field(default_factory=dict)
    events: tuple[TrackEvent, ...] = ()
    feedback: Mapping[str, GoalFeedback] = field(default_factory=dict)
    finished: Mapping[str, GoalResult] = field(default_factory=dict)
    requests: tuple[ModelRequest, ...] = ()


class CameraPipeline:
    """Carries every target of one camera from frame to frame, and every goal to its end.

    Two times come in: a frame's stamp, by which everything about images and tracks is measured, and `now_ns`,
    by which a goal's timeout is. A frame without a stamp counts as taken now.

    Args:
        model_frames: that the model takes at once; 0: there is no model, and goals need a region.
        model_can_follow: it takes FOLLOW, too; of one image there is nothing to follow.

    Not thread-safe: the camera's worker owns it.
    """

    def __init__(
        self,
        config: PipelineConfig,
        make_tracker: Callable[[], BoxTracker],
        ids: Iterator[int],
        camera: str = "",
        *,
        model_frames: int = 0,
        model_can_follow: bool = True,
    ) -> None:
        self.late_frames = 0
        self._context = StepContext(config=config)
        self._interval = FrameInterval()
        self._manager = TrackManager(make_tracker, ids)
        self._frame_buffer = FrameBuffer(
            int(config.history * SECOND_NS),
            int(config.keyframe_period * SECOND_NS),
            min(config.keyframes, model_frames),
        )
        self._pending = PendingRequests(f"{camera} " if camera else "")
        self._model_fusion = ModelFusion(self._manager, self._pending, can_follow=model_can_follow and model_frames > 1)
        self._goals = GoalManager(
            self._manager,
            self._model_fusion,
            self._pending,
            self._frame_buffer,
            camera=camera,
            has_model=model_frames > 0,
        )
        self._events: list[TrackEvent] = []  # for the next report
        self._requests: list[ModelRequest] = []
        self._has_new_reply = False  # the model has answered since the last image

    @property
    def config(self) -> PipelineConfig:
        return self._context.config

    @config.setter
    def config(self, config: PipelineConfig) -> None:
        self._context = replace(self._context, config=config)

    @property
    def load_shedding(self) -> LoadSheddingLevel:
        """What is left out since the machine is too slow."""
        return self._context.load_shedding

    @load_shedding.setter
    def load_shedding(self, load_shedding: LoadSheddingLevel) -> None:
        self._context = replace(self._context, load_shedding=load_shedding)

    def add(self, goal_id: str, request: TrackRequest, now_ns: int) -> None:
        """Accept a goal; it is acted on in the next step."""
        self._goals.add(self._at(now_ns), goal_id, request)

    def cancel(self, goal_id: str) -> None:
        """Give up a goal. Nothing happens if it has ended already."""
        self._events += self._goals.cancel(self._context, goal_id)

    def reset(self) -> None:
        """Give up every goal and every target."""
        self._events += self._goals.finish_all(self._context, Outcome.CANCELED, Reason.REQUESTED, "the node was reset")

    def view(self, now_ns: int) -> tuple[Frame, ...]:
        """What the camera sees now, for a question: a few frames, the newest last. Empty: see `blindness`."""
        return () if self._context.frame is None or self._is_stale(now_ns) else self._frame_buffer.clip_to_newest()

    def blindness(self) -> str:
        """Why the camera sees nothing now, for a person."""
        if self._context.problem:
            return f"no image can be read, the last: {self._context.problem}"
        limit_s = self.silent_after_ns / SECOND_NS
        by = "max_image_age=" if limit_s == self.config.max_image_age else f"{PERIODS:g} periods of this camera, "
        return f"no image within {by}{limit_s:g} s; check the camera"

    @property
    def silent_after_ns(self) -> int:
        """Without an image, the camera counts as silent. A slow one is given time for its next. From any thread."""
        return max(int(self.config.max_image_age * SECOND_NS), self._interval.silent_after_ns)

    def seen(self) -> dict[int, Boxes]:
        """The box (4,) px of every target that is seen in the newest image, by its id."""
        return {track.id: track.box_xyxy for track in self._manager.tracks() if track.is_seen}

    def receive(self, request: ModelRequest, reply: ModelReply) -> None:
        """The model's reply to a request of an earlier report. Ignored if nobody waits for it any more."""
        subject = self._pending.close(request.id)
        if subject is None:
            return
        self._has_new_reply = True
        kind, name = subject
        if kind == "goal":
            self._events += self._goals.receive(self._context, name, request, reply)
        else:
            self._model_fusion.receive(self._context, int(name), request, reply)

    def shutdown(self) -> Report:
        """End everything and let the images go; the pipeline may be used again."""
        self._events += self._goals.finish_all(
            self._context, Outcome.SHUTDOWN, Reason.SHUTDOWN, "the node was deactivated"
        )
        self._frame_buffer.clear()
        self._context = replace(self._context, frame=None)
        return self._report(None)

    def finish_recording(self) -> Report:
        """As `shutdown`, at the end of a file: its goals end with what became of them."""
        self._events += self._goals.finish_recording(self._context)
        return self.shutdown()

    def tick(self, now_ns: int) -> Report:
        """Time passes without an image."""
        self._events += self._goals.expire(self._at(now_ns))
        return self._report(None, now_ns=now_ns)

    def skip(self, problem: str) -> None:
        """An image has come that cannot be read, and why."""
        self._context = replace(self._context, problem=problem)

    def step(self, frame: Frame, now_ns: int) -> Report:
        """The next frame. One that is a little older than its predecessor is skipped and counted."""
        image_ns = frame.stamp_ns or now_ns
        if self._context.frame is not None and 0 < self._context.image_ns - image_ns < REORDER_NS:
            self.late_frames += 1
            return self.tick(now_ns)
        self._check_continuity(frame, image_ns)
        view, context = View(frame), self._next_context(frame, image_ns, now_ns)
        self._context = context
        is_sparing = context.load_shedding >= LoadSheddingLevel.SEARCH
        self._events += self._manager.step(view, image_ns, context.config, redetects_sparingly=is_sparing)
        is_keyframe = self._frame_buffer.push(view, image_ns, force=self._needs_keyframe(), needed_ns=self._needed_ns())
        self._has_new_reply = False
        self._events += self._goals.ground(context)
        tracks, silhouettes = self._tracks(image_ns)
        self._goals.follow(context, tracks, self._events)
        self._events += self._goals.expire(context)
        if is_keyframe:
            clip = self._frame_buffer.clip()
            self._requests += self._goals.requests(context, clip) + self._model_fusion.requests(context, clip)
        return replace(self._report(frame, tracks, now_ns), silhouettes=silhouettes)

    def catch_up(self, is_waiting: Callable[[], bool] = lambda: False) -> None:
        """Carry what the model found in the past towards the newest image, a bounded number of images at a time.

        For the time between a report and the next image, so that no box is late for it: what arrives is in the next
        report.

        Args:
            is_waiting: whether the next image is there; then only the least that must be is done.
        """
        if self._context.frame is None or not (count := len(self._catch_ups())):
            return
        views = LEAST_VIEWS * count
        moved = self._advance(views)
        while moved and views < max(PAST_STEPS, STEPS - len(self._manager)) and not is_waiting():
            moved = self._advance(1)
            views += moved

    def _at(self, now_ns: int) -> StepContext:
        """The context of something that happens between images."""
        self._context = replace(self._context, now_ns=now_ns)
        return self._context

    def _next_context(self, frame: Frame, image_ns: int, now_ns: int) -> StepContext:
        self._interval.arrive(now_ns)
        return StepContext(
            config=self.config,
            load_shedding=self.load_shedding,
            frame=frame,
            image_ns=image_ns,
            arrived_ns=now_ns,
            now_ns=now_ns,
            period_ns=self._interval.period_ns,
        )

    def _tracks(self, image_ns: int) -> tuple[tuple[TrackSnapshot, ...], dict[int, CroppedMask]]:
        """Every target, with its mask if masks are published, and the silhouettes that were asked for."""
        config = self.config
        tracks = self._manager.report(image_ns, with_masks=config.publish_masks or config.needs_silhouettes)
        if not config.needs_silhouettes:
            return tracks, {}
        silhouettes = {track.id: track.mask for track in tracks if track.mask is not None}
        return tracks if config.publish_masks else tuple(replace(t, mask=None) for t in tracks), silhouettes

    def _is_stale(self, now_ns: int) -> bool:
        return now_ns - self._context.arrived_ns > self.silent_after_ns

    def _advance(self, budget: int) -> int:
        """Carry the boxes that are on their way through so many images in all; through how many it was.

        The one that is furthest behind goes first: those of one reply go through each image together, and share what
        is computed of it.
        """
        moved, catch_ups = 0, self._catch_ups()
        max_views = max(MIN_CATCH_UP_VIEWS, CATCH_UP_VIEWS // max(1, len(catch_ups)))
        while moved < budget:
            behind = min(catch_ups, key=lambda catch_up: catch_up.time_ns, default=None)
            if behind is None or not behind.advance(self._frame_buffer.after(behind.time_ns), 1, max_views):
                break
            moved += 1
        self._events += self._goals.arrive(self._context) + self._model_fusion.arrive(self._context)
        return moved

    def _check_continuity(self, frame: Frame, image_ns: int) -> None:
        """A picture of another size or from the past has nothing to do with the targets known so far."""
        last = self._context.frame
        if last is None:
            return
        if (frame.width, frame.height) != (last.width, last.height):
            text = f"the image size changed from {last.width}x{last.height} to {frame.width}x{frame.height}"
            self._drop_all(Reason.IMAGE_CHANGED, text)
        elif image_ns < self._context.image_ns:
            back_s = (self._context.image_ns - image_ns) / SECOND_NS
            self._drop_all(Reason.TIME_JUMP, f"image stamps went back by {back_s:g} s")

    def _drop_all(self, reason: Reason, text: str) -> None:
        self._frame_buffer.clear()
        self._pending.withdraw_all()
        self._events += self._goals.drop_targets(self._context, reason, text)

    def _needs_keyframe(self) -> bool:
        """Whether there is a goal that the model has not been asked for yet, or it is free again, and not too soon."""
        is_free = self._has_new_reply and self._model_fusion.is_due(self._context)
        return is_free or self._goals.needs_keyframe

    def _catch_ups(self) -> list[CatchUp]:
        """Every box of the model on its way to now."""
        return self._goals.catch_ups + self._model_fusion.catch_ups

    def _needed_ns(self) -> int | None:
        """Time from which on images are still needed to carry the model's boxes to now; None: none are."""
        times_ns = [catch_up.time_ns for catch_up in self._catch_ups()]
        asked_ns = self._pending.oldest_ns()
        return min(times_ns if asked_ns is None else [*times_ns, asked_ns], default=None)

    def _report(self, frame: Frame | None, tracks: tuple[TrackSnapshot, ...] = (), now_ns: int | None = None) -> Report:
        is_stale = frame is None and now_ns is not None and self._is_stale(now_ns)
        report = Report(
            frame=frame,
            tracks=tracks,
            events=tuple(self._events),
            feedback=self._goals.feedback(Phase.INPUT_STALE if is_stale else None),
            finished=self._goals.take_finished(),
            requests=tuple(self._requests),
        )
        self._events.clear()
        self._requests = []
        return report

"""Frames of one camera in, tracks, events and the fate of goals out. Knows no ROS, no thread and no clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from vitron_ros.boxes import Boxes, check_box
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import RegionError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, Status, Task
from vitron_ros.region import Region, RegionKind
from vitron_ros.streaming.footage import Footage
from vitron_ros.streaming.fusion import newest_shown
from vitron_ros.streaming.goals import Goal, GoalFeedback, GoalResult, Outcome, Phase, TrackRequest
from vitron_ros.streaming.inquiries import Inquiries, Subject
from vitron_ros.streaming.overload import Shed, spared
from vitron_ros.streaming.verification import Verification
from vitron_ros.tracking.box_tracker import BoxTracker, View
from vitron_ros.tracking.point_box import box_around_point
from vitron_ros.tracking.pursuit import Pursuit
from vitron_ros.tracking.track import SECOND_NS, EventKind, Reason, TrackEvent, TrackSnapshot
from vitron_ros.tracking.track_manager import TrackManager

STEPS = 5  # of trackers that fit between two images: what the targets leave of them goes to images of the past
PAST_STEPS = 4  # that these get with many targets, too
LEAST_VIEWS = 2  # images of the past for each box on its way, whatever is to be done: with fewer it would never arrive
PURSUIT_VIEWS = 32  # that all boxes on their way to now may go through: 1 s at 30 Hz for one; fewer are left out then
MIN_PURSUIT_VIEWS = 10  # for each of them
REORDER_NS = 200_000_000  # images late by less are out of order and skipped; by more, the clock jumped back


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """What one step changed.

    Attributes:
        frame: the frame that was tracked; None if there was none, and then `tracks` says nothing.
        feedback: by goal id, for every goal that goes on.
        finished: by goal id, for every goal that ended.
        requests: for the model; the reply goes to `CameraPipeline.receive`. One with a known id is the same question
            with a newer clip.
    """

    frame: Frame | None = None
    tracks: tuple[TrackSnapshot, ...] = ()
    events: tuple[TrackEvent, ...] = ()
    feedback: dict[str, GoalFeedback] = field(default_factory=dict)
    finished: dict[str, GoalResult] = field(default_factory=dict)
    requests: tuple[ModelRequest, ...] = ()


class CameraPipeline:
    """Carries every goal of one camera from frame to frame.

    Two times come in: a frame's stamp, by which everything about images and tracks is measured, and `now_ns`,
    by which a goal's patience is. A frame without a stamp counts as taken now.

    Args:
        model_frames: that the model takes at once; 0: there is no model, and goals need a region.

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
    ) -> None:
        self.late_frames = 0
        self._config = config
        self._shed = Shed.NOTHING
        self._camera = camera
        self._manager = TrackManager(config, make_tracker, ids)
        self._has_model = model_frames > 0
        self._footage = Footage(
            int(config.history * SECOND_NS),
            int(config.keyframe_period * SECOND_NS),
            min(config.keyframes, model_frames),
        )
        self._inquiries = Inquiries(f"{camera} " if camera else "")
        self._verification = Verification(config, self._manager, self._inquiries)
        self._goals: dict[str, Goal] = {}
        self._view: View | None = None
        self._image_ns = 0  # time of the newest image
        self._arrived_ns = 0  # when it was stepped
        self._has_news = False  # the model has answered since the last image
        self._events: list[TrackEvent] = []
        self._finished: dict[str, GoalResult] = {}
        self._requests: list[ModelRequest] = []

    @property
    def config(self) -> PipelineConfig:
        return self._config

    @config.setter
    def config(self, config: PipelineConfig) -> None:
        self._config = config
        self._manager.life = config
        self._verification.config = spared(config, self._shed)

    @property
    def shed(self) -> Shed:
        """What is left out since the machine is too slow."""
        return self._shed

    @shed.setter
    def shed(self, shed: Shed) -> None:
        self._shed = shed
        self._manager.seeks_sparingly = shed >= Shed.SEARCH
        self._verification.config = spared(self._config, shed)

    def add(self, goal_id: str, request: TrackRequest, now_ns: int) -> None:
        """Take on a wish; it is acted on in the next step."""
        is_ahead = request.region_stamp_ns > self._image_ns
        self._goals[goal_id] = Goal(id=goal_id, request=request, accepted_ns=now_ns, is_ahead=is_ahead)

    def cancel(self, goal_id: str) -> None:
        """Give up a wish. Nothing happens if it has ended already."""
        if goal_id in self._goals:
            self._finish(self._goals[goal_id], Outcome.CANCELED, "cancelled by the client", Reason.REQUESTED)

    def reset(self) -> None:
        """Give up every wish and every target."""
        for goal in list(self._goals.values()):
            self._finish(goal, Outcome.CANCELED, "the node was reset", Reason.REQUESTED)

    def view(self, now_ns: int) -> tuple[Frame, ...]:
        """What the camera sees now, for a question: a few frames, the newest last. Empty: there is none, or too old."""
        is_stale = now_ns - self._arrived_ns > self._config.max_image_age * SECOND_NS
        return () if self._view is None or is_stale else self._footage.clip_to_newest()

    def seen(self) -> dict[int, Boxes]:
        """The box (4,) px of every target that is seen in the newest image, by its id."""
        return {track.id: track.box_xyxy for track in self._manager.tracks() if track.is_seen}

    def receive(self, request: ModelRequest, reply: ModelReply) -> None:
        """The model's reply to a request of an earlier report. Ignored if nobody waits for it any more."""
        subject = self._inquiries.close(request.id)
        if subject is None:
            return
        self._has_news = True
        kind, name = subject
        if kind == "goal":
            self._answer(self._goals[name], request, reply)
        else:
            self._verification.receive(int(name), request, reply, self._image_ns)

    def shutdown(self) -> Report:
        """End everything and let the images go; the pipeline may be used again."""
        for goal in list(self._goals.values()):
            self._finish(goal, Outcome.SHUTDOWN, "the node was deactivated", Reason.SHUTDOWN)
        self._footage.clear()
        self._view = None
        return self._report(None)

    def tick(self, now_ns: int) -> Report:
        """Time passes without an image."""
        self._expire(now_ns)
        return self._report(None, now_ns=now_ns)

    def step(self, frame: Frame, now_ns: int) -> Report:
        """The next frame. One that is a little older than its predecessor is skipped and counted."""
        image_ns = frame.stamp_ns or now_ns
        if self._view is not None and 0 < self._image_ns - image_ns < REORDER_NS:
            self.late_frames += 1
            return self.tick(now_ns)
        self._check_continuity(frame, image_ns)
        self._view, self._image_ns, self._arrived_ns = View(frame), image_ns, now_ns
        self._events += self._manager.step(self._view, image_ns)
        is_keyframe = self._footage.push(self._view, image_ns, force=self._wants_to_ask(), needed_ns=self._needed_ns())
        self._has_news = False
        for goal in self._waiting():
            self._ground(goal)
        tracks = self._manager.report(image_ns)
        self._follow(tracks)
        self._expire(now_ns)
        if is_keyframe:
            self._requests += self._questions()
        return self._report(frame, tracks, now_ns)

    def catch_up(self, is_waiting: Callable[[], bool] = lambda: False) -> None:
        """Carry what the model found in the past towards the newest image, a bounded number of images at a time.

        For the time between a report and the next image, so that no box is late for it: what arrives is in the next
        report.

        Args:
            is_waiting: whether the next image is there; then only the least that must be is done.
        """
        if self._view is None or not (count := len(self._pursuits())):
            return
        views = LEAST_VIEWS * count
        moved = self._advance(views)
        while moved and views < max(PAST_STEPS, STEPS - len(self._manager)) and not is_waiting():
            moved = self._advance(1)
            views += moved

    def _advance(self, budget: int) -> int:
        """Carry the boxes that are on their way through so many images in all; through how many it was."""
        assert self._view is not None
        frame, left = self._view.frame, budget
        max_views = max(MIN_PURSUIT_VIEWS, PURSUIT_VIEWS // max(1, len(self._pursuits())))
        for goal in self._waiting():
            if goal.pursuit is not None:
                left -= goal.pursuit.advance(self._footage.after(goal.pursuit.time_ns), left, max_views)
                if goal.pursuit.time_ns == self._image_ns:
                    self._arrive(goal, goal.pursuit, frame)
        left, events = self._verification.advance(self._footage, frame, self._image_ns, left, max_views)
        self._events += events
        return budget - left

    def _check_continuity(self, frame: Frame, image_ns: int) -> None:
        """A picture of another size or from the past has nothing to do with the targets known so far."""
        if self._view is None:
            return
        last = self._view.frame
        if (frame.width, frame.height) != (last.width, last.height):
            text = f"the image size changed from {last.width}x{last.height} to {frame.width}x{frame.height}"
            self._drop_all(Reason.IMAGE_CHANGED, text)
        elif image_ns < self._image_ns:
            self._drop_all(Reason.TIME_JUMP, f"image stamps went back by {(self._image_ns - image_ns) / SECOND_NS:g} s")

    def _drop_all(self, reason: Reason, text: str) -> None:
        self._footage.clear()
        self._inquiries.withdraw_all()
        for goal in self._waiting():
            goal.pursuit = None
        for goal in [goal for goal in self._goals.values() if goal.found_ns is not None]:
            self._finish(goal, Outcome.LOST, f"{text}; send the goal again", reason)

    def _waiting(self) -> list[Goal]:
        """Goals that have no target yet."""
        return [goal for goal in self._goals.values() if goal.found_ns is None]

    def _wants_to_ask(self) -> bool:
        """Whether there is a goal that the model has not been asked for yet, or it is free again, and not too soon."""
        if self._has_news and self._verification.is_due(self._image_ns):
            return True
        return any(goal.request.region is None and not goal.is_asked for goal in self._waiting())

    def _ground(self, goal: Goal) -> None:
        """Turn a goal's wish into a target, if that can be done yet."""
        region, stamp_ns = goal.request.region, goal.request.region_stamp_ns
        if region is None and not self._has_model:
            text = (
                f"no model loaded: cannot look for {goal.request.prompt!r}; "
                "set model to vitron-tiny or to a folder with a checkpoint, or give a region"
            )
            self._reject(goal, Outcome.MODEL_ERROR, Reason.MODEL_ERROR, text)
        elif stamp_ns > self._image_ns:
            return  # drawn on an image yet to come
        elif len(self._manager) >= self._config.max_targets:
            self._refuse_another(goal)
        elif region is None:
            return  # asked for with the next keyframe
        elif not (views := self._views_since(goal)):
            text = f"the image that the region was drawn on is not kept any more; history is {self._config.history:g} s"
            self._reject(goal, Outcome.BAD_REGION, Reason.BAD_REGION, text)
        else:
            self._start(goal, region, views)

    def _refuse_another(self, goal: Goal) -> None:
        text = f"already following {len(self._manager)} targets, the limit is max_targets={self._config.max_targets}"
        self._reject(goal, Outcome.OVERLOADED, Reason.NONE, text)

    def _questions(self) -> list[ModelRequest]:
        """What to ask the model with the newest keyframe."""
        clip = self._footage.clip()
        wanted = [goal for goal in self._waiting() if goal.request.region is None and goal.pursuit is None]
        for goal in wanted:
            goal.is_asked = True
        newest = self._config.model_find_frames
        finds = [
            self._inquiries.ask(_subject(goal), Task.FIND, clip, text=goal.request.prompt, newest=newest)
            for goal in wanted
        ]
        return finds + self._verification.questions(clip, self._image_ns)

    def _answer(self, goal: Goal, request: ModelRequest, reply: ModelReply) -> None:
        """What the model says to a goal's prompt. Where it saw nothing it is asked again with the next keyframe."""
        words = reply.message or reply.text
        if reply.status is Status.UNKNOWN:
            text = words or f"the model does not understand {goal.request.prompt!r}"
            self._reject(goal, Outcome.NOT_UNDERSTOOD, Reason.NOT_UNDERSTOOD, text)
        elif reply.status is Status.DEADLINE:
            self._reject(goal, Outcome.TIMEOUT, Reason.MODEL_ERROR, words or "the model did not answer in time")
        elif reply.status in (Status.FAILED, Status.UNREADABLE):
            goal.failures += 1
            if goal.failures >= self._config.model_tries:
                text = f"the model failed {goal.failures} times in a row: {words}"
                self._reject(goal, Outcome.MODEL_ERROR, Reason.MODEL_ERROR, text)
        elif reply.status is not Status.CANCELLED:
            goal.failures = 0
            goal.doubts = goal.doubts + 1 if reply.status is Status.UNSURE else 0
            goal.answer = self._seek(goal, request, reply) or goal.answer or ""

    def _seek(self, goal: Goal, request: ModelRequest, reply: ModelReply) -> str:
        """Follow the model's box from its newest frame on; if that cannot be, why not."""
        index = None if reply.boxes_xyxy is None else newest_shown(reply.boxes_xyxy)
        if reply.status is Status.ABSENT or reply.boxes_xyxy is None or index is None:
            return reply.message or reply.text or "none"
        if reply.status is Status.UNSURE and goal.doubts < self._config.model_tries:
            return reply.message
        if reply.score < self._config.model_min_score:
            return f"it is not sure enough, {reply.score:.2f} of model_min_score={self._config.model_min_score:g}"
        frame = request.frames[index]
        try:
            box = check_box(reply.boxes_xyxy[index], frame.width, frame.height)
        except RegionError as error:
            return str(error)
        goal.pursuit = self._manager.pursue(View(frame), box, frame.stamp_ns, score=reply.score)
        return ""

    def _pursuits(self) -> list[Pursuit]:
        """Every box of the model on its way to now."""
        return [goal.pursuit for goal in self._waiting() if goal.pursuit is not None] + self._verification.pursuits

    def _needed_ns(self) -> int | None:
        """Time from which on images are still needed to carry the model's boxes to now; None: none are."""
        times_ns = [pursuit.time_ns for pursuit in self._pursuits()]
        asked_ns = self._inquiries.oldest_ns()
        return min(times_ns if asked_ns is None else [*times_ns, asked_ns], default=None)

    def _arrive(self, goal: Goal, pursuit: Pursuit, frame: Frame) -> None:
        """What the model found has come to this frame: a new target, unless it could not be followed on the way."""
        goal.pursuit = None
        min_score = self._config.min_score if goal.request.min_score is None else goal.request.min_score
        if not pursuit.was_followed(min_score):
            goal.answer = "found, but out of sight before it could be followed"
        elif len(self._manager) >= self._config.max_targets:
            self._refuse_another(goal)
        else:
            track_id, events = self._manager.adopt(
                pursuit, frame, phrase=goal.request.prompt, min_score=goal.request.min_score
            )
            self._begin(goal, track_id, events, by_model=True)

    def _begin(self, goal: Goal, track_id: int, events: list[TrackEvent], *, by_model: bool) -> None:
        goal.track_ids.append(track_id)
        goal.found_ns = goal.seen_ns = self._image_ns
        self._verification.begin(track_id, by_model=by_model)
        self._events += events

    def _views_since(self, goal: Goal) -> list[View]:
        """From the image that the region was drawn on to the newest; if that one never came, from the next."""
        stamp_ns = goal.request.region_stamp_ns
        views = self._footage.ring.since(stamp_ns) if stamp_ns else []
        return views or (self._footage.ring.newest() if goal.is_ahead or not stamp_ns else [])

    def _start(self, goal: Goal, region: Region, views: list[View]) -> None:
        frame = views[0].frame
        try:
            if region.kind is RegionKind.POINT:
                box = box_around_point(frame.rgb, *region.points[0])
            else:
                box = region.bounding_box(frame.width, frame.height)
        except RegionError as error:
            self._reject(goal, Outcome.BAD_REGION, Reason.BAD_REGION, str(error))
            return
        track_id, event = self._manager.start(
            views[0],
            box,
            self._image_ns,
            phrase=goal.request.prompt,
            min_score=goal.request.min_score,
            later=views[1:],
        )
        self._begin(goal, track_id, [event], by_model=False)

    def _follow(self, tracks: tuple[TrackSnapshot, ...]) -> None:
        by_id = {track.id: track for track in tracks}
        reacquired = {event.track_id for event in self._events if event.kind is EventKind.REACQUIRED}
        for goal in [goal for goal in self._goals.values() if goal.found_ns is not None]:
            goal.tracks = tuple(by_id[track_id] for track_id in goal.track_ids)
            goal.times_reacquired += len(reacquired.intersection(goal.track_ids))
            if any(track.is_seen for track in goal.tracks):
                goal.phase = Phase.TRACKING
                goal.frames_tracked += 1
                goal.seen_ns = self._image_ns
            else:
                goal.phase = Phase.REACQUIRING
                goal.frames_lost += 1

    def _expire(self, now_ns: int) -> None:
        for goal in list(self._goals.values()):
            request = goal.request
            if goal.found_ns is None:
                timeout = self._config.timeout if request.timeout is None else request.timeout
                if now_ns - goal.accepted_ns > timeout * SECOND_NS:
                    self._give_up(goal, timeout)
                continue
            lost_timeout = self._config.lost_timeout if request.lost_timeout is None else request.lost_timeout
            if request.duration is not None and self._image_ns - goal.found_ns >= request.duration * SECOND_NS:
                self._finish(goal, Outcome.OK, f"followed for {request.duration:g} s", Reason.REQUESTED)
            elif lost_timeout and self._image_ns - goal.seen_ns > lost_timeout * SECOND_NS:
                self._finish(goal, Outcome.LOST, f"not seen for {lost_timeout:g} s", Reason.LOST_TIMEOUT)

    def _give_up(self, goal: Goal, timeout: float) -> None:
        if self._arrived_ns < goal.accepted_ns:
            text = f"no image came within {timeout:g} s; check the camera's topic and QoS"
            self._reject(goal, Outcome.INPUT_STALE, Reason.NONE, text)
        elif goal.answer is None and self._inquiries.is_open(_subject(goal)):
            text = f"the model has not answered within {timeout:g} s; it hangs or is too slow for this machine"
            self._reject(goal, Outcome.TIMEOUT, Reason.MODEL_ERROR, text)
        else:
            said = f"; the model says: {goal.answer}" if goal.answer else ""
            text = f"nothing was found within {timeout:g} s{said}"
            self._reject(goal, Outcome.NOT_FOUND, Reason.NOT_SEEN, text)

    def _reject(self, goal: Goal, outcome: Outcome, reason: Reason, text: str) -> None:
        frame = self._view.frame if self._view else None
        self._events.append(
            TrackEvent(
                kind=EventKind.REJECTED,
                reason=reason,
                text=text,
                stamp_ns=frame.stamp_ns if frame else 0,
                camera=self._camera,
                frame_id=frame.frame_id if frame else "",
                phrase=goal.request.prompt,
            )
        )
        self._finish(goal, outcome, text, reason)

    def _finish(self, goal: Goal, outcome: Outcome, message: str, reason: Reason) -> None:
        for track_id in goal.track_ids:
            assert self._view is not None, "a goal with tracks has seen an image"
            self._events.append(self._manager.end(track_id, self._view.frame, self._image_ns, reason, message))
            self._verification.forget(track_id)
        self._inquiries.withdraw(_subject(goal))
        del self._goals[goal.id]
        self._finished[goal.id] = goal.result(outcome, message)

    def _report(self, frame: Frame | None, tracks: tuple[TrackSnapshot, ...] = (), now_ns: int | None = None) -> Report:
        stale_ns = self._config.max_image_age * SECOND_NS
        is_stale = frame is None and now_ns is not None and now_ns - self._arrived_ns > stale_ns
        phase = Phase.INPUT_STALE if is_stale else None
        report = Report(
            frame=frame,
            tracks=tracks,
            events=tuple(self._events),
            feedback={goal.id: goal.feedback(phase) for goal in self._goals.values()},
            finished=self._finished,
            requests=tuple(self._requests),
        )
        self._events, self._finished, self._requests = [], {}, []
        return report


def _subject(goal: Goal) -> Subject:
    return ("goal", goal.id)

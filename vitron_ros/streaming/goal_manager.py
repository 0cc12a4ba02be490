"""The wishes of one camera: from acceptance, by a region or by the model's word, to a target and its end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vitron_ros.boxes import check_box
from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError, RegionError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.region import Region, RegionKind
from vitron_ros.streaming.frame_buffer import FrameBuffer
from vitron_ros.streaming.fusion_decision import newest_shown
from vitron_ros.streaming.gate import targets
from vitron_ros.streaming.goals import Goal, GoalFeedback, GoalResult, Outcome, Phase, Search, TrackRequest
from vitron_ros.streaming.model_fusion import ModelFusion
from vitron_ros.streaming.pending_requests import PendingRequests, Subject
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.catch_up import CatchUp
from vitron_ros.tracking.point_box import box_around_point
from vitron_ros.tracking.track import EventKind, Reason, TrackEvent, TrackSnapshot
from vitron_ros.tracking.track_manager import TrackManager

LEAST_UNSEEN = 2  # images in a row without its target that end a goal: of a slow camera, one may take a `lost_timeout`


@dataclass(frozen=True, slots=True, eq=False)
class FrameContext:
    """The newest image of a camera.

    Attributes:
        frame: None: there is none yet, or it has been let go.
        image_ns: its time.
        arrived_ns: when it was stepped.
        period_ns: from one image to the next; 0: not known yet.
        problem: why the images that came since cannot be read; empty: none came.
    """

    frame: Frame | None = None
    image_ns: int = 0
    arrived_ns: int = 0
    period_ns: int = 0
    problem: str = ""


class GoalManager:
    """Carries goals out. The camera's pipeline owns it, and tells it of every new image.

    Args:
        events: where it puts what happens to goals and targets, in order.
    """

    def __init__(
        self,
        config: PipelineConfig,
        manager: TrackManager,
        model_fusion: ModelFusion,
        pending: PendingRequests,
        frame_buffer: FrameBuffer,
        events: list[TrackEvent],
        *,
        camera: str,
        has_model: bool,
    ) -> None:
        self.config = config
        self.context = FrameContext()
        self._manager = manager
        self._model_fusion = model_fusion
        self._pending = pending
        self._frame_buffer = frame_buffer
        self._events = events
        self._camera = camera
        self._has_model = has_model
        self._goals: dict[str, Goal] = {}
        self._finished: dict[str, GoalResult] = {}

    def add(self, goal_id: str, request: TrackRequest, now_ns: int) -> None:
        """Take on a wish."""
        is_ahead = request.region_stamp_ns > self.context.image_ns
        phrases = targets(request.prompt) if request.region is None else ()
        taken = phrases[: request.max_targets]
        names = [f"{goal_id} {number}" if number else goal_id for number in range(len(taken))]
        left_out = ", ".join(f'"{phrase}"' for phrase in phrases[len(taken) :])
        self._goals[goal_id] = Goal(
            id=goal_id,
            request=request,
            accepted_ns=now_ns,
            is_ahead=is_ahead,
            searches=tuple(map(Search, names, taken)),
            note=f"left out {left_out}: max_targets of the goal is {request.max_targets}" if left_out else "",
        )

    def cancel(self, goal_id: str) -> None:
        """Give up a wish. Nothing happens if it has ended already."""
        if goal_id in self._goals:
            self._finish(self._goals[goal_id], Outcome.CANCELED, "cancelled by the client", Reason.REQUESTED)

    def finish_all(self, outcome: Outcome, message: str, reason: Reason) -> None:
        """Give up every wish and every target."""
        for goal in list(self._goals.values()):
            self._finish(goal, outcome, message, reason)

    def finish_recording(self) -> None:
        """No more images will come, as at the end of a file: a target that was found was followed, others are not."""
        for goal in list(self._goals.values()):
            if goal.found_ns is not None:
                for search in goal.open_searches:
                    self._fail_unseen(goal, search, "in the recording")
                self._finish(goal, Outcome.OK, "followed to the last image", Reason.REQUESTED)
            elif self._is_unanswered(goal):
                text = "the recording ended before the model had answered"
                self._reject(goal, Outcome.TIMEOUT, Reason.MODEL_ERROR, text)
            else:
                self._reject_unseen(goal, "in the recording")

    def drop_targets(self, reason: Reason, text: str) -> None:
        """The images have nothing to do with those so far: what follows a target ends, what seeks one begins anew."""
        for _, search in self._searching():
            search.catch_up = None
        for goal in [goal for goal in self._goals.values() if goal.found_ns is not None]:
            self._finish(goal, Outcome.LOST, f"{text}; send the goal again", reason)

    def feedback(self, phase: Phase | None) -> dict[str, GoalFeedback]:
        """By goal id, for every goal that goes on."""
        return {goal.id: goal.feedback(phase) for goal in self._goals.values()}

    def take_finished(self) -> Mapping[str, GoalResult]:
        """By goal id, for every goal that ended since this was last asked."""
        finished, self._finished = self._finished, {}
        return finished

    @property
    def wants_to_ask(self) -> bool:
        """Whether there is a goal that the model has not been asked for yet."""
        return any(not search.is_asked for _, search in self._searching())

    def ground(self) -> None:
        """Turn wishes into targets, those that can be yet."""
        for goal in self._waiting():
            self._ground(goal)

    def questions(self, clip: tuple[Frame, ...]) -> list[ModelRequest]:
        """What to ask the model with the newest clip."""
        wanted = [search for _, search in self._searching() if search.catch_up is None]
        for search in wanted:
            search.is_asked = True
        newest = self.config.model_find_frames
        return [
            self._pending.ask(_subject(search), Task.FIND, clip, text=search.phrase, newest=newest) for search in wanted
        ]

    def receive(self, name: str, request: ModelRequest, reply: ModelReply) -> None:
        """What the model says to a search. Where it saw nothing it is asked again with the next keyframe."""
        goal, search = next((goal, search) for goal, search in self._searching() if search.name == name)
        words = reply.message or reply.text
        if reply.status in (ReplyStatus.UNKNOWN, ReplyStatus.REFUSED):
            text = words or f"the model does not understand {search.phrase!r}"
            self._fail(goal, search, Outcome.NOT_UNDERSTOOD, Reason.NOT_UNDERSTOOD, text)
        elif reply.status is ReplyStatus.DEADLINE:
            text = words or "the model did not answer in time"
            self._fail(goal, search, Outcome.TIMEOUT, Reason.MODEL_ERROR, text)
        elif reply.status in (ReplyStatus.FAILED, ReplyStatus.UNREADABLE):
            search.failures += 1
            if search.failures >= self.config.model_tries:
                text = f"the model failed {search.failures} times in a row: {words}"
                self._fail(goal, search, Outcome.MODEL_ERROR, Reason.MODEL_ERROR, text)
        elif reply.status is not ReplyStatus.CANCELLED:
            search.failures = 0
            search.doubts = search.doubts + 1 if reply.status is ReplyStatus.UNSURE or reply.is_doubted else 0
            why = self._seek(goal, search, request, reply)
            if reply.is_contradicted or not search.contradictions:  # what something else looks like says the most
                search.answer = why or search.answer or ""

    @property
    def catch_ups(self) -> list[CatchUp]:
        """Boxes of the model on their way to now."""
        return [search.catch_up for _, search in self._searching() if search.catch_up is not None]

    def advance(self, budget: int, max_views: int) -> int:
        """Carry them towards the newest image, `budget` images in all; what is left of the budget.

        Args:
            max_views: as of `ModelFusion.advance`.
        """
        for goal, search in self._searching():
            if search.catch_up is not None:
                budget -= search.catch_up.advance(self._frame_buffer.after(search.catch_up.time_ns), budget, max_views)
                if search.catch_up.time_ns == self.context.image_ns:
                    self._arrive(goal, search, search.catch_up)
        return budget

    def follow(self, tracks: tuple[TrackSnapshot, ...]) -> None:
        """What became of the goals' targets in the newest image."""
        by_id = {track.id: track for track in tracks}
        reacquired = {event.track_id for event in self._events if event.kind is EventKind.REACQUIRED}
        for goal in [goal for goal in self._goals.values() if goal.found_ns is not None]:
            goal.tracks = tuple(by_id[track_id] for track_id in goal.track_ids)
            goal.times_reacquired += len(reacquired.intersection(goal.track_ids))
            if any(track.is_seen for track in goal.tracks):
                goal.phase = Phase.TRACKING
                goal.frames_tracked += 1
                goal.seen_ns, goal.unseen_in_a_row = self.context.image_ns, 0
            else:
                goal.phase = Phase.REACQUIRING
                goal.frames_lost += 1
                goal.unseen_in_a_row += 1

    def expire(self, now_ns: int) -> None:
        """End the goals whose time is over."""
        for goal in list(self._goals.values()):
            request = goal.request
            timeout = self.config.timeout if request.timeout is None else request.timeout
            goal.accepted_ns = min(goal.accepted_ns, now_ns)  # a clock may begin anew, as with a bag that loops
            is_late = now_ns - goal.accepted_ns > timeout * SECOND_NS
            if goal.found_ns is None:
                if is_late:
                    self._give_up(goal, timeout)
                continue
            for search in goal.open_searches if is_late else ():
                self._fail_unseen(goal, search, f"within {timeout:g} s")
            lost_timeout = self.config.lost_timeout if request.lost_timeout is None else request.lost_timeout
            if request.duration is not None and self.context.image_ns - goal.found_ns >= request.duration * SECOND_NS:
                self._finish(goal, Outcome.OK, f"followed for {request.duration:g} s", Reason.REQUESTED)
            elif (
                lost_timeout
                and goal.unseen_in_a_row >= LEAST_UNSEEN
                and self._unseen_ns(goal) > lost_timeout * SECOND_NS
            ):
                self._finish(goal, Outcome.LOST, f"not seen for {lost_timeout:g} s", Reason.LOST_TIMEOUT)

    def _unseen_ns(self, goal: Goal) -> int:
        return self.context.image_ns - goal.seen_ns

    def _waiting(self) -> list[Goal]:
        """Goals that have no target yet."""
        return [goal for goal in self._goals.values() if goal.found_ns is None]

    def _searching(self) -> list[tuple[Goal, Search]]:
        """What is still looked for, with its goal."""
        return [(goal, search) for goal in self._goals.values() for search in goal.open_searches]

    def _fail(self, goal: Goal, search: Search, outcome: Outcome, reason: Reason, text: str) -> None:
        """Give up a search, and its goal if that was all there was to it."""
        search.is_over, search.answer = True, text
        self._pending.withdraw(_subject(search))
        if goal.track_ids or goal.open_searches:
            self._events.append(self._rejection(search.phrase, reason, text))
            goal.note = "; ".join(filter(None, (goal.note, text)))
        else:
            self._reject(goal, outcome, reason, text)

    def _fail_unseen(self, goal: Goal, search: Search, where: str) -> None:
        self._fail(goal, search, Outcome.NOT_FOUND, Reason.NOT_SEEN, _not_found(search, where))

    def _ground(self, goal: Goal) -> None:
        region, stamp_ns = goal.request.region, goal.request.region_stamp_ns
        if region is None and not self._has_model:
            text = (
                f"no model loaded: cannot look for {goal.request.prompt!r}; "
                "set model to vitron-tiny or to a folder with a checkpoint, or give a region"
            )
            self._reject(goal, Outcome.MODEL_ERROR, Reason.MODEL_ERROR, text)
        elif stamp_ns > self.context.image_ns:
            return  # drawn on an image yet to come
        elif len(self._manager) >= self.config.max_targets:
            self._reject(goal, Outcome.OVERLOADED, Reason.NONE, self._crowd())
        elif region is None:
            return  # asked for with the next keyframe
        elif not (views := self._views_since(goal)):
            age_s = (self.context.image_ns - stamp_ns) / SECOND_NS
            text = (
                f"the image that the region was drawn on is not kept any more: it is {age_s:.1f} s older than the "
                f"newest, and history is {self.config.history:g} s"
            )
            self._reject(goal, Outcome.BAD_REGION, Reason.BAD_REGION, text)
        else:
            self._start(goal, region, views)

    def _crowd(self) -> str:
        return f"already following {len(self._manager)} targets, the limit is max_targets={self.config.max_targets}"

    def _seek(self, goal: Goal, search: Search, request: ModelRequest, reply: ModelReply) -> str:
        """Follow the model's box from its newest frame on; if that cannot be, why not.

        What was found to be something else must be found as often without objection: of many tries one slips through.
        """
        if reply.is_contradicted:
            search.contradictions = min(search.contradictions + 1, self.config.model_tries)
        index = None if reply.boxes_xyxy is None else newest_shown(reply.boxes_xyxy)
        if reply.status is ReplyStatus.ABSENT or reply.boxes_xyxy is None or index is None:
            return reply.message or reply.text or "none"
        if 0 < search.doubts < self.config.model_tries:
            return reply.message or "what was found may be something else"
        if reply.score < self.config.model_min_score:
            return f"it is not sure enough, {reply.score:.2f} of model_min_score={self.config.model_min_score:g}"
        frame = request.frames[index]
        try:
            box = check_box(reply.boxes_xyxy[index], frame.width, frame.height)
        except RegionError as error:
            return str(error)
        if search.contradictions:
            search.contradictions -= 1
            return search.answer or ""
        try:
            search.catch_up = self._manager.start_catch_up(View(frame), box, frame.stamp_ns, score=reply.score)
        except ConfigError as error:
            return str(error)
        goal.note = goal.note or reply.message * (reply.status is ReplyStatus.OK)
        return ""

    def _arrive(self, goal: Goal, search: Search, catch_up: CatchUp) -> None:
        """What the model found has come to the newest image: a new target, unless it could not be followed there."""
        assert self.context.frame is not None, "a box on its way has images to go through"
        search.catch_up = None
        min_score = self.config.min_score if goal.request.min_score is None else goal.request.min_score
        if not catch_up.was_followed(min_score):
            search.answer = "found, but out of sight before it could be followed"
        elif len(self._manager) >= self.config.max_targets:
            self._fail(goal, search, Outcome.OVERLOADED, Reason.NONE, self._crowd())
        else:
            track_id, events = self._manager.adopt(
                catch_up, self.context.frame, phrase=search.phrase, min_score=goal.request.min_score
            )
            search.is_over = True
            told = [replace(event, text="; ".join(filter(None, (event.text, goal.note)))) for event in events]
            self._begin(goal, track_id, told, by_model=True)

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
        try:
            track_id, event = self._manager.start(
                views[0],
                box,
                self.context.image_ns,
                phrase=goal.request.prompt,
                min_score=goal.request.min_score,
                later=views[1:],
            )
        except ConfigError as error:  # the tracker's files are gone since the node became active
            self._reject(goal, Outcome.MODEL_ERROR, Reason.MODEL_ERROR, str(error))
            return
        self._begin(goal, track_id, [event], by_model=False)

    def _begin(self, goal: Goal, track_id: int, events: list[TrackEvent], *, by_model: bool) -> None:
        goal.track_ids.append(track_id)
        goal.seen_ns = self.context.image_ns
        goal.found_ns = goal.seen_ns if goal.found_ns is None else goal.found_ns
        self._model_fusion.begin(track_id, by_model=by_model)
        self._events += events

    def _views_since(self, goal: Goal) -> list[View]:
        """From the image that the region was drawn on to the newest; if that one never came, from the next."""
        stamp_ns = goal.request.region_stamp_ns
        views = self._frame_buffer.ring.since(stamp_ns) if stamp_ns else []
        return views or (self._frame_buffer.ring.newest() if goal.is_ahead or not stamp_ns else [])

    def _is_unanswered(self, goal: Goal) -> bool:
        """Whether the model still owes an answer without which nothing can be said."""
        return any(search.answer is None and self._pending.is_open(_subject(search)) for search in goal.searches)

    def _give_up(self, goal: Goal, timeout: float) -> None:
        if self.context.arrived_ns < goal.accepted_ns:
            self._reject(goal, Outcome.INPUT_STALE, Reason.NONE, self._silence(timeout))
        elif self._is_unanswered(goal):
            text = f"the model has not answered within {timeout:g} s; it hangs or is too slow for this machine"
            self._reject(goal, Outcome.TIMEOUT, Reason.MODEL_ERROR, text)
        else:
            self._reject_unseen(goal, f"within {timeout:g} s")

    def _reject_unseen(self, goal: Goal, where: str) -> None:
        ahead_s = (goal.request.region_stamp_ns - self.context.image_ns) / SECOND_NS
        if ahead_s > 0:
            text = (
                f"the image that the region was drawn on never came {where}: its stamp is {ahead_s:.1f} s ahead of the "
                "newest image's; take region_stamp from the header of that image"
            )
        else:
            text = "; ".join(_not_found(search, where) for search in goal.open_searches) or f"nothing was found {where}"
        if self.context.problem:
            text += f"; no image can be read any more, the last: {self.context.problem}"
        self._reject(goal, Outcome.NOT_FOUND, Reason.NOT_SEEN, text)

    def _silence(self, timeout: float) -> str:
        """Why no image was seen in all the time of a goal."""
        period_s = self.context.period_ns / SECOND_NS
        if self.context.problem:
            return f"no image could be read within {timeout:g} s, the last: {self.context.problem}"
        if period_s > timeout:
            return f"no image came within {timeout:g} s; this camera sends one every {period_s:.1f} s: wait for longer"
        return f"no image came within {timeout:g} s; check the camera's topic and QoS"

    def _reject(self, goal: Goal, outcome: Outcome, reason: Reason, text: str) -> None:
        self._events.append(self._rejection(goal.request.prompt, reason, text))
        self._finish(goal, outcome, text, reason)

    def _rejection(self, phrase: str, reason: Reason, text: str) -> TrackEvent:
        frame = self.context.frame
        return TrackEvent(
            kind=EventKind.REJECTED,
            reason=reason,
            text=text,
            stamp_ns=frame.stamp_ns if frame else 0,
            camera=self._camera,
            frame_id=frame.frame_id if frame else "",
            phrase=phrase,
        )

    def _finish(self, goal: Goal, outcome: Outcome, message: str, reason: Reason) -> None:
        for track_id in goal.track_ids:
            assert self.context.frame is not None, "a goal with tracks has seen an image"
            ended = self._manager.end(track_id, self.context.frame, self.context.image_ns, reason, message)
            self._events.append(ended)
            self._model_fusion.forget(track_id)
        for search in goal.open_searches:
            self._pending.withdraw(_subject(search))
        del self._goals[goal.id]
        self._finished[goal.id] = goal.result(outcome, message)


def _subject(search: Search) -> Subject:
    return ("goal", search.name)


def _not_found(search: Search, where: str) -> str:
    said = f": {search.answer}" if search.answer else ""
    return f'"{search.phrase}" was not found {where}{said}'

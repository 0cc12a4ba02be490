"""The goals of one camera: from acceptance, by a region or by the model's reply, to a target and its end."""

from collections.abc import Mapping

from vitron_ros.clock import SECOND_NS
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest
from vitron_ros.streaming import goal_failures
from vitron_ros.streaming.frame_buffer import FrameBuffer
from vitron_ros.streaming.goal_state import GoalState
from vitron_ros.streaming.goals import Failure, GoalFeedback, GoalResult, Outcome, Phase, TrackRequest
from vitron_ros.streaming.intent_gate import targets
from vitron_ros.streaming.model_fusion import ModelFusion
from vitron_ros.streaming.pending_requests import PendingRequests
from vitron_ros.streaming.phrase_search import PhraseSearch
from vitron_ros.streaming.search_requests import SearchRequests
from vitron_ros.streaming.step_context import StepContext
from vitron_ros.streaming.target_starter import TargetStarter
from vitron_ros.tracking.catch_up import CatchUp
from vitron_ros.tracking.track import EventKind, Reason, TrackEvent, TrackSnapshot, TrackState
from vitron_ros.tracking.track_manager import TrackManager

LEAST_UNSEEN = 2  # images in a row without its target that end a goal: of a slow camera, one may take a `lost_timeout`

Events = list[TrackEvent]  # of goals and targets, in order


class GoalManager:
    """Carries goals out. The camera's pipeline owns it, and calls it in every step; it keeps no image of its own."""

    def __init__(
        self,
        manager: TrackManager,
        model_fusion: ModelFusion,
        pending: PendingRequests,
        frame_buffer: FrameBuffer,
        *,
        camera: str,
        has_model: bool,
    ) -> None:
        self._manager = manager
        self._model_fusion = model_fusion
        self._pending = pending
        self._frame_buffer = frame_buffer
        self._camera = camera
        self._search_requests = SearchRequests(manager, model_fusion, pending)
        self._starter = TargetStarter(manager, model_fusion, frame_buffer, has_model=has_model)
        self._goals: dict[str, GoalState] = {}
        self._finished: dict[str, GoalResult] = {}

    def add(self, context: StepContext, goal_id: str, request: TrackRequest) -> None:
        """Accept a goal."""
        wanted = targets(request.prompt, request.max_targets) if request.region is None else ()
        taken = wanted[: request.max_targets]
        names = [f"{goal_id} {number}" if number else goal_id for number in range(len(taken))]
        limit = f"max_targets of the goal is {request.max_targets}"
        left_out = ", ".join(f'"{item.phrase}"' for item in wanted[len(taken) :])
        notes = [f"left out {left_out}: {limit}"] if left_out else []
        notes += [f'not all of "{item.phrase}" are taken: {limit}' for item in taken if item.is_capped]
        self._goals[goal_id] = GoalState(
            id=goal_id,
            request=request,
            accepted_ns=context.now_ns,
            is_ahead=request.region_stamp_ns > context.image_ns,
            searches=tuple(
                PhraseSearch(name, item.phrase, item.count) for name, item in zip(names, taken, strict=True)
            ),
            note="; ".join(notes),
        )

    def cancel(self, context: StepContext, goal_id: str) -> Events:
        """Give up a goal. Nothing happens if it has ended already."""
        if goal_id not in self._goals:
            return []
        return self._finish(
            context, self._goals[goal_id], Outcome.CANCELED, Reason.REQUESTED, "cancelled by the client"
        )

    def finish_all(self, context: StepContext, outcome: Outcome, reason: Reason, text: str) -> Events:
        """Give up every goal and every target."""
        goals = list(self._goals.values())
        return [event for goal in goals for event in self._finish(context, goal, outcome, reason, text)]

    def finish_recording(self, context: StepContext) -> Events:
        """No more images will come, as at the end of a file: a target that was found was followed, others are not."""
        events: Events = []
        for goal in list(self._goals.values()):
            if goal.found_ns is not None:
                for search in goal.open_searches:
                    events += self._give_up(context, goal, search, "in the recording")
                events += self._finish(context, goal, Outcome.OK, Reason.REQUESTED, "followed to the last image")
            elif self._is_unanswered(goal):
                text = "the recording ended before the model had answered; take a longer one"
                events += self._reject(context, goal, Failure(Outcome.TIMEOUT, Reason.MODEL_ERROR, text))
            else:
                events += self._reject(context, goal, goal_failures.not_found(context, goal, "in the recording"))
        return events

    def drop_targets(self, context: StepContext, reason: Reason, text: str) -> Events:
        """The images have nothing to do with those so far: goals with a target end, the others begin anew."""
        for _, search in self._searching():
            search.catch_ups.clear()
        found = [goal for goal in self._goals.values() if goal.found_ns is not None]
        text = f"{text}; send the goal again"
        return [event for goal in found for event in self._finish(context, goal, Outcome.LOST, reason, text)]

    def feedback(self, phase: Phase | None) -> dict[str, GoalFeedback]:
        """By goal id, for every goal that goes on."""
        return {goal.id: goal.feedback(phase) for goal in self._goals.values()}

    def take_finished(self) -> Mapping[str, GoalResult]:
        """By goal id, for every goal that ended since this was last asked."""
        finished, self._finished = self._finished, {}
        return finished

    @property
    def needs_keyframe(self) -> bool:
        """Whether there is a goal that the model has not been asked for yet."""
        return any(not search.is_asked for _, search in self._searching())

    def ground(self, context: StepContext) -> Events:
        """Start the targets of goals with a region, and refuse those that cannot have one."""
        events: Events = []
        for goal in [goal for goal in self._goals.values() if goal.found_ns is None]:
            started = self._starter.from_region(context, goal)
            events += self._reject(context, goal, started) if isinstance(started, Failure) else started
        return events

    def requests(self, context: StepContext, clip: tuple[Frame, ...]) -> list[ModelRequest]:
        """What to ask the model with the newest clip."""
        searches = [search for goal in self._goals.values() for search in goal.searches]
        return self._search_requests.requests(context, searches, clip)

    def receive(self, context: StepContext, name: str, request: ModelRequest, reply: ModelReply) -> Events:
        """What the model says to a search. Where it saw nothing it is asked again with the next keyframe."""
        searches = ((goal, search) for goal in self._goals.values() for search in goal.searches)
        goal, search = next(item for item in searches if item[1].name == name)
        room = self._room(context, goal, search)
        failure = self._search_requests.receive(context, goal, search, request, reply, room)
        return [] if failure is None else self._fail_search(context, goal, search, failure)

    def _room(self, context: StepContext, goal: GoalState, search: PhraseSearch) -> int:
        """How many targets a search may add now. A first one always; where the node has no room, its goal ends."""
        max_targets = context.config.max_targets
        room = min(goal.room(search, max_targets), max_targets - len(self._manager) - len(self.catch_ups))
        return max(room, 0 if search.found else 1)

    @property
    def catch_ups(self) -> list[CatchUp]:
        """Boxes of the model on their way to now."""
        return [catch_up for _, _, catch_up in self._on_their_way()]

    def arrive(self, context: StepContext) -> Events:
        """Start the targets of those that have come to the newest image."""
        events: Events = []
        arrived = [item for item in self._on_their_way() if item[2].time_ns == context.image_ns]
        for goal, search, catch_up in arrived:
            if search.is_over:  # one before it was the last that is wanted, or found no room
                continue
            search.catch_ups.remove(catch_up)
            started = self._starter.from_catch_up(context, goal, search, catch_up)
            events += self._fail_search(context, goal, search, started) if isinstance(started, Failure) else started
        return events

    def follow(self, context: StepContext, tracks: tuple[TrackSnapshot, ...], events: Events) -> None:
        """Count what became of the goals' targets in the newest image, by their tracks and what happened to them."""
        by_id = {track.id: track for track in tracks}
        reacquired = {event.track_id for event in events if event.kind is EventKind.REACQUIRED}
        for goal in [goal for goal in self._goals.values() if goal.found_ns is not None]:
            goal.tracks = tuple(by_id[track_id] for track_id in goal.track_ids)
            goal.times_reacquired += len(reacquired.intersection(goal.track_ids))
            if any(track.is_seen for track in goal.tracks):
                goal.phase = Phase.TRACKING
                goal.frames_tracked += 1
                goal.seen_ns, goal.unseen_in_a_row = context.image_ns, 0
            else:
                goal.phase = Phase.REACQUIRING
                goal.frames_lost += 1
                goal.unseen_in_a_row += 1

    def expire(self, context: StepContext) -> Events:
        """End the goals whose time is over."""
        return [event for goal in list(self._goals.values()) for event in self._expire(context, goal)]

    def _expire(self, context: StepContext, goal: GoalState) -> Events:
        request, config = goal.request, context.config
        timeout = config.timeout if request.timeout is None else request.timeout
        goal.accepted_ns = min(goal.accepted_ns, context.now_ns)  # a clock may begin anew, as with a bag that loops
        is_late = context.now_ns - goal.accepted_ns > timeout * SECOND_NS
        if goal.found_ns is None:
            return self._reject(context, goal, self._why_late(context, goal, timeout)) if is_late else []
        events: Events = []
        for search in [search for search in goal.open_searches if is_late and not search.catch_ups]:
            events += self._give_up(context, goal, search, f"within {timeout:g} s")
        lost_timeout = config.lost_timeout if request.lost_timeout is None else request.lost_timeout
        unseen_ns = context.image_ns - goal.seen_ns
        if request.duration is not None and context.image_ns - goal.found_ns >= request.duration * SECOND_NS:
            text = f"followed for {request.duration:g} s"
            events += self._finish(context, goal, Outcome.OK, Reason.REQUESTED, text)
        elif lost_timeout and goal.unseen_in_a_row >= LEAST_UNSEEN and unseen_ns > lost_timeout * SECOND_NS:
            text = f"not seen for {lost_timeout:g} s"
            events += self._finish(context, goal, Outcome.LOST, Reason.LOST_TIMEOUT, text)
        elif lost_timeout and not goal.unseen_in_a_row:
            events += self._make_room(context, goal, lost_timeout)
        return events

    def _make_room(self, context: StepContext, goal: GoalState, lost_timeout: float) -> Events:
        """End those of the targets of "all ..." that have not been seen for so long, while others are."""
        events: Events = []
        for search in [search for search in goal.open_searches if search.is_for_all]:
            for track in map(self._manager.track, list(search.track_ids)):
                if track.state is TrackState.LOST and context.image_ns - track.seen_ns > lost_timeout * SECOND_NS:
                    search.track_ids.remove(track.id)
                    goal.track_ids.remove(track.id)
                    events.append(
                        self._end(context, track.id, Reason.LOST_TIMEOUT, goal_failures.target_gone(lost_timeout))
                    )
        return events

    def _give_up(self, context: StepContext, goal: GoalState, search: PhraseSearch, where: str) -> Events:
        """Its time is over; a search for all that there are goes on once it has found one."""
        search.catch_ups.clear()
        if search.is_for_all and search.found:
            return []
        return self._fail_search(context, goal, search, search.not_found(where))

    def _why_late(self, context: StepContext, goal: GoalState, timeout: float) -> Failure:
        if context.arrived_ns < goal.accepted_ns:
            return goal_failures.no_image(context, timeout)
        if self._is_unanswered(goal):
            return goal_failures.model_silent(timeout)
        return goal_failures.not_found(context, goal, f"within {timeout:g} s")

    def _searching(self) -> list[tuple[GoalState, PhraseSearch]]:
        """What is still looked for, with its goal."""
        return [(goal, search) for goal in self._goals.values() for search in goal.open_searches]

    def _on_their_way(self) -> list[tuple[GoalState, PhraseSearch, CatchUp]]:
        return [(goal, search, catch_up) for goal, search in self._searching() for catch_up in search.catch_ups]

    def _is_unanswered(self, goal: GoalState) -> bool:
        """Whether the model still owes an answer without which nothing can be said."""
        return any(search.answer is None and self._pending.is_open(search.subject) for search in goal.searches)

    def _fail_search(self, context: StepContext, goal: GoalState, search: PhraseSearch, failure: Failure) -> Events:
        """Give up a search, and its goal if that was all there was to it."""
        search.is_over, search.answer = True, failure.text
        self._pending.withdraw(search.subject)
        if not (goal.track_ids or goal.open_searches):
            return self._reject(context, goal, failure)
        goal.note = "; ".join(filter(None, (goal.note, failure.text)))
        return [self._rejection(context, search.phrase, failure)]

    def _reject(self, context: StepContext, goal: GoalState, failure: Failure) -> Events:
        rejection = self._rejection(context, goal.request.prompt, failure)
        return [rejection, *self._finish(context, goal, failure.outcome, failure.reason, failure.text)]

    def _rejection(self, context: StepContext, phrase: str, failure: Failure) -> TrackEvent:
        frame = context.frame
        return TrackEvent(
            kind=EventKind.REJECTED,
            reason=failure.reason,
            text=failure.text,
            stamp_ns=frame.stamp_ns if frame else 0,
            camera=self._camera,
            frame_id=frame.frame_id if frame else "",
            phrase=phrase,
        )

    def _finish(self, context: StepContext, goal: GoalState, outcome: Outcome, reason: Reason, text: str) -> Events:
        events = [self._end(context, track_id, reason, text) for track_id in goal.track_ids]
        for search in goal.searches:
            self._pending.withdraw(search.subject)
        del self._goals[goal.id]
        self._finished[goal.id] = goal.result(outcome, text)
        return events

    def _end(self, context: StepContext, track_id: int, reason: Reason, text: str) -> TrackEvent:
        assert context.frame is not None, "a goal with tracks has seen an image"
        self._model_fusion.forget(track_id)
        return self._manager.end(track_id, context.frame, context.image_ns, reason, text)

"""What the model is asked for the searches of goals, and what its replies lead to."""

from collections.abc import Sequence

from vitron_ros.boxes import Boxes, iou
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.streaming.fusion_decision import AGREEMENT_IOU
from vitron_ros.streaming.goal_state import GoalState
from vitron_ros.streaming.goals import Failure
from vitron_ros.streaming.model_fusion import ModelFusion
from vitron_ros.streaming.pending_requests import PendingRequests
from vitron_ros.streaming.phrase_search import Admission, PhraseSearch
from vitron_ros.streaming.step_context import StepContext
from vitron_ros.tracking.track_manager import TrackManager


class SearchRequests:
    """Asks for what has not been found with every keyframe, and for several targets of a phrase every `model_period`.

    `GoalManager` owns it.
    """

    def __init__(self, manager: TrackManager, model_fusion: ModelFusion, pending: PendingRequests) -> None:
        self._manager = manager
        self._model_fusion = model_fusion
        self._pending = pending

    def requests(
        self, context: StepContext, searches: Sequence[PhraseSearch], clip: tuple[Frame, ...]
    ) -> list[ModelRequest]:
        """What to ask with the newest clip."""
        newest = context.config.model_find_frames
        first = [search for search in searches if not (search.is_over or search.found or search.catch_ups)]
        due = [search for search in searches if self._is_due(context, search)]
        requests = [self._request(search, clip, newest=newest) for search in first]
        return requests + [self._request(search, clip[-newest:]) for search in due]

    def receive(
        self,
        context: StepContext,
        goal: GoalState,
        search: PhraseSearch,
        request: ModelRequest,
        reply: ModelReply,
        room: int,
    ) -> Failure | None:
        """What the model says to a search, which may add so many targets; a failure ends it."""
        places = self._places(goal, search, request.frames[-1].stamp_ns)
        admission = Admission(
            self._manager, room, lambda box_xyxy: all(iou(box_xyxy, place) < AGREEMENT_IOU for place in places)
        )
        if not search.found:
            failure = search.receive(request, reply, context.config, admission)
            if search.catch_ups and reply.status is ReplyStatus.OK:
                goal.note = goal.note or reply.message
            return failure
        free = self._model_fusion.receive_candidates(context, search.track_ids, request, reply)
        if not (search.is_over or search.catch_ups):
            search.start_candidates(request, free, context.config, admission)
        return None

    def _request(self, search: PhraseSearch, clip: tuple[Frame, ...], newest: int = 0) -> ModelRequest:
        search.is_asked = True
        return self._pending.ask(
            search.subject,
            Task.FIND,
            clip,
            text=search.phrase,
            newest=newest,
            wants_candidates=search.is_for_many,
            is_placed=not search.found,
        )

    def _is_due(self, context: StepContext, search: PhraseSearch) -> bool:
        """Whether it is time to ask where several targets of a phrase are now, and whether there are more."""
        if not (search.is_for_many and search.found) or search.catch_ups or (search.is_over and not search.track_ids):
            return False
        is_urgent = self._pending.is_open(search.subject) or self._model_fusion.is_objecting(search.track_ids)
        return is_urgent or self._model_fusion.is_due(context)

    def _places(self, goal: GoalState, search: PhraseSearch, time_ns: int) -> list[Boxes]:
        """Boxes (4,) px of what other searches of the goal have found in the image of that time, or have on its way."""
        others = [other for other in goal.searches if other is not search]
        tracks = [self._manager.track(track_id) for other in others for track_id in other.track_ids]
        histories = [track.history.at([time_ns]) for track in tracks]
        seen = [history.boxes_xyxy[0] for history in histories if history.is_seen[0]]
        return seen + [catch_up.path[0][1].box_xyxy for other in others for catch_up in other.catch_ups]

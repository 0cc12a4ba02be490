"""The slow loop's care for targets that exist: what follows from the model's replies about them."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vitron_ros.boxes import Boxes, check_box, iou
from vitron_ros.errors import ConfigError, RegionError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.streaming.association import Detection, assign, is_taken, nearest
from vitron_ros.streaming.fusion_decision import (
    AGREEMENT_IOU,
    CONFIRMATION_IOU,
    FusionDecision,
    ModelPrediction,
    TimedBox,
    decide,
)
from vitron_ros.streaming.pending_requests import PendingRequests
from vitron_ros.streaming.roi_crop import up_to_edge
from vitron_ros.streaming.step_context import StepContext
from vitron_ros.streaming.target_state import TargetState
from vitron_ros.streaming.verification_schedule import VerificationSchedule, is_lost_with_phrase, subject_of
from vitron_ros.tracking.box_history import TrackHistory
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.catch_up import CatchUp
from vitron_ros.tracking.track import Track, TrackEvent, TrackState
from vitron_ros.tracking.track_manager import TrackManager

logger = logging.getLogger(__name__)

# In a row, of one of several targets: a model that lists what it sees leaves one out now and then. With a detector that
# misses 15 % of 6 squares on crossing paths, 94.5 % of them are covered after the second miss, 91.5 % after the first.
# What was named only once is doubted at once.
NEEDED_MISSES = 2
TOO_ALIKE = 0.1  # difference in likeness that says nothing


class ModelFusion:
    """Asks about targets as `VerificationSchedule` says, and corrects them by the replies.

    Args:
        can_follow: the model takes FOLLOW; one that does not is asked for phrases alone.

    Single-threaded: the camera's pipeline owns it.
    """

    def __init__(self, manager: TrackManager, pending: PendingRequests, *, can_follow: bool = True) -> None:
        self._manager = manager
        self._pending = pending
        self._targets: dict[int, TargetState] = {}  # by track id
        self._schedule = VerificationSchedule(manager, pending, self._targets, can_follow=can_follow)

    def begin(self, track_id: int, *, by_model: bool, is_grouped: bool = False) -> None:
        """Care for a new target, which the model found, or did not. Whoever began a group asks for it by its phrase."""
        self._targets[track_id] = TargetState.begin(by_model=by_model, is_grouped=is_grouped)

    def forget(self, track_id: int) -> None:
        """A target has ended."""
        del self._targets[track_id]
        self._pending.withdraw(subject_of(track_id))

    def requests(self, context: StepContext, clip: tuple[Frame, ...]) -> list[ModelRequest]:
        """What to ask with the newest clip: open questions once more, disputed targets, and those that are due."""
        return self._schedule.requests(context, clip)

    def is_due(self, context: StepContext) -> bool:
        """Whether it is time to ask whether targets are still right."""
        return self._schedule.is_due(context)

    def is_objecting(self, track_ids: Sequence[int]) -> bool:
        """Whether the next reply about some of these targets decides where they are."""
        return any(self._targets[track_id].reliability.is_objecting for track_id in track_ids)

    def receive_candidates(
        self, context: StepContext, track_ids: Sequence[int], request: ModelRequest, reply: ModelReply
    ) -> ModelReply:
        """What the model says about all targets of one phrase: the reply with those candidates that are none of them.

        None is given while it is not known where all targets were in that image, or one of them is on its way to now.
        """
        if reply.status not in (ReplyStatus.OK, ReplyStatus.ABSENT) or reply.is_contradicted:
            return _with_candidates(reply, [])
        tracks = [self._manager.track(track_id) for track_id in track_ids if self._targets[track_id].catch_up is None]
        time_ns, boxes = request.frames[-1].stamp_ns, reply.candidates_xyxy
        owners = assign(boxes, time_ns, tracks)
        present = [track for track in tracks if track.state is not TrackState.LOST]
        is_known = len(tracks) == len(track_ids) and all(
            np.isfinite(track.history.at([time_ns]).boxes_xyxy).all() for track in present
        )
        taken = set()
        for track in tracks:
            target, index = self._targets[track.id], owners.get(track.id)
            target.misses = 0 if index is not None else target.misses + 1
            is_missed = 0 < target.misses < NEEDED_MISSES and not target.is_unproven
            if not is_missed and self._receive(context, track.id, request, _reply_about(reply, index)):
                taken.add(index)
        return _with_candidates(reply, [index for index in range(len(boxes)) if is_known and index not in taken])

    def receive(self, context: StepContext, track_id: int, request: ModelRequest, reply: ModelReply) -> None:
        """What the model says about a target."""
        self._receive(context, track_id, request, reply)

    def _receive(self, context: StepContext, track_id: int, request: ModelRequest, reply: ModelReply) -> bool:
        """Take it; whether the newest box may be that of the target."""
        if reply.status not in (ReplyStatus.OK, ReplyStatus.ABSENT) or reply.is_contradicted:
            return False
        track, target, prediction = self._manager.track(track_id), self._targets[track_id], _prediction(request, reply)
        if request.task is Task.FOLLOW:
            target.needs_whole_image = _left_roi(request, prediction)
        if not len(prediction.times_ns):
            return False
        last = track.history.last_seen()
        track_history = track.history.at(prediction.times_ns.tolist())
        fusion = decide(
            prediction,
            track_history,
            target.reliability,
            min_score=reply.needed_score(context.config.model_min_score),
            last_seen=None if last is None else (last.time_ns, last.box_xyxy),
            confirmed=[place for place in (target.found_by_phrase, _confirmed(track)) if place is not None],
            # One of several that is seen does not give way to another that is named twice: that is a target of its own.
            is_proven=not target.is_unproven or (target.is_grouped and track.is_seen),
        )
        target.reliability = fusion.reliability
        is_its_own = fusion.decision in (FusionDecision.CONFIRM, FusionDecision.OBJECTION) or _agrees(
            prediction, track_history
        )
        if fusion.decision is FusionDecision.CONFIRM:
            track.confirm(reply.stamps_ns[fusion.frame])
            if request.task is Task.FIND:
                target.is_moved = False
                target.found_by_phrase = reply.stamps_ns[fusion.frame], prediction.boxes_xyxy[fusion.frame]
                target.asks_by_phrase |= target.is_unproven
                target.is_unproven = False
            if target.reliability.credit and fusion.shift is not None:
                track.refine(fusion.shift)
        elif fusion.decision is FusionDecision.GONE and self._is_gone(track, int(prediction.times_ns[-1])):
            target.asks_by_phrase = True  # asked about what the tracker takes up next, the model would follow that
        elif fusion.decision in (FusionDecision.ABSENT, FusionDecision.GONE) and track.state is not TrackState.LOST:
            track.lower_confidence(context.image_ns)
        elif fusion.decision is FusionDecision.CORRECT:
            frame = request.frames[fusion.frame]
            tracked = track_history.boxes_xyxy[fusion.frame] if track_history.is_seen[fusion.frame] else None
            box = prediction.boxes_xyxy[fusion.frame]
            is_by_phrase = request.task is Task.FIND
            likeness = 0.0 if is_by_phrase and target.is_moved else fusion.likeness
            if self._consider(track, frame, box, prediction.score, likeness, tracked):
                target.catch_up_by_phrase, is_its_own = is_by_phrase, True
        return is_its_own

    @property
    def catch_ups(self) -> list[CatchUp]:
        """Boxes on their way to now."""
        return [target.catch_up for target in self._targets.values() if target.catch_up is not None]

    def arrive(self, context: StepContext) -> list[TrackEvent]:
        """Take those that have come to the newest image; the events of targets that were corrected."""
        events = []
        for track_id, target in self._targets.items():
            catch_up = target.catch_up
            if catch_up is not None and catch_up.time_ns == context.image_ns:
                target.catch_up = None
                events.append(self._settle(context, track_id, catch_up))
        return [event for event in events if event is not None]

    def _is_gone(self, track: Track, stamp_ns: int) -> bool:
        """What the tracker has followed ever since that image is not the target; whether it now looks elsewhere."""
        return track.history.is_seen_since(stamp_ns) and self._manager.reject(track.id)

    def _consider(
        self, track: Track, frame: Frame, box_xyxy: Boxes, score: float, likeness: float, tracked: Boxes | None
    ) -> bool:
        """Send a box of the past on its way to now, if it may be the target, and rather than what is followed;
        whether it is on its way."""
        try:
            box = check_box(box_xyxy, frame.width, frame.height)
        except RegionError:
            return False
        find, tracks = Detection(box, frame.stamp_ns), self._manager.tracks()
        if is_taken(find, track, tracks):
            return False
        is_lost = track.state is TrackState.LOST
        rivals = [other for other in tracks if is_lost_with_phrase(other) and other.phrase == track.phrase]
        is_given = not is_lost or not track.phrase or self._targets[track.id].is_grouped
        if not is_given and nearest(find, rivals) is not track:
            return False
        view = View(frame)
        alike = self._manager.likeness(track.id, view, box)
        if alike is not None and alike < likeness:
            return False
        if alike is not None and tracked is not None and likeness and not self._is_better(track, view, tracked, alike):
            return False
        try:
            catch_up = self._manager.start_catch_up(view, box, frame.stamp_ns, score=score, was_lost=is_lost)
        except ConfigError as error:
            logger.warning("the model's box cannot be followed: %s", error)
            return False
        self._targets[track.id].catch_up = catch_up
        return True

    def _is_better(self, track: Track, view: View, tracked_xyxy: Boxes, alike: float) -> bool:
        """Whether something is more like the target than what is followed, or they are too alike to tell."""
        followed = self._manager.likeness(track.id, view, tracked_xyxy)
        return followed is None or alike > followed - TOO_ALIKE

    def _settle(self, context: StepContext, track_id: int, catch_up: CatchUp) -> TrackEvent | None:
        """A box has come to now: it agrees with the tracker's after all, replaces it, or has lost its way.

        One that was followed until it hid replaces a tracker that follows something else.
        """
        track, estimate = self._manager.track(track_id), catch_up.estimate
        needed, is_elsewhere = track.needed_score(context.config), track.is_seen and not catch_up.was_lost
        if estimate.score < needed and not (is_elsewhere and catch_up.was_followed(needed)):
            return None
        if estimate.score >= needed and track.is_seen and iou(track.box_xyxy, estimate.box_xyxy) >= CONFIRMATION_IOU:
            track.confirm(catch_up.start_ns)
            return None
        if track.is_seen and catch_up.was_lost:
            return None  # found elsewhere in the meantime; the next question will tell who was right
        assert context.frame is not None, "a box on its way has images to go through"
        target = self._targets[track_id]
        target.is_moved = not target.catch_up_by_phrase
        return self._manager.correct(track_id, catch_up, context.frame, context.config)


def _reply_about(reply: ModelReply, index: int | None) -> ModelReply:
    """What a reply with candidates says of the target that has one of them, or none."""
    boxes = np.full((len(reply.stamps_ns), 4), np.nan)
    if index is None:
        return replace(reply, boxes_xyxy=boxes)
    boxes[-1] = reply.candidates_xyxy[index]
    return replace(reply, boxes_xyxy=boxes, score=float(reply.candidate_scores[index]))


def _with_candidates(reply: ModelReply, indices: list[int]) -> ModelReply:
    boxes, scores = reply.candidates_xyxy[indices], reply.candidate_scores[indices]
    return replace(reply, candidates_xyxy=boxes, candidate_scores=scores)


def _agrees(prediction: ModelPrediction, track_history: TrackHistory) -> bool:
    """Whether both have the target in the same place in the newest image."""
    boxes = np.nan_to_num(prediction.boxes_xyxy[-1]), np.nan_to_num(track_history.boxes_xyxy[-1])
    return bool(track_history.is_seen[-1] and iou(*boxes) >= AGREEMENT_IOU)


def _left_roi(request: ModelRequest, prediction: ModelPrediction) -> bool:
    """Whether the next request is to show whole images, since the model did not see the target in an ROI crop."""
    is_to_the_end = len(prediction.times_ns) == len(request.frames) and np.isfinite(prediction.boxes_xyxy[-1]).all()
    return request.roi_xyxy is not None and not is_to_the_end


def _confirmed(track: Track) -> TimedBox | None:
    """Where the target was when the model last agreed; None: it never did, or too long ago."""
    known = track.history.at([track.grounded_ns])
    return (track.grounded_ns, known.boxes_xyxy[0]) if known.is_seen[0] else None


def _prediction(request: ModelRequest, reply: ModelReply) -> ModelPrediction:
    """What a reply says of its target; absence is no box in any frame.

    An ROI crop holds the place where the tracker sees the target. So "none" in it speaks against that place as "none"
    in whole images does; but of a target that leaves it nothing is known from there on.
    """
    times = np.array(reply.stamps_ns, np.int64)
    boxes = reply.boxes_xyxy
    if boxes is None or reply.status is ReplyStatus.ABSENT:
        boxes = np.full((len(times), 4), np.nan)
    if request.roi_xyxy is not None:
        frame = request.frames[-1]
        boxes = up_to_edge(boxes, request.roi_xyxy, frame.width, frame.height)
    return ModelPrediction(boxes, times[: len(boxes)], reply.score)

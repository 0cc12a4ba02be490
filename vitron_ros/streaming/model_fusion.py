"""The slow loop's care for targets that exist: whom to ask the model about, and what follows from its replies."""

import logging

import numpy as np

from vitron_ros.boxes import Boxes, check_box, iou
from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError, RegionError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Roi, Task
from vitron_ros.streaming.association import Find, is_taken, nearest
from vitron_ros.streaming.frame_buffer import FrameBuffer
from vitron_ros.streaming.fusion_decision import (
    CONFIRMATION_IOU,
    RELIABILITY_FROM_MODEL,
    FusionDecision,
    ModelPrediction,
    ModelReliability,
    Place,
    decide,
)
from vitron_ros.streaming.pending_requests import PendingRequests, Round, Subject
from vitron_ros.streaming.roi_crop import roi_crop, up_to_edge
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.catch_up import CatchUp
from vitron_ros.tracking.track import Track, TrackEvent, TrackState
from vitron_ros.tracking.track_manager import TrackManager

logger = logging.getLogger(__name__)

TOO_ALIKE = 0.1  # difference in likeness that says nothing


def subject_of(track_id: int) -> Subject:
    return ("track", str(track_id))


class ModelFusion:
    """Asks about some targets every `model_period`, least sure first, and about every lost one that has a phrase.

    Single-threaded: the camera's pipeline owns it.
    """

    def __init__(self, config: PipelineConfig, manager: TrackManager, pending: PendingRequests) -> None:
        self.config = config
        self._manager = manager
        self._pending = pending
        self._round = Round.new()
        self._reliability: dict[int, ModelReliability] = {}
        self._catch_ups: dict[int, CatchUp] = {}
        self._asked_ns: int | None = None
        self._found_last: set[int] = set()  # targets that are asked for by their phrase, this time
        self._unproven: set[int] = set()  # targets that the model has named once
        self._missed: set[int] = set()  # targets that were not in the window that the model was last shown
        self._named: dict[int, Place] = {}  # where the model found them by their phrase, and the tracker agreed

    def begin(self, track_id: int, *, by_model: bool) -> None:
        """Care for a new target, which the model found, or did not."""
        self._reliability[track_id] = ModelReliability.begin(RELIABILITY_FROM_MODEL if by_model else 0.0)
        if by_model:
            self._unproven.add(track_id)

    def forget(self, track_id: int) -> None:
        """A target has ended."""
        del self._reliability[track_id]
        self._found_last.discard(track_id)
        self._unproven.discard(track_id)
        self._missed.discard(track_id)
        self._named.pop(track_id, None)
        self._catch_ups.pop(track_id, None)
        self._pending.withdraw(subject_of(track_id))

    def questions(self, clip: tuple[Frame, ...], now_ns: int) -> list[ModelRequest]:
        """What to ask with the newest clip: open questions once more, disputed targets, and those that are due."""
        tracks = {track.id: track for track in self._manager.tracks() if track.id not in self._catch_ups}
        is_due = self.is_due(now_ns)
        chosen = [track for track in tracks.values() if self._is_urgent(track.id)]
        if is_due:
            self._asked_ns = now_ns
            closed = {track_id: track for track_id, track in tracks.items() if track not in chosen}
            chosen += [track for track in closed.values() if self._can_be_found(track)]
            chosen += self._next_of_round(closed, clip)
        return [request for track in chosen if (request := self._question(track, clip)) is not None]

    def is_due(self, now_ns: int) -> bool:
        """Whether it is time to ask whether targets are still right."""
        return self._asked_ns is None or now_ns - self._asked_ns >= self.config.model_period * SECOND_NS

    def receive(self, track_id: int, request: ModelRequest, reply: ModelReply, now_ns: int) -> None:
        """What the model says about a target."""
        if reply.status not in (ReplyStatus.OK, ReplyStatus.ABSENT) or reply.is_contradicted:
            return
        track = self._manager.track(track_id)
        prediction = _prediction(request, reply)
        if request.task is Task.FOLLOW:
            self._note_miss(track_id, request, prediction)
        if not len(prediction.times_ns):
            return
        last = track.history.last_seen()
        track_history = track.history.at(prediction.times_ns.tolist())
        fusion = decide(
            prediction,
            track_history,
            self._reliability[track_id],
            min_score=self.config.model_min_score,
            last_seen=None if last is None else (last.time_ns, last.box_xyxy),
            confirmed=[place for place in (self._named.get(track_id), _confirmed(track)) if place is not None],
            is_proven=track_id not in self._unproven,
        )
        self._reliability[track_id] = fusion.reliability
        if fusion.decision is FusionDecision.CONFIRM:
            track.confirm(reply.stamps_ns[fusion.frame])
            if request.task is Task.FIND:
                self._named[track_id] = reply.stamps_ns[fusion.frame], prediction.boxes_xyxy[fusion.frame]
                if track_id in self._unproven:
                    self._unproven.remove(track_id)
                    self._found_last.add(track_id)
            if self._reliability[track_id].credit and fusion.shift is not None:
                track.redraw(fusion.shift)
        elif fusion.decision is FusionDecision.GONE and self._is_gone(track, int(prediction.times_ns[-1])):
            self._found_last.add(track_id)  # asked about what the tracker takes up next, the model would follow that
        elif fusion.decision in (FusionDecision.ABSENT, FusionDecision.GONE) and track.state is not TrackState.LOST:
            track.doubt(now_ns)
        elif fusion.decision is FusionDecision.CORRECT:
            frame = request.frames[fusion.frame]
            believed = track_history.boxes_xyxy[fusion.frame] if track_history.is_seen[fusion.frame] else None
            self._consider(
                track, frame, prediction.boxes_xyxy[fusion.frame], prediction.score, fusion.likeness, believed
            )

    @property
    def catch_ups(self) -> list[CatchUp]:
        """Boxes on their way to now."""
        return list(self._catch_ups.values())

    def advance(
        self, frame_buffer: FrameBuffer, frame: Frame, now_ns: int, budget: int, max_views: int
    ) -> tuple[int, list[TrackEvent]]:
        """Carry the model's boxes towards the newest frame, `budget` images in all.

        Args:
            max_views: that one of them goes through on its way; of more, it takes every second or third.

        Returns:
            what is left of the budget, and the events of boxes that arrived.
        """
        events = []
        for track_id, catch_up in list(self._catch_ups.items()):
            budget -= catch_up.advance(frame_buffer.after(catch_up.time_ns), budget, max_views)
            if catch_up.time_ns == now_ns:
                del self._catch_ups[track_id]
                event = self._settle(track_id, catch_up, frame)
                if event is not None:
                    events.append(event)
        return budget, events

    def _next_of_round(self, tracks: dict[int, Track], clip: tuple[Frame, ...]) -> list[Track]:
        """The targets whose turn it is, of those that can be asked about."""
        followed = {
            track.id: track
            for track in tracks.values()
            if not self._can_be_found(track) and self._question_start(track, clip) is not None
        }
        turns = self._round.next((track.id, track.score) for track in followed.values())[: self.config.model_targets]
        for track_id in turns:
            self._round.ask(track_id)
        return [followed[track_id] for track_id in turns]

    def _question(self, track: Track, clip: tuple[Frame, ...]) -> ModelRequest | None:
        if self._task(track) is Task.FIND:
            shown = self._shown(track, clip)
            return self._pending.ask(subject_of(track.id), Task.FIND, shown, text=track.phrase, is_placed=False)
        start = self._question_start(track, clip)
        if start is None:
            return None
        index, box = start
        frames = clip[index:]
        return self._pending.ask(
            subject_of(track.id), Task.FOLLOW, frames, box_xyxy=box, roi_xyxy=self._window(track, frames)
        )

    def _shown(self, track: Track, clip: tuple[Frame, ...]) -> tuple[Frame, ...]:
        """Where it is looked for. The whole clip also tells whether the model agrees with what the tracker saw."""
        is_known = self._can_be_found(track) and track.id not in self._unproven
        return clip[-self.config.model_find_frames :] if is_known else clip

    def _window(self, track: Track, frames: tuple[Frame, ...]) -> Roi | None:
        """The window in which a small target is followed from near. One that is not seen now, or was not in the last
        window, may be anywhere."""
        track_history = track.history.at(frame.stamp_ns for frame in frames)
        if track.id in self._missed or not track_history.is_seen[-1]:
            return None
        return roi_crop(track_history.boxes_xyxy, frames, self.config.model_roi_crop)

    def _note_miss(self, track_id: int, request: ModelRequest, prediction: ModelPrediction) -> None:
        """Whether the next question is to show whole images, since the model did not see the target in a window."""
        is_to_the_end = len(prediction.times_ns) == len(request.frames) and np.isfinite(prediction.boxes_xyxy[-1]).all()
        if request.roi_xyxy is None or is_to_the_end:
            self._missed.discard(track_id)
        else:
            self._missed.add(track_id)

    def _task(self, track: Track) -> Task:
        """A lost target is found by its phrase. One that is seen is followed and found in turn, since who is given the
        box of another will follow that; an objection is heard a second time in the same way."""
        if self._can_be_found(track) or track.id in self._unproven:
            return Task.FIND
        reliability = self._reliability[track.id]
        if not (track.phrase and reliability.credit and reliability.is_earned):
            return Task.FOLLOW
        if not (self._pending.is_open(subject_of(track.id)) or reliability.is_objecting):
            self._found_last ^= {track.id}
        return Task.FIND if track.id in self._found_last else Task.FOLLOW

    def _is_urgent(self, track_id: int) -> bool:
        """There is an open question about it, or an objection that waits for a second one."""
        return self._pending.is_open(subject_of(track_id)) or self._reliability[track_id].is_objecting

    def _can_be_found(self, track: Track) -> bool:
        """By its phrase, and the model's word would count."""
        return _is_lost_with_phrase(track) and self._reliability[track.id].is_earned

    @staticmethod
    def _question_start(track: Track, clip: tuple[Frame, ...]) -> tuple[int, Boxes] | None:
        """The first frame of the clip, but the last, in which the target was seen, and its box there."""
        track_history = track.history.at(frame.stamp_ns for frame in clip[:-1])
        if not track_history.is_seen.any():
            return None
        index = int(np.flatnonzero(track_history.is_seen)[0])
        try:
            return index, check_box(track_history.boxes_xyxy[index], clip[index].width, clip[index].height)
        except RegionError:
            return None

    def _is_gone(self, track: Track, stamp_ns: int) -> bool:
        """What the tracker has followed ever since that image is not the target; whether it now looks elsewhere."""
        return track.history.is_seen_since(stamp_ns) and self._manager.reject(track.id)

    def _consider(
        self, track: Track, frame: Frame, box_xyxy: Boxes, score: float, likeness: float, believed: Boxes | None
    ) -> None:
        """Send a box of the past on its way to now, if it may be the target, and rather than what is followed."""
        try:
            box = check_box(box_xyxy, frame.width, frame.height)
        except RegionError:
            return
        find, tracks = Find(box, frame.stamp_ns), self._manager.tracks()
        if is_taken(find, track, tracks):
            return
        is_lost = track.state is TrackState.LOST
        rivals = [other for other in tracks if _is_lost_with_phrase(other) and other.phrase == track.phrase]
        if is_lost and track.phrase and nearest(find, rivals) is not track:
            return
        view = View(frame)
        alike = self._manager.likeness(track.id, view, box)
        if alike is not None and alike < likeness:
            return
        if (
            alike is not None
            and believed is not None
            and likeness
            and not self._is_better(track, view, believed, alike)
        ):
            return
        try:
            self._catch_ups[track.id] = self._manager.start_catch_up(
                view, box, frame.stamp_ns, score=score, was_lost=is_lost
            )
        except ConfigError as error:
            logger.warning("the model's box cannot be followed: %s", error)

    def _is_better(self, track: Track, view: View, believed_xyxy: Boxes, alike: float) -> bool:
        """Whether something is more like the target than what is followed, or they are too alike to tell."""
        followed = self._manager.likeness(track.id, view, believed_xyxy)
        return followed is None or alike > followed - TOO_ALIKE

    def _settle(self, track_id: int, catch_up: CatchUp, frame: Frame) -> TrackEvent | None:
        """A box has come to now: it agrees with the tracker's after all, replaces it, or has lost its way.

        One that was followed until it hid replaces a tracker that follows something else.
        """
        track, estimate = self._manager.track(track_id), catch_up.estimate
        needed, is_elsewhere = track.needed_score(self.config), track.is_seen and not catch_up.was_lost
        if estimate.score < needed and not (is_elsewhere and catch_up.was_followed(needed)):
            return None
        if estimate.score >= needed and track.is_seen and iou(track.box_xyxy, estimate.box_xyxy) >= CONFIRMATION_IOU:
            track.confirm(catch_up.start_ns)
            return None
        if track.is_seen and catch_up.was_lost:
            return None  # found elsewhere in the meantime; the next question will tell who was right
        return self._manager.correct(track_id, catch_up, frame)


def _is_lost_with_phrase(track: Track) -> bool:
    return track.state is TrackState.LOST and bool(track.phrase)


def _confirmed(track: Track) -> Place | None:
    """Where the target was when the model last agreed; None: it never did, or too long ago."""
    known = track.history.at([track.grounded_ns])
    return (track.grounded_ns, known.boxes_xyxy[0]) if known.is_seen[0] else None


def _prediction(request: ModelRequest, reply: ModelReply) -> ModelPrediction:
    """What a reply says of its target; absence is no box in any frame.

    A window holds the place where the tracker sees the target. So "none" in it speaks against that place as "none" in
    whole images does; but of a target that leaves it nothing is known from there on.
    """
    times = np.array(reply.stamps_ns, np.int64)
    boxes = reply.boxes_xyxy
    if boxes is None or reply.status is ReplyStatus.ABSENT:
        boxes = np.full((len(times), 4), np.nan)
    if request.roi_xyxy is not None:
        frame = request.frames[-1]
        boxes = up_to_edge(boxes, request.roi_xyxy, frame.width, frame.height)
    return ModelPrediction(boxes, times[: len(boxes)], reply.score)

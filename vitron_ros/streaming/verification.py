"""The slow loop's care for targets that exist: whom to ask the model about, and what follows from its replies."""

import numpy as np

from vitron_ros.boxes import Boxes, check_box, iou
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import RegionError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, Status, Task
from vitron_ros.streaming.association import Find, is_taken, nearest
from vitron_ros.streaming.footage import Footage
from vitron_ros.streaming.fusion import CONFIRMATION_IOU, TRUST_FROM_MODEL, Claim, Trust, Verdict, judge
from vitron_ros.streaming.inquiries import Inquiries, Round, Subject
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.pursuit import Pursuit
from vitron_ros.tracking.track import SECOND_NS, Track, TrackEvent, TrackState
from vitron_ros.tracking.track_manager import TrackManager


def subject_of(track_id: int) -> Subject:
    return ("track", str(track_id))


class Verification:
    """Asks about some targets every `model_period`, least sure first, and about every lost one that has a phrase.

    Single-threaded: the camera's pipeline owns it.
    """

    def __init__(self, config: PipelineConfig, manager: TrackManager, inquiries: Inquiries) -> None:
        self.config = config
        self._manager = manager
        self._inquiries = inquiries
        self._round = Round.new()
        self._trust: dict[int, Trust] = {}
        self._pursuits: dict[int, Pursuit] = {}
        self._asked_ns: int | None = None

    def begin(self, track_id: int, *, by_model: bool) -> None:
        """Care for a new target, which the model found, or did not."""
        self._trust[track_id] = Trust.begin(TRUST_FROM_MODEL if by_model else 0.0)

    def forget(self, track_id: int) -> None:
        """A target has ended."""
        del self._trust[track_id]
        self._pursuits.pop(track_id, None)
        self._inquiries.withdraw(subject_of(track_id))

    def questions(self, clip: tuple[Frame, ...], now_ns: int) -> list[ModelRequest]:
        """What to ask with the newest clip: open questions once more, disputed targets, and those that are due."""
        tracks = {track.id: track for track in self._manager.tracks() if track.id not in self._pursuits}
        is_due = self._asked_ns is None or now_ns - self._asked_ns >= self.config.model_period * SECOND_NS
        chosen = [track for track in tracks.values() if self._is_urgent(track.id)]
        if is_due:
            self._asked_ns = now_ns
            closed = {track_id: track for track_id, track in tracks.items() if track not in chosen}
            chosen += [track for track in closed.values() if self._can_be_found(track)]
            chosen += self._next_of_round(closed, clip)
        return [request for track in chosen if (request := self._question(track, clip)) is not None]

    def receive(self, track_id: int, request: ModelRequest, reply: ModelReply, now_ns: int) -> None:
        """What the model says about a target."""
        if reply.status not in (Status.OK, Status.ABSENT):
            return
        track = self._manager.track(track_id)
        claim = _claim(reply)
        last = track.history.last_seen()
        judgement = judge(
            claim,
            track.history.at(reply.stamps_ns),
            self._trust[track_id],
            min_score=self.config.model_min_score,
            last_seen=None if last is None else (last.time_ns, last.box_xyxy),
        )
        self._trust[track_id] = judgement.trust
        if judgement.verdict is Verdict.CONFIRM:
            track.confirm(reply.stamps_ns[judgement.frame])
        elif judgement.verdict is Verdict.ABSENT and track.state is not TrackState.LOST:
            track.doubt(now_ns)
        elif judgement.verdict is Verdict.CORRECT:
            frame = request.frames[judgement.frame]
            self._consider(track, frame, claim.boxes_xyxy[judgement.frame], claim.score, judgement.likeness)

    @property
    def pursuits(self) -> list[Pursuit]:
        """Boxes on their way to now."""
        return list(self._pursuits.values())

    def advance(self, footage: Footage, frame: Frame, now_ns: int, budget: int, max_views: int) -> list[TrackEvent]:
        """Carry the model's boxes towards the newest frame, `budget` images in all; events of those that arrived.

        Args:
            max_views: that one of them goes through on its way; of more, it takes every second or third.
        """
        events = []
        for track_id, pursuit in list(self._pursuits.items()):
            budget -= pursuit.advance(footage.after(pursuit.time_ns), budget, max_views)
            if pursuit.time_ns == now_ns:
                del self._pursuits[track_id]
                event = self._settle(track_id, pursuit, frame)
                if event is not None:
                    events.append(event)
        return events

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
        if self._can_be_found(track):
            return self._inquiries.ask(subject_of(track.id), Task.FIND, clip, text=track.phrase)
        start = self._question_start(track, clip)
        if start is None:
            return None
        index, box = start
        return self._inquiries.ask(subject_of(track.id), Task.FOLLOW, clip[index:], box_xyxy=box)

    def _is_urgent(self, track_id: int) -> bool:
        """There is an open question about it, or an objection that waits for a second one."""
        return self._inquiries.is_open(subject_of(track_id)) or self._trust[track_id].is_objecting

    def _can_be_found(self, track: Track) -> bool:
        """By its phrase, and the model's word would count."""
        return _is_lost_with_phrase(track) and self._trust[track.id].is_earned

    @staticmethod
    def _question_start(track: Track, clip: tuple[Frame, ...]) -> tuple[int, Boxes] | None:
        """The first frame of the clip, but the last, in which the target was seen, and its box there."""
        belief = track.history.at(frame.stamp_ns for frame in clip[:-1])
        if not belief.is_seen.any():
            return None
        index = int(np.flatnonzero(belief.is_seen)[0])
        try:
            return index, check_box(belief.boxes_xyxy[index], clip[index].width, clip[index].height)
        except RegionError:
            return None

    def _consider(self, track: Track, frame: Frame, box_xyxy: Boxes, score: float, likeness: float) -> None:
        """Send a box of the past on its way to now, if it may be the target."""
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
        self._pursuits[track.id] = self._manager.pursue(view, box, frame.stamp_ns, score=score, was_lost=is_lost)

    def _settle(self, track_id: int, pursuit: Pursuit, frame: Frame) -> TrackEvent | None:
        """A box has come to now: it agrees with the tracker's after all, replaces it, or has lost its way."""
        track, estimate = self._manager.track(track_id), pursuit.estimate
        if estimate.score < track.needed_score(self.config):
            return None
        if track.is_seen and iou(track.box_xyxy, estimate.box_xyxy) >= CONFIRMATION_IOU:
            track.confirm(pursuit.start_ns)
            return None
        if track.is_seen and pursuit.was_lost:
            return None  # found elsewhere in the meantime; the next question will tell who was right
        return self._manager.correct(track_id, pursuit, frame)


def _is_lost_with_phrase(track: Track) -> bool:
    return track.state is TrackState.LOST and bool(track.phrase)


def _claim(reply: ModelReply) -> Claim:
    """What a reply says of its target; absence is no box in any frame."""
    times = np.array(reply.stamps_ns, np.int64)
    boxes = reply.boxes_xyxy
    if boxes is None or reply.status is Status.ABSENT:
        boxes = np.full((len(times), 4), np.nan)
    return Claim(boxes, times, reply.score)

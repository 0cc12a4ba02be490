"""All tracks of one camera."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from vitron_ros.boxes import Boxes
from vitron_ros.config import LifeCycle
from vitron_ros.frame import Frame
from vitron_ros.masks import CroppedMask
from vitron_ros.tracking.box_tracker import AppearanceTracker, BoxTracker, MaskTracker, View
from vitron_ros.tracking.catch_up import CatchUp
from vitron_ros.tracking.parallel import step_all
from vitron_ros.tracking.track import EventKind, Reason, Track, TrackEvent, TrackSnapshot, TrackState

EVENT_REASON = {EventKind.LOST: Reason.NOT_SEEN, EventKind.REACQUIRED: Reason.NONE}
EVENT_TEXT = {
    EventKind.LOST: "the target is no longer seen; it is looked for in every image",
    EventKind.REACQUIRED: "the target is seen again",
}
FOUND_BY_MODEL = "the model found the target again"


@dataclass(slots=True)
class _Target:
    track: Track
    tracker: BoxTracker

    def mask(self) -> CroppedMask | None:
        """None where the target is not seen, or its tracker makes no masks."""
        track, tracker = self.track, self.tracker
        return tracker.mask(track.box_xyxy) if track.is_seen and isinstance(tracker, MaskTracker) else None


class TrackManager:
    """Steps every target's own tracker, so that adding or ending one never disturbs another.

    Args:
        make_tracker: makes a fresh box tracker for each target.
        ids: where track ids come from; shared by all cameras of a node, so that an id is never used twice.

    Not thread-safe: one worker owns a manager.
    """

    def __init__(self, make_tracker: Callable[[], BoxTracker], ids: Iterator[int]) -> None:
        self._steps = 0
        self._make_tracker = make_tracker
        self._ids = ids
        self._targets: dict[int, _Target] = {}
        self._ended: list[TrackSnapshot] = []

    def __len__(self) -> int:
        return len(self._targets)

    def start(
        self,
        view: View,
        box_xyxy: Boxes,
        now_ns: int,
        life: LifeCycle,
        *,
        phrase: str = "",
        min_score: float | None = None,
        later: Iterable[View] = (),
    ) -> tuple[int, TrackEvent]:
        """A new target at a box (4,) px inside the view's frame: its id and the event.

        Args:
            later: views after that one, oldest first, through which the box is carried before anybody sees it.
        """
        tracker = self._make_tracker()
        tracker.start(view, box_xyxy)
        track = Track(
            next(self._ids),
            box_xyxy,
            view.frame.stamp_ns or now_ns,
            phrase=phrase,
            min_score=min_score,
            grounded_ns=view.frame.stamp_ns,
        )
        for later_view in later:
            track.update(tracker.step(later_view), later_view.frame.stamp_ns or now_ns, life)
        self._targets[track.id] = _Target(track, tracker)
        event = self._event(track, view.frame, EventKind.STARTED, Reason.REQUESTED, "the target is followed")
        return track.id, event

    def start_catch_up(
        self, view: View, box_xyxy: Boxes, time_ns: int, *, score: float, was_lost: bool = False
    ) -> CatchUp:
        """A box (4,) px inside the view's frame of the past, to be carried to now and then adopted."""
        return CatchUp(self._make_tracker(), view, box_xyxy, time_ns, score=score, was_lost=was_lost)

    def adopt(
        self, catch_up: CatchUp, frame: Frame, life: LifeCycle, *, phrase: str, min_score: float | None
    ) -> tuple[int, list[TrackEvent]]:
        """A new target out of a catch-up that has come to this frame, perhaps lost by now: its id and the events."""
        (time_ns, first), *later = catch_up.path
        track = Track(next(self._ids), first.box_xyxy, time_ns, phrase=phrase, min_score=min_score, grounded_ns=time_ns)
        for time_ns, estimate in later:
            track.update(estimate, time_ns, life)
        self._targets[track.id] = _Target(track, catch_up.tracker)
        events = [self._event(track, frame, EventKind.STARTED, Reason.REQUESTED, "the model found the target")]
        if track.state is TrackState.LOST:
            lost = EventKind.LOST
            events.append(self._event(track, frame, lost, EVENT_REASON[lost], EVENT_TEXT[lost]))
        return track.id, events

    def correct(self, track_id: int, catch_up: CatchUp, frame: Frame, life: LifeCycle) -> TrackEvent | None:
        """Replace the target's tracker by a catch-up that has come to this frame; the event, if any."""
        target = self._targets[track_id]
        kind = target.track.correct(catch_up.path, catch_up.start_ns, life)
        target.tracker = catch_up.tracker
        return None if kind is None else self._event(target.track, frame, kind, EVENT_REASON[kind], FOUND_BY_MODEL)

    def track(self, track_id: int) -> Track:
        """A target that has not ended."""
        return self._targets[track_id].track

    def tracks(self) -> list[Track]:
        """Every target that has not ended, ordered by id."""
        return [target.track for _, target in sorted(self._targets.items())]

    def likeness(self, track_id: int, view: View, box_xyxy: Boxes) -> float | None:
        """How much a box (4,) px of a frame looks like the target; None: its tracker does not compare."""
        tracker = self._targets[track_id].tracker
        return tracker.likeness(view, box_xyxy) if isinstance(tracker, AppearanceTracker) else None

    def reject(self, track_id: int) -> bool:
        """Make a target's tracker look elsewhere; False: it cannot."""
        tracker = self._targets[track_id].tracker
        if not isinstance(tracker, AppearanceTracker):
            return False
        tracker.reject()
        return True

    def step(self, view: View, now_ns: int, life: LifeCycle, *, redetects_sparingly: bool = False) -> list[TrackEvent]:
        """Carry every target into the next frame.

        Args:
            redetects_sparingly: lost targets are looked for in every second image, in turn.
        """
        events = []
        to_redetect = self._next_to_redetect(redetects_sparingly)
        stepped = [
            target
            for target in self._targets.values()
            if target is to_redetect or target.track.state is not TrackState.LOST
        ]
        steps = [(target.tracker, target is to_redetect or target.track.is_seen) for target in stepped]
        for target, estimate in zip(stepped, step_all(steps, view), strict=True):
            kind = target.track.update(estimate, now_ns, life)
            if kind is not None:
                events.append(self._event(target.track, view.frame, kind, EVENT_REASON[kind], EVENT_TEXT[kind]))
        return events

    def _next_to_redetect(self, redetects_sparingly: bool) -> _Target | None:
        """The target whose turn it is to be looked for, of those that are not seen."""
        hidden = [target for target in self._targets.values() if not target.track.is_seen]
        turn, is_left_out = divmod(self._steps, 2) if redetects_sparingly else (self._steps, 0)
        self._steps += 1
        return hidden[turn % len(hidden)] if hidden and not is_left_out else None

    def end(self, track_id: int, frame: Frame, now_ns: int, reason: Reason, text: str) -> TrackEvent:
        """Forget a target for good; the next report holds it once more, as ended."""
        track = self._targets.pop(track_id).track
        track.state = TrackState.ENDED
        self._ended.append(track.snapshot(now_ns))
        return self._event(track, frame, EventKind.ENDED, reason, text)

    def report(self, now_ns: int, *, with_masks: bool = False) -> tuple[TrackSnapshot, ...]:
        """Every target as it is now and those ended since the last report, ordered by id."""
        alive = [
            target.track.snapshot(now_ns, target.mask() if with_masks else None) for target in self._targets.values()
        ]
        ended, self._ended = self._ended, []
        return tuple(sorted(alive + ended, key=lambda snapshot: snapshot.id))

    @staticmethod
    def _event(track: Track, frame: Frame, kind: EventKind, reason: Reason, text: str) -> TrackEvent:
        return TrackEvent(
            kind=kind,
            reason=reason,
            text=text,
            stamp_ns=frame.stamp_ns,
            camera=frame.camera,
            frame_id=frame.frame_id,
            track_id=track.id,
            phrase=track.phrase,
        )

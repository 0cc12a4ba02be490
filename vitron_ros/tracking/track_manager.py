"""All tracks of one camera."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from vitron_ros.boxes import Boxes
from vitron_ros.config import LifeCycle
from vitron_ros.frame import Frame
from vitron_ros.tracking.box_tracker import BoxTracker, View
from vitron_ros.tracking.track import EventKind, Reason, Track, TrackEvent, TrackSnapshot, TrackState

EVENT_REASON = {EventKind.LOST: Reason.NOT_SEEN, EventKind.REACQUIRED: Reason.NONE}
EVENT_TEXT = {
    EventKind.LOST: "the target is no longer seen; it is looked for in every image",
    EventKind.REACQUIRED: "the target is seen again",
}


@dataclass(slots=True)
class _Target:
    track: Track
    tracker: BoxTracker


class TrackManager:
    """Steps every target's own tracker, so that adding or ending one never disturbs another.

    Args:
        make_tracker: makes a fresh box tracker for each target.
        ids: where track ids come from; shared by all cameras of a node, so that an id is never used twice.

    Not thread-safe: one worker owns a manager.
    """

    def __init__(self, life: LifeCycle, make_tracker: Callable[[], BoxTracker], ids: Iterator[int]) -> None:
        self.life = life
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
            track.update(tracker.step(later_view), later_view.frame.stamp_ns or now_ns, self.life)
        self._targets[track.id] = _Target(track, tracker)
        event = self._event(track, view.frame, EventKind.STARTED, Reason.REQUESTED, "the target is followed")
        return track.id, event

    def step(self, view: View, now_ns: int) -> list[TrackEvent]:
        """Carry every target into the next frame."""
        events = []
        for target in self._targets.values():
            kind = target.track.update(target.tracker.step(view), now_ns, self.life)
            if kind is not None:
                events.append(self._event(target.track, view.frame, kind, EVENT_REASON[kind], EVENT_TEXT[kind]))
        return events

    def end(self, track_id: int, frame: Frame, now_ns: int, reason: Reason, text: str) -> TrackEvent:
        """Forget a target for good; the next report holds it once more, as ended."""
        track = self._targets.pop(track_id).track
        track.state = TrackState.ENDED
        self._ended.append(track.snapshot(now_ns))
        return self._event(track, frame, EventKind.ENDED, reason, text)

    def report(self, now_ns: int) -> tuple[TrackSnapshot, ...]:
        """Every target as it is now and those ended since the last report, ordered by id."""
        alive = [target.track.snapshot(now_ns) for target in self._targets.values()]
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

"""One track: its states, what moves it from one to the next, and what it reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, center
from vitron_ros.clock import SECOND_NS
from vitron_ros.config import LifeCycle
from vitron_ros.masks import CroppedMask
from vitron_ros.tracking.box_history import BoxHistory, Entry
from vitron_ros.tracking.box_tracker import BoxEstimate

CONFIDENCE_KEPT = 0.4  # share of its confidence that a target keeps when the model says that it is not there
MIN_CONFIDENCE = 0.15
MAX_SHIFT = 0.3  # of its size, that an edge of the tracker's box is moved at most to be where the model draws it
MIN_GAIN = 0.15
CONFIDENCE_TIME = 5.0  # s over which it recovers


class TrackState(IntEnum):
    """The values of vitron_msgs/Track.state."""

    TENTATIVE = 0
    TRACKED = 1
    PREDICTED = 2
    LOST = 3
    ENDED = 4


class EventKind(IntEnum):
    """The values of vitron_msgs/TrackEvent.event."""

    STARTED = 0
    LOST = 1
    REACQUIRED = 2
    ENDED = 3
    REJECTED = 4


class Reason(IntEnum):
    """The values of vitron_msgs/TrackEvent.reason."""

    NONE = 0
    REQUESTED = 1
    NOT_SEEN = 2
    LOST_TIMEOUT = 3
    TIME_JUMP = 4
    IMAGE_CHANGED = 5
    SHUTDOWN = 6
    BAD_REGION = 7
    MODEL_ERROR = 8
    OUT_OF_VIEW = 9
    NOT_UNDERSTOOD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackEvent:
    """Something happened to a target, or to a goal to track one. Fields as in vitron_msgs/TrackEvent."""

    kind: EventKind
    reason: Reason
    text: str
    stamp_ns: int
    camera: str = ""
    frame_id: str = ""
    track_id: int = 0
    phrase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackSnapshot:
    """A track in one image, safe to hand to another thread. Fields as in vitron_msgs/Track.

    mask: inside the box, of a target that is seen; None: there is none, or masks are not published.
    """

    id: int
    phrase: str
    label: str
    state: TrackState
    box_xyxy: Boxes  # (4,) px
    score: float
    velocity: NDArray[np.float64]  # (2,) px/s
    grounded_ns: int
    age_ns: int
    mask: CroppedMask | None = None

    @property
    def is_seen(self) -> bool:
        return self.state in (TrackState.TENTATIVE, TrackState.TRACKED)


class Track:
    """The life of one target: tentative, tracked, predicted, lost, found again, ended.

    A frame in which the score reaches `min_score` is one in which the target is seen. A lost target must
    reach `reacquire_score` to count as found, since a search over the whole image meets more look-alikes.
    Once lost, the box stays where it was last predicted until the target is found.

    Attributes:
        history: its box in each of the last images, as corrected since.
    """

    def __init__(
        self,
        track_id: int,
        box_xyxy: Boxes,
        now_ns: int,
        *,
        phrase: str = "",
        label: str = "",
        min_score: float | None = None,
        grounded_ns: int = 0,
    ) -> None:
        self.id = track_id
        self.phrase = phrase
        self.label = label
        self.state = TrackState.TENTATIVE
        self.box_xyxy = box_xyxy
        self.score = 1.0
        self.grounded_ns = grounded_ns
        self.started_ns = now_ns
        self.seen_ns = now_ns
        self._min_score = min_score
        self._seen_box = box_xyxy
        self._velocity = np.zeros(2)
        self._frames_seen = 1
        self._confidence_lost = 0.0
        self._lowered_ns = now_ns
        self._shift = np.zeros(4)
        self._refinements = 1
        self.history = BoxHistory()
        self.history.put(Entry(now_ns, box_xyxy, 1.0, True))

    def update(self, estimate: BoxEstimate, now_ns: int, life: LifeCycle) -> EventKind | None:
        """Take the tracker's estimate for this frame; the event that it caused, if any."""
        event = self._take(estimate, now_ns, life)
        self.history.put(Entry(now_ns, self.box_xyxy, self.score, self.is_seen))
        return event

    def confirm(self, stamp_ns: int) -> None:
        """The model, too, saw the target in the image of that stamp where the track had it."""
        self.grounded_ns = max(self.grounded_ns, stamp_ns)
        self._confidence_lost = 0.0

    def lower_confidence(self, now_ns: int) -> None:
        """The model says that the target is not there. The score counts for less from now on; that fades."""
        self._confidence_lost = min(1 - CONFIDENCE_KEPT * self.confidence(now_ns), 1 - MIN_CONFIDENCE)
        self._lowered_ns = now_ns

    def refine(self, shift: Boxes) -> None:
        """Move the edges (4,) of the box by these shares of its sides towards the model's box, a little each time.

        The mean of many boxes of the model is worth more than the one that the tracker was started with.
        """
        self._refinements += 1
        gain = max(1 / self._refinements, MIN_GAIN)
        self._shift = np.clip(self._shift + gain * shift, -MAX_SHIFT, MAX_SHIFT)

    def confidence(self, now_ns: int) -> float:
        """What the tracker's score is multiplied with, in [MIN_CONFIDENCE, 1]."""
        elapsed_ns = max(now_ns - self._lowered_ns, 0)
        return float(1 - self._confidence_lost * np.exp(-elapsed_ns / (CONFIDENCE_TIME * SECOND_NS)))

    def correct(self, path: Sequence[tuple[int, BoxEstimate]], stamp_ns: int, life: LifeCycle) -> EventKind | None:
        """Replace the whole history; the event that it caused.

        How long that had been wrong is not known.

        Args:
            path: time and estimate in each image from the one that the model spoke of to the newest.
            stamp_ns: of the image that the model spoke of.
        """
        was_lost = self.state is TrackState.LOST
        (time_ns, first), *later = path
        self.confirm(stamp_ns)
        self._shift, self._refinements = np.zeros(4), 1
        self.score = first.score
        self._velocity = np.zeros(2)
        self._seen_box, self.seen_ns = first.box_xyxy, time_ns
        self._see(first.box_xyxy, time_ns, life, was_lost=False)
        self.history = BoxHistory()
        self.history.put(Entry(time_ns, self.box_xyxy, self.score, True))
        for time_ns, estimate in later:
            self.update(estimate, time_ns, life)
        return EventKind.REACQUIRED if was_lost and self.is_seen else None

    @property
    def is_seen(self) -> bool:
        return self.state in (TrackState.TENTATIVE, TrackState.TRACKED)

    def needed_score(self, life: LifeCycle) -> float:
        """From which the target counts as seen in the state that it is in."""
        min_score = life.min_score if self._min_score is None else self._min_score
        return max(min_score, life.reacquire_score) if self.state is TrackState.LOST else min_score

    def _take(self, estimate: BoxEstimate, now_ns: int, life: LifeCycle) -> EventKind | None:
        was_lost = self.state is TrackState.LOST
        self.score = estimate.score * self.confidence(now_ns)
        box = self._refined(estimate.box_xyxy)
        if self.score >= self.needed_score(life):
            self._see(box, now_ns, life, was_lost=was_lost)
            return EventKind.REACQUIRED if was_lost else None
        if was_lost:
            return None
        self.box_xyxy = box
        is_first_miss = (
            self.is_seen and life.predict_time > 0
        )  # of a slow camera, the next image may be later than that
        if is_first_miss or now_ns - self.seen_ns <= life.predict_time * SECOND_NS:
            self.state = TrackState.PREDICTED
            return None
        self.state = TrackState.LOST
        self._velocity = np.zeros(2)
        return EventKind.LOST

    def _refined(self, box_xyxy: Boxes) -> Boxes:
        return box_xyxy + self._shift * np.tile(box_xyxy[2:] - box_xyxy[:2], 2) if self._shift.any() else box_xyxy

    def snapshot(self, now_ns: int, mask: CroppedMask | None = None) -> TrackSnapshot:
        return TrackSnapshot(
            id=self.id,
            phrase=self.phrase,
            label=self.label,
            state=self.state,
            box_xyxy=self.box_xyxy,
            score=self.score,
            velocity=self._velocity,
            grounded_ns=self.grounded_ns,
            age_ns=now_ns - self.started_ns,
            mask=mask,
        )

    def _see(self, box_xyxy: Boxes, now_ns: int, life: LifeCycle, *, was_lost: bool) -> None:
        elapsed_s = (now_ns - self.seen_ns) / SECOND_NS
        if not was_lost and elapsed_s > 0:
            velocity = (center(box_xyxy) - center(self._seen_box)) / elapsed_s
            blend = 1 - np.exp(-elapsed_s / life.velocity_time)
            self._velocity = self._velocity + blend * (velocity - self._velocity)
        self.box_xyxy = self._seen_box = box_xyxy
        self.seen_ns = now_ns
        self._frames_seen += 1
        self.state = TrackState.TRACKED if self._frames_seen >= life.confirm_frames else TrackState.TENTATIVE

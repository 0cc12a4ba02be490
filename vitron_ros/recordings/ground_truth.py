"""What is true in the images of a recording: the boxes of objects, as vitron_msgs/TrackArray."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ImageError, SourceError
from vitron_ros.recordings.bags import Bag, stamp_of
from vitron_ros.tracking.track import TrackSnapshot, TrackState

GROUND_TRUTH_TOPIC, TRACK_ARRAY = "/ground_truth", "vitron_msgs/msg/TrackArray"
GROUND_TRUTH_3D_TOPIC, TRACK_3D_ARRAY = "/ground_truth_3d", "vitron_msgs/msg/Track3DArray"


@dataclass(frozen=True, slots=True, eq=False)
class TrueBox:
    """Where one object really is in one image.

    Attributes:
        box_xyxy: (4,) px, of the whole object, hidden parts included, clipped to the image.
        visibility: share of the whole object that can be seen, in [0, 1].
    """

    id: int
    label: str
    box_xyxy: Boxes
    visibility: float

    def as_track(self, now_ns: int, age_ns: int = 0) -> TrackSnapshot:
        """The track that `read_ground_truth` reads as this box: its score is the visibility."""
        return TrackSnapshot(
            id=self.id,
            phrase="",
            label=self.label,
            state=TrackState.TRACKED if self.visibility > 0 else TrackState.LOST,
            box_xyxy=self.box_xyxy,
            score=self.visibility,
            velocity=np.zeros(2),
            grounded_ns=now_ns,
            age_ns=age_ns,
        )


def read_ground_truth(path: Path, topic: str = GROUND_TRUTH_TOPIC) -> dict[int, tuple[TrueBox, ...]]:
    """The true boxes of each image by its stamp in ns. Recorded as vitron_msgs/TrackArray, `score` is the visibility.

    Of an object whose state says that it is not seen nothing is in sight.

    Raises:
        SourceError: no bag, no such topic, it breaks off, a stamp is not a valid time or occurs twice, or as
            `check_boxes`.
    """
    bag = Bag(path)
    found = bag.topics.get(topic)
    if found is None or found.type != TRACK_ARRAY:
        raise SourceError(f"{path} has no true boxes: there is no topic {topic} of type {TRACK_ARRAY}")
    truth = {stamp_ns: tuple(map(_true_box, value.tracks)) for stamp_ns, value in truth_messages(bag, topic)}
    for stamp_ns, boxes in truth.items():
        check_boxes(boxes, f"{path}: {topic}", f"at {stamp_ns / SECOND_NS:.9f} s")
    return truth


def truth_messages(bag: Bag, topic: str) -> Iterator[tuple[int, Any]]:
    """Every message of a topic with true boxes, after its stamp in ns.

    Raises:
        SourceError: a stamp is not a valid time or occurs twice, or the bag breaks off.
    """
    stamps_ns = set()
    for message in bag.messages([topic]):
        try:
            stamp_ns = stamp_of(message.value.header)
        except ImageError as error:
            raise SourceError(f"{bag.path}: true boxes on {topic} cannot be used: {error}") from error
        if stamp_ns in stamps_ns:
            raise SourceError(f"{bag.path}: {topic} has two messages of {stamp_ns / SECOND_NS:.9f} s; which is true?")
        stamps_ns.add(stamp_ns)
        yield stamp_ns, message.value


def check_boxes(boxes: Sequence[TrueBox], where: str, image: str) -> None:
    """Refuse invalid true boxes of one image.

    Args:
        where, image: what holds them and which image it is, for the error: "bags/a: /ground_truth", "in image 3".

    Raises:
        SourceError: one is not finite or has no area, a visibility is no share, or an id is there twice.
    """
    for box in boxes:
        if problem := _problem(box):
            raise SourceError(f"{where}: object {box.id} {image} {problem}")
    twice = [number for number, times in Counter(box.id for box in boxes).items() if times > 1]
    if twice:
        raise SourceError(f"{where}: object {twice[0]} is twice {image}; give every object its own id")


def _true_box(track: Any) -> TrueBox:
    visibility = float(track.score) if track.state in (TrackState.TENTATIVE, TrackState.TRACKED) else 0.0
    return TrueBox(int(track.id), track.label, np.asarray(track.box, np.float64), visibility)


def _problem(box: TrueBox) -> str:
    if not np.isfinite(box.box_xyxy).all():
        return f"is {box.box_xyxy.tolist()}, which is not a box; leave out what is not there"
    if not (box.box_xyxy[2:] > box.box_xyxy[:2]).all():
        return f"has no area: {box.box_xyxy.tolist()}; leave out what is not there"
    if not 0 <= box.visibility <= 1:
        return f"has the visibility {box.visibility}; it is a share from 0 to 1"
    return ""

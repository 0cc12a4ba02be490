"""Why a video or a phrase is dropped. Pure functions; thresholds are in `Settings`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.elysium_track.detections import Detections
from training.elysium_track.noun_phrases import NounPhrase
from training.elysium_track.settings import Settings
from training.elysium_track.trajectories import Trajectory, largest_innovation
from vitron_ros.boxes import Boxes, iou

VideoFault = Literal["broken", "no caption", "too short", "cut", "no usable phrase"]
PhraseFault = Literal[
    "abstract", "plural", "not detected", "ambiguous", "size", "track score", "drift", "disagreement", "not reversible",
    "duplicate phrase", "duplicate video",
]  # fmt: skip
VIDEO_FAULTS: dict[VideoFault, str] = {
    "broken": "cannot be read to its end",
    "no caption": "has no caption",
    "too short": "has too few frames",
    "cut": "is cut: one frame to the next is another scene",
    "no usable phrase": "its caption names no single thing that can be seen",
}
PHRASE_FAULTS: dict[PhraseFault, str] = {
    "abstract": "a word for what cannot be boxed",
    "plural": "more than one thing is meant",
    "not detected": "no detection in the first, middle or last frame that is sure enough",
    "ambiguous": "more than one detection in the first frame",
    "size": "a box too small, or nearly the whole image",
    "track score": "the tracker is unsure in a frame",
    "drift": "the track leaps",
    "disagreement": "track and detection are apart in the middle or last frame",
    "not reversible": "the track from the last detection backwards is another one",
    "duplicate phrase": "another phrase with the same noun is for the same track",
    "duplicate video": "another video shows the same",
}
"""Every reason to drop a phrase, in the order of the filters, for a person."""


def detection_fault(found: Detections, width: int, height: int, settings: Settings) -> PhraseFault | None:
    """What is wrong with the detections of a phrase in the key frames."""
    if not (found.scores >= settings.min_detection).all() or np.isnan(found.boxes_xyxy).any():
        return "not detected"
    if found.rival_scores[0] >= settings.min_detection:
        return "ambiguous"
    return "size" if has_odd_size(found.boxes_xyxy, width, height, settings) else None


def track_fault(forwards: Trajectory, found: Detections, keys: Sequence[int], settings: Settings) -> PhraseFault | None:
    """What is wrong with a track from the first detection on, seen by itself and beside the other detections."""
    if forwards.scores.min() < settings.min_track_score:
        return "track score"
    if largest_innovation(forwards.boxes_xyxy) > settings.max_drift:
        return "drift"
    agreement = iou(forwards.boxes_xyxy[list(keys[1:])], found.boxes_xyxy[1:])
    return "disagreement" if agreement.min() < settings.min_agreement else None


def is_reversible(forwards: Trajectory, backwards: Trajectory, settings: Settings) -> bool:
    return mean_iou(forwards.boxes_xyxy, backwards.boxes_xyxy) >= settings.min_reverse_iou


def has_odd_size(boxes_xyxy: Boxes, width: int, height: int, settings: Settings) -> bool:
    """Whether one of the boxes (..., 4) px is too small, or nearly the whole image."""
    sizes = boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]
    is_small = sizes.min(axis=-1) < settings.min_side * min(width, height)
    return bool((is_small | (sizes.prod(axis=-1) > settings.max_area * width * height)).any())


def mean_iou(boxes_xyxy: Boxes, others_xyxy: Boxes) -> float:
    """Of two tracks, (T, 4) px each."""
    return float(iou(boxes_xyxy, others_xyxy).mean())


@dataclass(frozen=True, slots=True, eq=False)
class NamedTrack:
    """A phrase and the track of what it names."""

    phrase: NounPhrase
    boxes_xyxy: Boxes


def duplicates(tracks: Sequence[NamedTrack], settings: Settings) -> set[int]:
    """Places of tracks to which another with the same head noun is equal; the longest phrase is kept, or the first."""
    order = sorted(range(len(tracks)), key=lambda place: (-len(tracks[place].phrase.text.split()), place))
    kept: list[int] = []
    for place in order:
        one = tracks[place]
        if not any(
            one.phrase.head == other.phrase.head and mean_iou(one.boxes_xyxy, other.boxes_xyxy) >= settings.same_iou
            for other in (tracks[number] for number in kept)
        ):
            kept.append(place)
    return set(range(len(tracks))) - set(kept)

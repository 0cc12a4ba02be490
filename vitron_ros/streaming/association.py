"""Whose is a box that the model has found, where several targets are about?"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vitron_ros.boxes import Boxes, area, center, iou
from vitron_ros.clock import SECOND_NS
from vitron_ros.streaming.fusion_decision import AGREEMENT_IOU
from vitron_ros.tracking.track import Track


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A box (4,) px of the image of that time."""

    box_xyxy: Boxes
    time_ns: int


def is_taken(detection: Detection, track: Track, others: Sequence[Track]) -> bool:
    """Whether another target is at that place, one that this target did not share its place with when last seen.

    Two goals may follow one object under two ids; then both are there, before and after.
    """
    last = track.history.last_seen()
    for other in others:
        if other is track:
            continue
        track_history = other.history.at([detection.time_ns, 0 if last is None else last.time_ns])
        is_there = track_history.is_seen[0] and iou(track_history.boxes_xyxy[0], detection.box_xyxy) >= AGREEMENT_IOU
        was_same = last is not None and iou(np.nan_to_num(track_history.boxes_xyxy[1]), last.box_xyxy) >= AGREEMENT_IOU
        if is_there and not was_same:
            return True
    return False


def assign(boxes_xyxy: Boxes, time_ns: int, tracks: Sequence[Track]) -> dict[int, int]:
    """Which of the boxes (N, 4) px of the image of that time is which target's, by track id.

    The targets that are seen in their places come first, the largest IoU before others; then those that are lost; then
    those that are seen elsewhere. A target without a place gets the box that needs the least speed; is it within reach?
    """
    owners: dict[int, int] = {}

    def give(ranked: Sequence[tuple[float, int, int]]) -> None:
        for _, track_id, index in sorted(ranked):
            if track_id not in owners and index not in owners.values():
                owners[track_id] = index

    places = {track.id: track.history.at([time_ns]) for track in tracks}
    seen = {track_id: place.boxes_xyxy[0] for track_id, place in places.items() if place.is_seen[0]}
    overlaps = [
        (float(iou(box, boxes_xyxy[index])), track_id, index)
        for (track_id, box), index in itertools.product(seen.items(), range(len(boxes_xyxy)))
    ]
    give([(-overlap, track_id, index) for overlap, track_id, index in overlaps if overlap >= AGREEMENT_IOU])
    for is_seen in (False, True):
        give(
            [
                (_speed(Detection(boxes_xyxy[index], time_ns), track), track.id, index)
                for track, index in itertools.product(tracks, range(len(boxes_xyxy)))
                if (track.id in seen) is is_seen
            ]
        )
    return owners


def nearest(detection: Detection, lost: Sequence[Track]) -> Track:
    """Which of the lost targets of one phrase needed the least speed to get there, in their sizes a second."""
    return min(lost, key=lambda track: (_speed(detection, track), track.id))


def _speed(detection: Detection, track: Track) -> float:
    last = track.history.last_seen()
    if last is None:
        return float("inf")
    elapsed_s = max((detection.time_ns - last.time_ns) / SECOND_NS, 0.1)
    size = max(float(np.sqrt(area(last.box_xyxy))), 1.0)
    return float(np.linalg.norm(center(detection.box_xyxy) - center(last.box_xyxy))) / size / elapsed_s

"""Whose is a box that the model has found, where several targets are about?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vitron_ros.boxes import Boxes, area, center, iou, iou_matrix
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
    tracks = sorted(tracks, key=lambda track: track.id)
    places = [track.history.at([time_ns]) for track in tracks]
    seen = [(track, place.boxes_xyxy[0]) for track, place in zip(tracks, places, strict=True) if place.is_seen[0]]
    in_place = [track for track, _ in seen]
    elsewhere = [track for track in tracks if track not in in_place]
    owners: dict[int, int] = {}

    def give(group: Sequence[Track], costs: Boxes, most: float) -> None:
        """The cheapest pairs first; costs: (targets, N)."""
        for place in np.argsort(costs, axis=None, kind="stable"):
            row, index = divmod(int(place), costs.shape[1])
            if costs[row, index] > most:
                break
            if group[row].id not in owners and index not in owners.values():
                owners[group[row].id] = index

    give(in_place, -iou_matrix(np.reshape([box for _, box in seen], (-1, 4)), boxes_xyxy), -AGREEMENT_IOU)
    for group in (elsewhere, in_place):
        give(group, _speeds(boxes_xyxy, time_ns, group), np.inf)
    return owners


def nearest(detection: Detection, lost: Sequence[Track]) -> Track:
    """Which of the lost targets of one phrase needed the least speed to get there, in their sizes a second."""
    ordered = sorted(lost, key=lambda track: track.id)
    return ordered[int(np.argmin(_speeds(detection.box_xyxy[None], detection.time_ns, ordered)))]


def _speeds(boxes_xyxy: Boxes, time_ns: int, tracks: Sequence[Track]) -> Boxes:
    """What each target needs to get from where it was last seen to each box (N, 4) px: (targets, N), in its sizes a
    second; infinite where that is not known."""
    speeds = np.full((len(tracks), len(boxes_xyxy)), np.inf)
    for row, last in enumerate(track.history.last_seen() for track in tracks):
        if last is not None:
            elapsed_s = max((time_ns - last.time_ns) / SECOND_NS, 0.1)
            size = max(float(np.sqrt(area(last.box_xyxy))), 1.0)
            distances = np.linalg.norm(center(boxes_xyxy) - center(last.box_xyxy), axis=-1)
            speeds[row] = distances / size / elapsed_s
    return speeds

"""What goals over a recording leave on the disk, for `vitron eval report` and `compare`: a row a goal."""

from collections.abc import Iterable, Sequence

import numpy as np

from vitron_ros.boxes import iou_matrix, ltwh_from_xyxy
from vitron_ros.evaluation.bags.goal_runs import GoalRun
from vitron_ros.evaluation.case_pictures import case_picture
from vitron_ros.evaluation.predictions import Row
from vitron_ros.frame import Frame
from vitron_ros.recordings.ground_truth import TrueBox
from vitron_ros.tracking.track import TrackSnapshot

DECIMALS = 4  # of pixels


def goal_rows(goals: Sequence[GoalRun], frames: Iterable[Frame]) -> list[Row]:
    """A row for each goal: `truth` and `tracks`, of each labelled image the boxes of its objects and of its tracks.

    A box is id, x, y, w, h in px. `is_single`: it means one object, and had no more than one track at a time. `picture`
    shows the image with the lowest IoU of an object in sight, of those in which there is a track.

    Args:
        frames: of the recording once more, for the pictures.
    """
    worst = {goal.number: _worst(goal) for goal in goals}
    wanted = {int(goal.images[position]) for goal in goals if (position := worst[goal.number][0]) >= 0}
    images = {frame.index: frame for frame in frames if frame.index in wanted}
    return [_row(goal, *worst[goal.number], images) for goal in goals]


def boxes_json(boxes: Sequence[TrueBox] | Sequence[TrackSnapshot]) -> list[list[float]]:
    """Each as id, x, y, w, h, px."""
    return [[box.id, *ltwh_from_xyxy(box.box_xyxy).round(DECIMALS).tolist()] for box in boxes]


def _row(goal: GoalRun, worst: int, overlap: float, images: dict[int, Frame]) -> Row:
    row: Row = {
        "name": goal.name,
        "targets": list(goal.targets),
        "is_single": goal.is_single,
        "outcome": goal.result.outcome.name,
        "message": goal.result.message,
        "stamps_ns": goal.stamps_ns[goal.labelled].tolist(),
        "truth": [boxes_json(goal.visible(position)) for position in goal.labelled],
        "tracks": [boxes_json(goal.shown(position)) for position in goal.labelled],
    }
    if worst >= 0:
        number = int(goal.images[worst])
        true = np.array([box.box_xyxy for box in goal.visible(worst)])
        tracks = {f"id {track.id}": track.box_xyxy for track in goal.shown(worst)}
        row["picture"] = {
            "jpeg": case_picture(images[number].rgb, {"truth": true, **tracks}),
            "text": f"{goal.name}, image {number}, IoU {overlap:.3f}",
        }
    return row


def _worst(goal: GoalRun) -> tuple[int, float]:
    """Position of the processed image with the lowest IoU of an object in sight, and that; -1: there is none.

    Images with a track come first: before it is found, there is nothing to see but the target.
    """
    overlaps = {
        position: _lowest(goal, position)
        for position in goal.labelled
        if goal.published_ns[position] is not None and goal.visible(position)
    }
    position = min(overlaps, key=lambda one: (not goal.shown(one), overlaps[one]), default=-1)
    return position, overlaps.get(position, 0.0)


def _lowest(goal: GoalRun, position: int) -> float:
    true, tracks = goal.visible(position), goal.shown(position)
    pairs = iou_matrix(
        np.array([box.box_xyxy for box in true]), np.array([track.box_xyxy for track in tracks]).reshape(-1, 4)
    )
    return float(pairs.max(axis=1, initial=0.0).min())

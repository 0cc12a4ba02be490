"""A phrase is looked for twice at once: in the newest images and in a whole clip. What both looks show is seldom wrong.

Shapes: T frames of one request.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vitron_ros.boxes import Boxes, iou
from vitron_ros.grounding.request import ModelReply, ModelRequest, Status

SAME_IOU = 0.5


def looks(request: ModelRequest) -> list[ModelRequest]:
    """What the model is shown of a request: its newest frames and all of them, or all of them alone."""
    if not 0 < request.newest < len(request.frames):
        return [request]
    return [replace(request, frames=request.frames[-request.newest :]), request]


def agreed(replies: Sequence[ModelReply]) -> ModelReply:
    """The reply to a request by those to its looks.

    Two looks that show different things, or of which one shows nothing, are UNSURE; with the boxes of the newest frames
    where these show any, else with those of the clip.
    """
    *newest, whole = replies
    if not newest:
        return whole
    (near,) = newest
    for reply in replies:
        if reply.status not in (Status.OK, Status.ABSENT):
            return replace(reply, stamps_ns=whole.stamps_ns, boxes_xyxy=None)
    boxes = [_boxes(reply) for reply in replies]
    shown = [np.isfinite(box[-1]).all() for box in boxes]
    if not any(shown):
        return whole if whole.status is Status.ABSENT else replace(near, stamps_ns=whole.stamps_ns, boxes_xyxy=None)
    chosen = near if shown[0] else whole
    merged = replace(
        whole,
        status=Status.OK,
        text=chosen.text,
        score=chosen.score,
        boxes_xyxy=_merged(*boxes) if shown[0] else boxes[1],
    )
    if all(shown) and iou(boxes[0][-1], boxes[1][-1]) >= SAME_IOU:
        return merged
    saw = "two looks at it show different things" if all(shown) else "one look of two shows it"
    return replace(merged, status=Status.UNSURE, message=saw)


def _boxes(reply: ModelReply) -> Boxes:
    """(T, 4), NaN where nothing is shown."""
    return np.full((len(reply.stamps_ns), 4), np.nan) if reply.boxes_xyxy is None else reply.boxes_xyxy


def _merged(newest_xyxy: Boxes, whole_xyxy: Boxes) -> Boxes:
    """The boxes (T, 4) of a clip, its newest frames' by the look at these."""
    return np.concatenate([whole_xyxy[: len(whole_xyxy) - len(newest_xyxy)], newest_xyxy])

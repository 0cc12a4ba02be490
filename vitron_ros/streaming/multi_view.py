"""A phrase is looked for twice at once: in the newest images and in a whole clip. What both looks show is seldom wrong,
and what one of them is very sure of.

Shapes: T frames of one request.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vitron_ros.boxes import Boxes, iou
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus

SAME_IOU = 0.5
SURE_SCORE = 0.7  # of the look at the newest images, that needs no second one


def looks(request: ModelRequest) -> list[ModelRequest]:
    """What the model is shown of a request: its newest frames and all of them, or all of them alone."""
    if not 0 < request.newest < len(request.frames):
        return [request]
    return [replace(request, frames=request.frames[-request.newest :]), request]


def agreed(replies: Sequence[ModelReply]) -> ModelReply:
    """The reply to a request by those to its looks.

    Two looks that show different things, or of which one shows nothing, are UNSURE, unless that at the newest frames
    is very sure; with the boxes of the newest frames where these show any, else with those of the clip.
    """
    *newest, whole = replies
    if not newest:
        return whole
    (near,) = newest
    for reply in replies:
        if reply.status not in (ReplyStatus.OK, ReplyStatus.ABSENT):
            return replace(reply, stamps_ns=whole.stamps_ns, boxes_xyxy=None)
    near_boxes, boxes = _boxes(near), _boxes(whole)
    is_near, is_there = (bool(np.isfinite(shown[-1]).all()) for shown in (near_boxes, boxes))
    if not (is_near or is_there):
        return replace(near, stamps_ns=whole.stamps_ns, boxes_xyxy=None)
    if is_near:
        is_same = is_there and iou(near_boxes[-1], boxes[-1]) >= SAME_IOU
        boxes = np.concatenate([boxes[: -len(near_boxes)], near_boxes])
        reply = replace(near, stamps_ns=whole.stamps_ns, boxes_xyxy=boxes, kept=whole.kept)
        if is_same or near.score >= SURE_SCORE:
            return reply
    else:
        reply = whole
    saw = "two looks show different things" if is_near and is_there else "one look of two shows it"
    return replace(reply, status=ReplyStatus.UNSURE, message=saw)


def _boxes(reply: ModelReply) -> Boxes:
    """(T, 4), NaN where nothing is shown."""
    return np.full((len(reply.stamps_ns), 4), np.nan) if reply.boxes_xyxy is None else reply.boxes_xyxy

"""Multi-view agreement: a phrase is grounded in the newest images and in the whole clip at once. A box that both views
show is seldom wrong, nor is one with a very high score in the newest images.

Shapes: T frames of one request.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vitron_ros.boxes import Boxes, iou
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus

SAME_IOU = 0.5
SURE_SCORE = 0.7  # in the newest images; the whole clip need not agree


def views_of(request: ModelRequest) -> list[ModelRequest]:
    """The requests that the model gets for one: its newest frames and all of them, or all of them alone."""
    if not 0 < request.newest < len(request.frames):
        return [request]
    return [replace(request, frames=request.frames[-request.newest :]), request]


def merge_views(replies: Sequence[ModelReply]) -> ModelReply:
    """The reply to a request from those to its views.

    Views that show different objects, or of which one shows nothing, are UNSURE, unless the score in the newest frames
    is very high; with the boxes of the newest frames where these show any, else with those of the clip.
    """
    *first, whole = replies
    if not first:
        return whole
    (newest,) = first
    for reply in replies:
        if reply.status not in (ReplyStatus.OK, ReplyStatus.ABSENT):
            return replace(reply, stamps_ns=whole.stamps_ns, boxes_xyxy=None)
    newest_boxes, boxes = _boxes(newest), _boxes(whole)
    is_newest, is_there = (bool(np.isfinite(shown[-1]).all()) for shown in (newest_boxes, boxes))
    if not (is_newest or is_there):
        return replace(newest, stamps_ns=whole.stamps_ns, boxes_xyxy=None)
    if is_newest:
        shown = [boxes[-1], *whole.candidates_xyxy] if is_there else []
        is_same = any(iou(newest_boxes[-1], box) >= SAME_IOU for box in shown)
        boxes = np.concatenate([boxes[: -len(newest_boxes)], newest_boxes])
        reply = replace(newest, stamps_ns=whole.stamps_ns, boxes_xyxy=boxes, kept=whole.kept)
        if is_same or newest.score >= SURE_SCORE:
            return reply
    else:
        reply = whole
    text = "different objects" if is_newest and is_there else "it in only one of the two"
    return replace(reply, status=ReplyStatus.UNSURE, message=f"the newest image and the clip show {text}")


def _boxes(reply: ModelReply) -> Boxes:
    """(T, 4), NaN where nothing is shown."""
    return np.full((len(reply.stamps_ns), 4), np.nan) if reply.boxes_xyxy is None else reply.boxes_xyxy

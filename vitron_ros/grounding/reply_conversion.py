"""Answers as boxes in pixels and a status. A box that cannot be read is a gap, never a guess."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vitron_ros.boxes import Boxes, xyxy_from_norm
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import IN_WORDS, ModelReply, ReplyStatus, Task
from vitron_ros.model.answers import Box
from vitron_ros.model.decoding import FinishReason
from vitron_ros.model.parsing import TAG, ParsedReply
from vitron_ros.model.parsing import ParseStatus as ParseStatus

OPENING = re.compile(r"<\s?/?\s?[a-z]{0,11}$", re.IGNORECASE)  # a tag that is not written to its end yet


def boxes_of(reply: ParsedReply, frames: Sequence[Frame]) -> Boxes:
    """The boxes (T, 4) px of a track, or of one image; NaN where the reply says "none" or nothing readable."""
    if len(frames) == 1 and not reply.frames:
        found = [reply.boxes[0].box if reply.boxes else None]
    else:
        found = [reply.frames.get(number + 1) for number in range(len(frames))]
    missing = np.full(4, np.nan)
    return np.stack([missing if box is None else pixels(box, frame) for box, frame in zip(found, frames, strict=True)])


def status_of(task: Task, finish: FinishReason, reply: ParsedReply, frames: int) -> ReplyStatus:
    """How a request ended whose answer ended in this way and reads like this."""
    if finish == "cancelled":
        return ReplyStatus.CANCELLED
    if finish == "deadline":
        return ReplyStatus.DEADLINE
    if finish == "failed":
        return ReplyStatus.FAILED
    if reply.is_absent:
        return ReplyStatus.ABSENT
    if task in IN_WORDS:
        return ReplyStatus.UNREADABLE if reply.status in (ParseStatus.EMPTY, ParseStatus.MALFORMED) else ReplyStatus.OK
    said = [reply.frames[number] for number in range(1, frames + 1) if number in reply.frames]
    if any(box is not None for box in said) or (frames == 1 and reply.boxes):
        return ReplyStatus.OK
    return ReplyStatus.ABSENT if len(said) == frames else ReplyStatus.UNREADABLE


def named_boxes(reply: ParsedReply) -> list[Box]:
    """The boxes of an answer in words, each once, that of its invocation first; those of a frame list are left out."""
    region = () if reply.invocation is None or reply.invocation.region is None else (reply.invocation.region,)
    return list(dict.fromkeys([*region, *(item.box for item in reply.boxes)]))


def text_before_tags(text: str) -> str:
    """The words of an answer that may still grow, without what it says to modules."""
    tag = TAG.search(text) or OPENING.search(text)
    return text[: tag.start()].rstrip() if tag else text


def reply_about_all(reply: ModelReply, frames: Sequence[Frame]) -> ModelReply:
    """A reply about the newest of some frames, as one about all of them: NaN for the boxes of the others."""
    if reply.task in IN_WORDS or len(reply.stamps_ns) == len(frames):
        return reply
    boxes = None
    if reply.boxes_xyxy is not None:
        boxes = np.full((len(frames), 4), np.nan)
        boxes[-1] = reply.boxes_xyxy[-1]
    return replace(reply, stamps_ns=tuple(frame.stamp_ns for frame in frames), boxes_xyxy=boxes)


def pixels(box: Box, frame: Frame) -> Boxes:
    """A box of fractions in the pixels of a frame, (4,)."""
    return np.asarray(xyxy_from_norm(box, frame.width, frame.height))

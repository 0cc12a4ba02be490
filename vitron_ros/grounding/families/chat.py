"""What a published chat model is asked for a request, and what its texts mean. Pure: for models here and on a server.

A place that "this" means is drawn on the image as a numbered box rather than cut out: a crop would lose what the
question may ask about, such as what lies beside it. A description is of the thing alone, so it is asked of a crop,
which shows a small thing in more pixels.

These models give a box for whatever they are asked to locate. So they are first asked whether it is there, and the
probability of "yes" is the score of what is found. Whether a box shows what it should is asked in the same way, of the
box drawn on the image.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vitron_ros.boxes import Boxes, clip
from vitron_ros.clock import SECOND_NS
from vitron_ros.frame import Frame, Image
from vitron_ros.grounding.families.box_text import BoxDialect, BoxReading, Size, read_boxes, write_boxes
from vitron_ros.grounding.prompt_turns import sentence, with_needed_frames
from vitron_ros.grounding.referring_expressions import parse_expressions
from vitron_ros.grounding.replies import unanswered
from vitron_ros.grounding.request import Grounded, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.images.draw import Overlay, draw_tracks
from vitron_ros.model.files import quoted
from vitron_ros.region import Region

YES, NO = ("yes", "Yes", " yes", " Yes", "YES"), ("no", "No", " no", " No", "NO")
CROP_MARGIN = 0.25  # of a region's sides, around what is described
THOUGHT = re.compile(r"^.*</think>|^\s*<think>.*$", re.DOTALL)
CONTROL = re.compile(r"<\|[^|<>\s]{1,40}\|>|</?(?:ref|box|think|image|img|s)>|<(?:loc|patch_index)_?\d{1,4}>")

Content = str | Image


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One turn: texts and images, (H, W, 3) uint8, in their order."""

    role: Literal["user", "assistant"]
    content: tuple[Content, ...]


def presence_messages(request: ModelRequest) -> list[Message]:
    """Whether the target of a FIND is in its newest frame; to be answered by yes or no."""
    question = f"Is there {plain(request.text)} in the image? Answer yes or no."
    return [Message("user", (request.frames[-1].rgb, question))]


def verify_messages(request: ModelRequest) -> list[Message]:
    """Whether the region of a VERIFY shows what its phrase says; to be answered by yes or no.

    Raises:
        RegionError: the region lies outside the image.
    """
    phrase = request.text if request.is_placed else f"the {parse_expressions(request.text).items[0].name}"
    question = f"A box is drawn on the image. Is what it marks {plain(phrase)}? Answer yes or no."
    return [Message("user", (marked(request.frames[-1], request.regions), question))]


def find_messages(request: ModelRequest, dialect: BoxDialect) -> list[Message]:
    """Where the target of a FIND is in its newest frame."""
    return [Message("user", (request.frames[-1].rgb, dialect.prompt.format(phrase=plain(request.text))))]


def ask_messages(request: ModelRequest, dialect: BoxDialect, seen: Size | None = None) -> list[Message]:
    """A question or command with the turns before it, as text, and the frames that it needs.

    Args:
        seen: as of `write_boxes`, of the newest frame.

    Raises:
        RegionError: a region lies outside the image.
    """
    request = with_needed_frames(request)
    *earlier, newest = request.frames
    content: list[Content] = []
    for frame in (*earlier, newest):
        if earlier:
            content.append(f"{(frame.stamp_ns - newest.stamp_ns) / SECOND_NS:.2f} s:")
        content.append(marked(frame, request.regions) if frame is newest and request.regions else frame.rgb)
    content.append(_question(request))
    return [*_history(request, dialect, seen), Message("user", tuple(content))]


def describe_messages(request: ModelRequest) -> list[Message]:
    """What a region of the newest frame shows.

    Raises:
        RegionError: it lies outside the image.
    """
    question = "Name the thing in the middle of this image in five words at most, its colour first."
    return [Message("user", (crop(request.frames[-1], request.regions[0]), question))]


def marked(frame: Frame, regions: Sequence[Region]) -> Image:
    """A copy of an image with a numbered box around each region.

    Raises:
        RegionError: a region lies outside the image.
    """
    boxes = [region.bounding_box(frame.width, frame.height) for region in regions]
    overlays = [
        Overlay(id=number, box_xyxy=box, label=str(number), state="region", score=0.0)
        for number, box in enumerate(boxes, 1)
    ]
    return draw_tracks(frame.rgb, overlays)


def crop(frame: Frame, region: Region) -> Image:
    """The part of an image around a region.

    Raises:
        RegionError: it lies outside the image.
    """
    box = region.bounding_box(frame.width, frame.height)
    margin = CROP_MARGIN * (box[2:] - box[:2])
    around = clip(np.concatenate([box[:2] - margin, box[2:] + margin]), frame.width, frame.height)
    x_min, y_min, x_max, y_max = (*np.floor(around[:2]).astype(int), *np.ceil(around[2:]).astype(int))
    return frame.rgb[y_min:y_max, x_min:x_max]


def plain(text: str) -> str:
    """What a person said without anything that a tokenizer would take for a control token."""
    while (cleaned := CONTROL.sub(" ", text)) != text:
        text = cleaned
    return " ".join(text.split()).rstrip(".")


def visible_text(text: str) -> str:
    """An answer, perhaps still growing, without the thoughts before it."""
    text = THOUGHT.sub("", text).strip()
    return "" if "<think>".startswith(text) else text


def absent(request: ModelRequest, name: str, presence: float) -> ModelReply:
    """The reply to a FIND whose target is not there by the probability of "yes"."""
    reply = unanswered(request, ReplyStatus.ABSENT, f"{name} does not see it")
    return replace(reply, score=1 - presence)


def found(request: ModelRequest, name: str, text: str, reading: BoxReading, presence: float) -> ModelReply:
    """The reply to a FIND whose target is there, by what was said of where."""
    if reading.is_absent:
        message = f"{name} says that it is there, but not where"
        return replace(unanswered(request, ReplyStatus.UNSURE, message), text=text)
    if not len(reading.boxes_xyxy):
        message = f"{name} gave a reply that cannot be read: {quoted(text)}"
        return replace(unanswered(request, ReplyStatus.UNREADABLE, message), text=text)
    return with_candidates(request, text, reading.boxes_xyxy, np.full(len(reading.boxes_xyxy), presence))


def verified(request: ModelRequest, name: str, shown: float) -> ModelReply:
    """The reply to a VERIFY by the probability of "yes"."""
    if shown >= 0.5:
        return replace(unanswered(request, ReplyStatus.OK, ""), score=shown)
    message = f"{name} says that it is not {quoted(request.text)}"
    return replace(unanswered(request, ReplyStatus.ABSENT, message), score=1 - shown)


def with_candidates(request: ModelRequest, text: str, boxes_xyxy: Boxes, scores: np.ndarray) -> ModelReply:
    """The reply to a FIND with boxes (N, 4) px of its newest frame, best first, and their scores (N,)."""
    boxes = np.full((len(request.frames), 4), np.nan)
    boxes[-1] = boxes_xyxy[0]
    return replace(
        unanswered(request, ReplyStatus.OK, ""),
        text=text,
        boxes_xyxy=boxes,
        candidates_xyxy=boxes_xyxy,
        candidate_scores=scores,
        score=float(scores[0]),
    )


def answered(
    request: ModelRequest, name: str, text: str, score: float, dialect: BoxDialect, seen: Size | None = None
) -> ModelReply:
    """The reply to an ASK or DESCRIBE. Only boxes with a label are taken for places: a list of numbers may be one.

    Args:
        seen: as of `read_boxes`, of the newest frame.
    """
    text = visible_text(text)
    if not text:
        return unanswered(request, ReplyStatus.UNREADABLE, f"{name} gave an empty answer")
    newest = request.frames[-1]
    reading = read_boxes(text, dialect, (newest.width, newest.height), seen)
    named = zip(reading.labels, reading.boxes_xyxy, strict=True)
    grounded = tuple(Grounded(label=label, box_xyxy=box) for label, box in named if label)
    is_asked = request.task is Task.ASK
    return replace(
        unanswered(request, ReplyStatus.OK, ""), text=text, score=score, grounded=grounded if is_asked else ()
    )


def _question(request: ModelRequest) -> str:
    question = sentence(plain(request.text))
    if not request.regions:
        return question
    if len(request.regions) == 1:
        return f'The box drawn on the image marks what "this" means. {question}'
    return f"The boxes drawn on the image, 1 to {len(request.regions)}, mark what is meant, in that order. {question}"


def _history(request: ModelRequest, dialect: BoxDialect, seen: Size | None) -> list[Message]:
    """Earlier turns as text, each answer with the box that it was about."""
    newest, messages = request.frames[-1], []
    for turn in request.history:
        answer = plain(turn.reply)
        if turn.box_xyxy is not None:
            answer += " " + write_boxes([turn.box_xyxy], ["it"], dialect, (newest.width, newest.height), seen)
        messages += [Message("user", (sentence(plain(turn.question)),)), Message("assistant", (answer.strip(),))]
    return messages

"""Requests in the words of prompts, as training words its questions."""

import re
from dataclasses import replace

import numpy as np

from vitron_ros.boxes import Boxes, check_box, norm_from_xyxy
from vitron_ros.errors import ModelError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import IN_WORDS, ModelRequest, Task
from vitron_ros.model.answers import Box, one_box_text
from vitron_ros.model.grammar import State, box_grammar, track_grammar
from vitron_ros.model.prompts import Turn
from vitron_ros.model.tokenizer import Tokenizer

TIME = re.compile(
    r"\b(mov\w*|motion|go|goes|going|heading|direction|hid\w*|disappear\w*|return\w*|comes?|coming|back|leaves?|away|"
    r"appears?|turns? up|later|still|stays?|stands?|film|video|movie|clip|frames?|animate|track|follow)\b",
    re.IGNORECASE,
)
QUESTION = re.compile(
    r"(what|which|who|whose|where|when|why|how|is|are|was|were|do|does|did|can|could|has|have|will)\b", re.IGNORECASE
)


def sentence(text: str) -> str:
    """What a person says as training writes it: with a capital, and a mark at its end."""
    text = text.strip()
    if not text:
        return text
    mark = "" if text[-1] in ".?!" else "?" if QUESTION.match(text) else "."
    return f"{text[0].upper()}{text[1:]}{mark}"


def with_needed_frames(request: ModelRequest) -> ModelRequest:
    """A question of what there is, or about a mark, with the newest frame alone; one that speaks of time, with all.

    So they are asked in training: how many, what colour, what is beside it, of one image; what moved or hid, of a clip.
    """
    if request.task is Task.DESCRIBE:
        return replace(request, frames=request.frames[-1:])
    if request.task is not Task.ASK or (TIME.search(request.text) and not request.regions):
        return request
    return replace(request, frames=request.frames[-1:])


def turns(request: ModelRequest) -> tuple[Turn, ...]:
    """The conversation whose last turn is the request. A command reads like a question: the model tells them apart.

    Raises:
        ModelError: there is no text, or no box to follow.
        RegionError: a box is not one, or lies outside the image.
    """
    return (*_history(request), _turn(request))


def _turn(request: ModelRequest) -> Turn:
    count = len(request.frames)
    if request.task is Task.FOLLOW:
        if request.box_xyxy is None:
            raise ModelError("FOLLOW needs the box of the target in the first frame")
        first = request.frames[0]
        return follow(_fractions(check_box(request.box_xyxy, first.width, first.height), first), count)
    if request.task is Task.DESCRIBE:
        return Turn(task="reg", images=1, regions=1)
    if request.task is Task.FIND:
        return Turn(task="rec" if count == 1 else "rsot", text=request.text, images=count)
    task = "vqa" if count == 1 else "video_qa"
    return Turn(task=task, text=sentence(request.text), images=count, regions=len(request.regions))


def follow(box: Box, frames: int) -> Turn:
    """Where what the first of several frames shows in a box is in each of them."""
    return Turn(task="sot", images=frames, box=box)


def _history(request: ModelRequest) -> list[Turn]:
    """Earlier turns as text without their images, each answered with the box that it was about."""
    newest = request.frames[-1]
    return [
        Turn(
            task="conversation",
            text=sentence(turn.question),
            answer=turn.reply if turn.box_xyxy is None else one_box_text(_fractions(turn.box_xyxy, newest)),
        )
        for turn in request.history
    ]


def grammar(task: Task, frames: int, tokenizer: Tokenizer) -> State | None:
    """The form of the answer; None: words.

    Raises:
        ModelError: the tokenizer merges numbers with the signs around them.
    """
    if task in IN_WORDS:
        return None
    return box_grammar(tokenizer) if task is Task.FIND and frames == 1 else track_grammar(tokenizer, frames)


def _fractions(box_xyxy: Boxes, frame: Frame) -> Box:
    x1, y1, x2, y2 = np.clip(norm_from_xyxy(box_xyxy, frame.width, frame.height), 0, 1).tolist()
    return x1, y1, x2, y2

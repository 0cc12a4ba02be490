"""Which of a finder's candidates a phrase means, as a model that answers questions is asked, and what it says. Pure.

The candidates are the marked regions of the question, which such models draw on the image with numbers from 1 on.
"""

import re
from dataclasses import replace

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.grounding.families.chat import plain
from vitron_ros.grounding.replies import unanswered
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.model.files import quoted
from vitron_ros.region import Region

MOST_CHOICES = 9  # a number of one digit is one token, whose probability is the score
NUMBER = re.compile(r"\d{1,9}")
NONE = re.compile(r"\b(?:none|neither|nothing|no)\b", re.IGNORECASE)


def candidates_of(reply: ModelReply) -> Boxes:
    """What a FIND found in the newest frame (N, 4), best first, MOST_CHOICES at most."""
    if reply.status is not ReplyStatus.OK or reply.boxes_xyxy is None or not np.isfinite(reply.boxes_xyxy[-1]).all():
        return np.empty((0, 4))
    return reply.candidates_xyxy[:MOST_CHOICES] if len(reply.candidates_xyxy) else reply.boxes_xyxy[-1:]


def choice_question(request: ModelRequest, found: ModelReply) -> ModelRequest:
    """What to ask for a FIND that found something."""
    regions = tuple(map(Region.from_box, candidates_of(found)))
    return replace(
        request,
        id=f"{request.id} choice",
        task=Task.ASK,
        frames=request.frames[-1:],
        text=f"Answer with the number of the box that shows {plain(request.text)}, or with 0 if none of them does",
        newest=0,
        regions=regions,
        history=(),
        choices=tuple(map(str, range(len(regions) + 1))),
        on_text=None,
    )


def chosen(request: ModelRequest, found: ModelReply, answer: ModelReply, name: str) -> ModelReply:
    """The reply to a FIND, from what was found and the answer to its `choice_question`.

    "None" is ABSENT, and what names no candidate UNREADABLE. Where there is no answer, the best candidate is UNSURE.

    Args:
        name: of the model that answered, for messages.
    """
    seconds, candidates = found.seconds + answer.seconds, candidates_of(found)
    if answer.status in (ReplyStatus.CANCELLED, ReplyStatus.DEADLINE, ReplyStatus.UNREADABLE):
        return replace(unanswered(request, answer.status, answer.message), seconds=seconds)
    if answer.status is not ReplyStatus.OK:
        message = f"{len(candidates)} things were found, and {name} did not say which is meant: {answer.message}"
        return replace(found, status=ReplyStatus.UNSURE, message=message, seconds=seconds)
    number = _number(answer.text)
    if number == 0:
        message = f"{name} says that none of {len(candidates)} things that were found is {quoted(request.text)}"
        reply = unanswered(request, ReplyStatus.ABSENT, message)
        return replace(reply, text=answer.text, score=answer.score, min_score=answer.min_score, seconds=seconds)
    if number is None or number > len(candidates):
        message = f"asked for one of {len(candidates)} things that were found, {name} said {quoted(answer.text)}"
        reply = unanswered(request, ReplyStatus.UNREADABLE, message)
        return replace(reply, text=answer.text, seconds=seconds)
    box = candidates[number - 1]
    boxes = found.boxes_xyxy if number == 1 else np.full((len(request.frames), 4), np.nan)
    assert boxes is not None
    return replace(
        found,
        text=answer.text,
        boxes_xyxy=np.concatenate([boxes[:-1], box[None]]),
        candidates_xyxy=box[None],
        candidate_scores=np.array([answer.score]),
        score=answer.score,
        min_score=answer.min_score,
        seconds=seconds,
    )


def _number(text: str) -> int | None:
    """The one number of a text, 0 where it says none; None: it says neither, or several."""
    numbers = {int(number) for number in NUMBER.findall(text)}
    if not numbers:
        return 0 if NONE.search(text) else None
    return numbers.pop() if len(numbers) == 1 else None

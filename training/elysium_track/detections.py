"""Where a model sees what a phrase names, in the key frames of a clip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, clip
from vitron_ros.errors import ModelError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import LanguageVision, ModelReply, ModelRequest, ReplyStatus, Task


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a model sees of one phrase in K frames.

    Attributes:
        boxes_xyxy: (K, 4) px, the best; NaN where there is none.
        scores: (K,); 0 where there is none.
        rival_scores: (K,) of the second best; 0 where there is none, or the model names one at most.
    """

    boxes_xyxy: Boxes
    scores: NDArray[np.float64]
    rival_scores: NDArray[np.float64]


def detect(model: LanguageVision, frames: Sequence[Frame], phrases: Sequence[str]) -> list[Detections]:
    """What the model sees of each phrase.

    Raises:
        ModelError: the model fails.
    """
    requests = [
        ModelRequest(id=f"{place}-{number}", task=Task.FIND, frames=(frame,), text=phrase)
        for place, phrase in enumerate(phrases)
        for number, frame in enumerate(frames)
    ]
    seen = [_seen(*pair) for pair in zip(_replies(model, requests), requests, strict=True)]
    table = np.array([(*box, score, rival) for box, score, rival in seen]).reshape(len(phrases), len(frames), 6)
    return [Detections(rows[:, :4], rows[:, 4], rows[:, 5]) for rows in table]


def _replies(model: LanguageVision, requests: Sequence[ModelRequest]) -> Iterator[ModelReply]:
    for start in range(0, len(requests), model.max_requests):
        yield from model.reply(requests[start : start + model.max_requests])


def _seen(reply: ModelReply, request: ModelRequest) -> tuple[Boxes, float, float]:
    if reply.status in (ReplyStatus.FAILED, ReplyStatus.UNREADABLE):
        raise ModelError(f"the model did not look for {request.text!r}: {reply.message}")
    nothing = np.full(4, np.nan), 0.0, 0.0
    if reply.status is not ReplyStatus.OK or reply.boxes_xyxy is None or np.isnan(reply.boxes_xyxy[-1]).any():
        return nothing
    newest = request.frames[-1]
    box = clip(reply.boxes_xyxy[-1], newest.width, newest.height)
    if not (box[2:] - box[:2] >= 1).all():
        return nothing
    return box, reply.score, float(reply.candidate_scores[1]) if len(reply.candidate_scores) > 1 else 0.0

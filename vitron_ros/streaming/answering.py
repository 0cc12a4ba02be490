"""Asking a model so that whatever it does is a reply of the right form, or a bug that shows itself."""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice

import numpy as np
from numpy.typing import ArrayLike

from vitron_ros.errors import ModelError
from vitron_ros.grounding.replies import unanswered
from vitron_ros.grounding.request import (
    IN_WORDS,
    LanguageVision,
    ModelReply,
    ModelRequest,
    ReplyStatus,
    regions_problem,
    text_problem,
)
from vitron_ros.streaming.intent_gate import handler_for
from vitron_ros.streaming.multi_view import merge_views, views_of
from vitron_ros.streaming.request_handler import FixedReply, RepairHandler, RequestHandler
from vitron_ros.streaming.roi_crop import crop_request, uncrop_reply

logger = logging.getLogger(__name__)

# torch reports a full memory and a lost device as RuntimeError. Any other error is a bug, and is named in the reply.
FAILURES = (ModelError, RuntimeError, MemoryError, OSError)


def answers(model: LanguageVision, requests: Sequence[ModelRequest]) -> list[ModelReply]:
    """One reply for each request, in their order: what the text does not ask for is not done, and what the model finds
    or would do is verified before it counts. A model that would call a module for something else is told why that is
    rejected, and asked once more. Texts that are too long never reach the model.
    """
    replies = _replies(model, [_handler(model, request) for request in requests])
    repaired = {
        index: RepairHandler.of(_handler(model, request), request, reply)
        for index, (request, reply) in enumerate(zip(requests, replies, strict=True))
        if reply.status is ReplyStatus.REJECTED
    }
    again = _replies(model, list(repaired.values()))
    for index, reply in zip(repaired, again, strict=True):
        if reply.status in (ReplyStatus.OK, ReplyStatus.ABSENT):
            replies[index] = reply
    return replies


def _replies(model: LanguageVision, handlers: Sequence[RequestHandler]) -> list[ModelReply]:
    first = _batch(model, [handler.model_requests() for handler in handlers])
    checks = [handler.check_requests(replies) for handler, replies in zip(handlers, first, strict=True)]
    second = _batch(model, checks)
    return [handler.reply(*replies) for handler, *replies in zip(handlers, first, second, strict=True)]


def _handler(model: LanguageVision, request: ModelRequest) -> RequestHandler:
    problem = text_problem(request.text) or regions_problem(len(request.regions))
    if problem:
        return FixedReply(request, ReplyStatus.UNKNOWN, problem)
    return handler_for(request, model.tasks)


def _batch(model: LanguageVision, requests: Sequence[Sequence[ModelRequest]]) -> list[list[ModelReply]]:
    """The replies to the requests of each handler, all asked as one batch."""
    replies = iter(unchecked_answers(model, list(chain(*requests))))
    return [list(islice(replies, len(own))) for own in requests]


def unchecked_answers(model: LanguageVision, requests: Sequence[ModelRequest]) -> list[ModelReply]:
    """One reply for each request as the model gives it. A model that fails or answers nonsense gives FAILED replies.

    Many are served by one model, so whatever one request makes it raise costs that request alone: it is logged with
    its trace, and each request of the call is asked again by itself.
    """
    try:
        return _multi_view_answers(model, requests)
    except Exception as error:
        logger.exception("the model failed on %d requests", len(requests))
        if len(requests) > 1:
            return [reply for request in requests for reply in unchecked_answers(model, [request])]
        is_known = isinstance(error, FAILURES) and str(error)
        text = str(error) if is_known else f"{type(error).__name__}: {error}".removesuffix(": ")
        return [unanswered(requests[0], ReplyStatus.FAILED, f"the model failed: {text}")]


def _multi_view_answers(model: LanguageVision, requests: Sequence[ModelRequest]) -> list[ModelReply]:
    if model.uses_newest_frame_only:  # both views would be the same
        requests = [replace(request, newest=0) for request in requests]
    asked = [view for request in requests for view in views_of(request)]
    batches = (asked[first : first + model.max_requests] for first in range(0, len(asked), model.max_requests))
    replies = iter([reply for batch in batches for reply in _answers(model, batch)])
    return [merge_views([next(replies) for _ in views_of(request)]) for request in requests]


def _answers(model: LanguageVision, requests: Sequence[ModelRequest]) -> list[ModelReply]:
    replies = model.reply([crop_request(request) for request in requests])
    if [reply.id for reply in replies] != [request.id for request in requests]:
        text = f"the model gave {len(replies)} replies to {len(requests)} requests, or to others"
        logger.error(text)
        return [unanswered(request, ReplyStatus.FAILED, text) for request in requests]
    return [
        uncrop_reply(request, _with_cut_off(checked(request, reply), model))
        for request, reply in zip(requests, replies, strict=True)
    ]


def _with_cut_off(reply: ModelReply, model: LanguageVision) -> ModelReply:
    return reply if reply.min_score is not None else replace(reply, min_score=model.min_score)


def checked(request: ModelRequest, reply: ModelReply) -> ModelReply:
    """The reply with the request's stamps, or a FAILED one if its form is wrong. Only OK and UNSURE have boxes."""
    stamps_ns = tuple(frame.stamp_ns for frame in request.frames)
    if reply.status is ReplyStatus.OK:
        problem = _problem(request, reply)
        if problem:
            logger.error("a reply of the model is not of the agreed form: %s", problem)
            return unanswered(request, ReplyStatus.FAILED, f"the model's reply is not of the agreed form: {problem}")
    elif reply.status is not ReplyStatus.UNSURE or _problem(request, reply):
        reply = replace(reply, boxes_xyxy=None, candidates_xyxy=np.empty((0, 4)), candidate_scores=np.empty(0))
    return replace(reply, task=request.task, stamps_ns=stamps_ns)


def _problem(request: ModelRequest, reply: ModelReply) -> str:
    if not (math.isfinite(reply.score) and 0 <= reply.score <= 1):
        return f"its score is {reply.score}"
    if request.task in IN_WORDS:
        return _problem_of_answer(reply)
    if reply.boxes_xyxy is None or reply.boxes_xyxy.shape != (len(request.frames), 4):
        shape = None if reply.boxes_xyxy is None else reply.boxes_xyxy.shape
        return f"its boxes are {shape} for {len(request.frames)} frames"
    for box in reply.boxes_xyxy:
        if not (np.isfinite(box).all() or np.isnan(box).all()):
            return f"a box is {box.tolist()}, neither four finite numbers nor NaN for none"
        if (box[2:] < box[:2]).any():
            return f"a box is {box.tolist()}, its corners are swapped"
    shapes = reply.candidates_xyxy.shape, reply.candidate_scores.shape
    if shapes != ((len(reply.candidate_scores), 4), (len(reply.candidates_xyxy),)):
        return f"its candidates are {shapes[0]} with scores {shapes[1]}"
    for box in reply.candidates_xyxy:
        if not (np.isfinite(box).all() and (box[2:] >= box[:2]).all()):
            return f"a candidate is {box.tolist()}, not four finite numbers with its corners in order"
    return ""


def _problem_of_answer(reply: ModelReply) -> str:
    """What would not go into a message: text that is not Unicode, boxes that are none."""
    invocation = reply.invocation
    texts = [reply.text, *(item.label for item in reply.grounded), *(invocation.instructions if invocation else ())]
    boxes: list[ArrayLike] = [item.box_xyxy for item in reply.grounded]
    boxes += [invocation.region] if invocation and invocation.region is not None else []
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return f"its text is not Unicode: {error}"
    for box in boxes:
        if np.shape(box) != (4,) or not np.isfinite(box).all():
            return f"a box of its answer is {np.asarray(box).tolist()}, not four finite numbers"
    return ""

"""Replies that need no model: to requests that were withdrawn, came too late, or cannot be answered."""

import logging
from collections.abc import Callable

from vitron_ros.errors import CallbackError
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus

logger = logging.getLogger(__name__)


def unanswered(request: ModelRequest, status: ReplyStatus, message: str) -> ModelReply:
    """A reply that the model did not give."""
    return ModelReply(
        id=request.id,
        task=request.task,
        status=status,
        stamps_ns=tuple(frame.stamp_ns for frame in request.frames),
        message=message,
    )


def withdrawn(request: ModelRequest) -> ModelReply | None:
    """The reply to a request that nobody wants any more, or whose caller fails; None: it is wanted."""
    try:
        is_cancelled = request.is_cancelled()
    except Exception as error:  # the caller's code, which may raise anything
        logger.exception("a caller's is_cancelled failed")
        return unanswered(request, ReplyStatus.FAILED, str(CallbackError("is_cancelled", error)))
    return unanswered(request, ReplyStatus.CANCELLED, "the request was cancelled") if is_cancelled else None


def not_to_be_asked(request: ModelRequest, name: str, max_frames: int, now_ns: Callable[[], int]) -> ModelReply | None:
    """The reply to a request that a model is not to be asked: nobody wants it, it is late, or has too many frames.

    Args:
        name: of the model, for messages.
        now_ns: the clock that deadlines are on.
    """
    reply = withdrawn(request)
    if reply is not None:
        return reply
    if request.deadline_ns is not None and now_ns() >= request.deadline_ns:
        return unanswered(request, ReplyStatus.DEADLINE, f"{name} did not answer in time")
    if not 0 < len(request.frames) <= max_frames:
        count = len(request.frames)
        return unanswered(request, ReplyStatus.FAILED, f"{count} frames; {name} takes 1 to {max_frames}")
    return None

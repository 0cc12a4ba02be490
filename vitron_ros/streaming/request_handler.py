"""How one request is answered: what the model is asked for it, and the reply that follows from the model's replies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from vitron_ros.grounding.request import ConversationTurn, ModelReply, ModelRequest, ReplyStatus

INTERRUPTED = (ReplyStatus.DEADLINE, ReplyStatus.CANCELLED)


class RequestHandler(Protocol):
    """Answers a request in two rounds at most: the model gets all requests of a round as one batch."""

    def model_requests(self) -> Sequence[ModelRequest]:
        """Of the first round; empty: the reply is known without the model."""
        ...

    def check_requests(self, replies: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        """Of the second round, which verifies the replies of the first."""
        ...

    def reply(self, replies: Sequence[ModelReply], checks: Sequence[ModelReply]) -> ModelReply:
        """The reply to the request, from the replies of both rounds."""
        ...


@dataclass(frozen=True)
class PassThrough:
    """The model's reply is the reply."""

    request: ModelRequest

    def model_requests(self) -> Sequence[ModelRequest]:
        return [self.request]

    def check_requests(self, replies: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        return []

    def reply(self, replies: Sequence[ModelReply], checks: Sequence[ModelReply]) -> ModelReply:
        return replies[0]


@dataclass(frozen=True, eq=False)
class RepairHandler:
    """A request whose first answer was rejected, with that answer and the reason as an earlier turn.

    What the text asks for is judged without that turn.
    """

    handler: RequestHandler
    request: ModelRequest

    @classmethod
    def of(cls, handler: RequestHandler, request: ModelRequest, rejected: ModelReply) -> "RepairHandler":
        turn = ConversationTurn(question=request.text, reply=f"{rejected.text} (rejected: {rejected.message})")
        return cls(handler, replace(request, history=(*request.history, turn)))

    def model_requests(self) -> Sequence[ModelRequest]:
        first, *others = self.handler.model_requests()
        return [replace(first, history=self.request.history), *others]

    def check_requests(self, replies: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        return self.handler.check_requests(replies)

    def reply(self, replies: Sequence[ModelReply], checks: Sequence[ModelReply]) -> ModelReply:
        return self.handler.reply(replies, checks)


@dataclass(frozen=True)
class FixedReply:
    """The model is not asked."""

    request: ModelRequest
    status: ReplyStatus
    message: str = ""
    text: str = ""
    score: float = 0.0

    def model_requests(self) -> Sequence[ModelRequest]:
        return []

    def check_requests(self, replies: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        return []

    def reply(self, replies: Sequence[ModelReply], checks: Sequence[ModelReply]) -> ModelReply:
        return ModelReply(
            id=self.request.id,
            task=self.request.task,
            status=self.status,
            stamps_ns=tuple(frame.stamp_ns for frame in self.request.frames),
            message=self.message,
            text=self.text,
            score=self.score,
        )

"""What becomes of one request at the model's door: which looks the model is asked for it, and what is made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus

CUT_OFF = (ReplyStatus.DEADLINE, ReplyStatus.CANCELLED)


class Case(Protocol):
    """A request while it is answered. Two rounds at most: the model is asked all looks of a round side by side."""

    def looks(self) -> Sequence[ModelRequest]:
        """What to ask first; empty: nothing, the reply is known."""
        ...

    def checks(self, seen: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        """What to ask about the replies to the looks before one of them counts."""
        ...

    def reply(self, seen: Sequence[ModelReply], checked: Sequence[ModelReply]) -> ModelReply:
        """The reply to the request, by those to its looks and checks."""
        ...


@dataclass(frozen=True)
class Plain:
    """The model's word counts."""

    request: ModelRequest

    def looks(self) -> Sequence[ModelRequest]:
        return [self.request]

    def checks(self, seen: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        return []

    def reply(self, seen: Sequence[ModelReply], checked: Sequence[ModelReply]) -> ModelReply:
        return seen[0]


@dataclass(frozen=True)
class Settled:
    """The model is not asked."""

    request: ModelRequest
    status: ReplyStatus
    message: str = ""
    text: str = ""
    score: float = field(default=0.0)

    def looks(self) -> Sequence[ModelRequest]:
        return []

    def checks(self, seen: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        return []

    def reply(self, seen: Sequence[ModelReply], checked: Sequence[ModelReply]) -> ModelReply:
        return ModelReply(
            id=self.request.id,
            task=self.request.task,
            status=self.status,
            stamps_ns=tuple(frame.stamp_ns for frame in self.request.frames),
            message=self.message,
            text=self.text,
            score=self.score,
        )

"""Finding what a phrase refers to: a box is verified before it counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Frame
from vitron_ros.grounding.referring_expressions import ExpressionList, ReferringExpression
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus
from vitron_ros.streaming.box_check import BoxCheck
from vitron_ros.streaming.request_handler import INTERRUPTED


@dataclass(frozen=True, eq=False)
class FindHandler:
    """A FIND request and its phrases: the first of those that "and" joins, or all that "or" joins.

    Args:
        describes: whether the model describes what it found.
    """

    request: ModelRequest
    phrases: ExpressionList
    describes: bool

    def model_requests(self) -> Sequence[ModelRequest]:
        if not self.phrases.conjunction:
            return [self.request]
        return [
            replace(self.request, id=f"{self.request.id} or {number}" if number else self.request.id, text=phrase.text)
            for number, phrase in enumerate(self._wanted)
        ]

    def check_requests(self, replies: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        return [request for check in self._checks(replies) if check is not None for request in check.requests()]

    def reply(self, replies: Sequence[ModelReply], checks: Sequence[ModelReply]) -> ModelReply:
        rest = list(checks)
        verified = []
        for reply, check in zip(replies, self._checks(replies), strict=True):
            count = 0 if check is None else len(check.requests())
            own, rest = rest[:count], rest[count:]
            verified.append(_verified(reply, check, own))
        found = (reply for reply in verified if reply.status is ReplyStatus.OK)
        best = max(found, key=lambda reply: reply.score, default=verified[0])
        left_out = self._left_out if best.status is ReplyStatus.OK else ""
        message = "; ".join(filter(None, (best.message, left_out)))
        return replace(best, id=self.request.id, message=message)

    @property
    def _wanted(self) -> Sequence[ReferringExpression]:
        return self.phrases.items if self.phrases.conjunction == "or" else self.phrases.items[:1]

    @property
    def _left_out(self) -> str:
        """What more the text asks for than one target."""
        first, *others = self.phrases.items
        if self.phrases.conjunction == "and":
            rest = ", ".join(f'"{phrase.text}"' for phrase in others)
            return f'only "{first.text}" is taken; ask for {rest} separately'
        if self.phrases.conjunction == "" and first.quantifier:
            return f'"{first.text}" asks for more than one; only one is taken'
        return ""

    def _checks(self, replies: Sequence[ModelReply]) -> list[BoxCheck | None]:
        return [self._check(phrase, reply) for phrase, reply in zip(self._wanted, replies, strict=True)]

    def _check(self, phrase: ReferringExpression, reply: ModelReply) -> BoxCheck | None:
        """None: there is no box, or the model cannot describe it."""
        if not self.describes or reply.status not in (ReplyStatus.OK, ReplyStatus.UNSURE) or reply.boxes_xyxy is None:
            return None
        shown = np.flatnonzero(np.isfinite(reply.boxes_xyxy).all(axis=-1))
        if not len(shown):
            return None
        frame, box = self.request.frames[shown[-1]], reply.boxes_xyxy[shown[-1]]
        return BoxCheck(self.request, phrase, frame, box) if _has_area(box, frame) else None


def _has_area(box_xyxy: Boxes, frame: Frame) -> bool:
    x1, y1, x2, y2 = np.clip(box_xyxy, 0, [frame.width, frame.height, frame.width, frame.height])
    return bool(x2 - x1 >= 1 and y2 - y1 >= 1)


def _verified(reply: ModelReply, check: BoxCheck | None, replies: Sequence[ModelReply]) -> ModelReply:
    """The reply; ABSENT where its check contradicts the box, UNSURE where nothing of the phrase can be verified."""
    if check is None:
        return reply
    interrupted = next((other for other in replies if other.status in INTERRUPTED), None)
    if interrupted is not None:
        return replace(reply, status=interrupted.status, message=interrupted.message, boxes_xyxy=None, score=0.0)
    problem = check.problem(replies)
    if problem:
        return replace(reply, status=ReplyStatus.ABSENT, message=problem, boxes_xyxy=None, is_contradicted=True)
    if check.is_unverified(replies):
        text = f'the position in "{check.phrase.text}" cannot be verified; name the object itself'
        return replace(reply, status=ReplyStatus.UNSURE, message=text, boxes_xyxy=None)
    return replace(reply, is_doubted=check.is_doubtful(replies))

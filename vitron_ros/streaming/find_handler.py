"""Finding what a phrase refers to: a box is verified before it counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vitron_ros.grounding.families.detections import Detections, candidates, inside
from vitron_ros.grounding.referring_expressions import ExpressionList, ReferringExpression
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus
from vitron_ros.streaming.box_check import BoxCheck
from vitron_ros.streaming.request_handler import INTERRUPTED


@dataclass(frozen=True, eq=False)
class FindHandler:
    """A FIND request and its phrases: the first of those that "and" joins, or all that "or" joins.

    Args:
        verifies: whether the model can verify what it found.
    """

    request: ModelRequest
    phrases: ExpressionList
    verifies: bool

    def model_requests(self) -> Sequence[ModelRequest]:
        if not self.phrases.conjunction:
            return [self.request]
        return [
            replace(self.request, id=f"{self.request.id} or {number}" if number else self.request.id, text=phrase.text)
            for number, phrase in enumerate(self._wanted)
        ]

    def check_requests(self, replies: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        return list(self._questions(replies).values())

    def reply(self, replies: Sequence[ModelReply], checks: Sequence[ModelReply]) -> ModelReply:
        return self.best(replies, checks)[1]

    def best(
        self, replies: Sequence[ModelReply], checks: Sequence[ModelReply]
    ) -> tuple[ReferringExpression, ModelReply]:
        """The reply, and the phrase that it is about."""
        answers = dict(zip(self._questions(replies), checks, strict=True))
        verified = [
            (phrase, _best([_verified(found, check, answers) for found, check in pairs]))
            for phrase, pairs in zip(self._wanted, self._checks(replies), strict=True)
        ]
        found = (item for item in verified if item[1].status is ReplyStatus.OK)
        phrase, best = max(found, key=lambda item: item[1].score, default=verified[0])
        left_out = self._left_out(best) if best.status is ReplyStatus.OK else ""
        return phrase, replace(best, id=self.request.id, message="; ".join(filter(None, (best.message, left_out))))

    @property
    def _wanted(self) -> Sequence[ReferringExpression]:
        return self.phrases.items if self.phrases.conjunction == "or" else self.phrases.items[:1]

    def _left_out(self, reply: ModelReply) -> str:
        """What more the text asks for than the reply gives."""
        first, *others = self.phrases.items
        if self.phrases.conjunction == "and":
            rest = ", ".join(f'"{phrase.text}"' for phrase in others)
            return f'only "{first.text}" is taken; ask for {rest} separately'
        gives_all = self.request.wants_candidates and len(reply.candidates_xyxy)
        if self.phrases.conjunction == "" and first.quantifier and not gives_all:
            return f'"{first.text}" asks for more than one; only one is taken'
        return ""

    def _questions(self, replies: Sequence[ModelReply]) -> dict[str, ModelRequest]:
        """By id, what the model is asked to verify the replies; what several checks ask is asked once."""
        checks = [check for pairs in self._checks(replies) for _, check in pairs if check is not None]
        return {request.id: request for check in checks for request in check.requests()}

    def _checks(self, replies: Sequence[ModelReply]) -> list[list[tuple[ModelReply, BoxCheck | None]]]:
        """For each phrase what was found, and its check; None: there is no box, or the model cannot verify it."""
        return [
            [
                (found, self._check(phrase, found, f"{place} {number}"))
                for number, found in enumerate(self._candidates(reply))
            ]
            for place, (phrase, reply) in enumerate(zip(self._wanted, replies, strict=True))
        ]

    def _candidates(self, reply: ModelReply) -> list[ModelReply]:
        """A reply for each candidate, where these are wanted and the model gives any; those of one thing are merged."""
        if not self.request.wants_candidates or reply.boxes_xyxy is None or not len(reply.candidates_xyxy):
            return [reply]
        newest = self.request.frames[-1]
        given = inside(Detections(reply.candidates_xyxy, reply.candidate_scores), newest.width, newest.height)
        kept = candidates(given, 0.0)
        shown = np.full((len(kept.scores), *reply.boxes_xyxy.shape), np.nan)
        shown[:, -1] = kept.boxes_xyxy
        shown[:1, :-1] = reply.boxes_xyxy[:-1]
        return [
            replace(
                reply,
                boxes_xyxy=shown[place],
                score=float(kept.scores[place]),
                candidates_xyxy=kept.boxes_xyxy[place : place + 1],
                candidate_scores=kept.scores[place : place + 1],
            )
            for place in range(len(kept.scores))
        ] or [reply]

    def _check(self, phrase: ReferringExpression, reply: ModelReply, name: str) -> BoxCheck | None:
        if not self.verifies or reply.status not in (ReplyStatus.OK, ReplyStatus.UNSURE) or reply.boxes_xyxy is None:
            return None
        shown = np.flatnonzero(np.isfinite(reply.boxes_xyxy).all(axis=-1))
        if not len(shown):
            return None
        index = int(shown[-1])
        frame, box = self.request.frames[index], reply.boxes_xyxy[index]
        has_area = len(inside(Detections(box[None], np.ones(1)), frame.width, frame.height).scores)
        return BoxCheck(self.request, phrase, index, box, name) if has_area else None


def _best(verified: Sequence[ModelReply]) -> ModelReply:
    """The best of what was found, with all that passed its checks as its candidates: doubted ones if there are no
    others."""
    found = [reply for reply in verified if reply.status is ReplyStatus.OK]
    found = [reply for reply in found if not reply.is_doubted] or found
    if not found:
        return verified[0]
    return replace(
        max(found, key=lambda reply: reply.score),
        candidates_xyxy=np.concatenate([reply.candidates_xyxy for reply in found]),
        candidate_scores=np.concatenate([reply.candidate_scores for reply in found]),
    )


def _verified(reply: ModelReply, check: BoxCheck | None, answers: Mapping[str, ModelReply]) -> ModelReply:
    """The reply; ABSENT where its check contradicts the box, UNSURE where nothing of the phrase can be verified."""
    if check is None:
        return reply
    replies = [answers[request.id] for request in check.requests()]
    interrupted = next((other for other in replies if other.status in INTERRUPTED), None)
    if interrupted is not None:
        return replace(_without_box(reply), status=interrupted.status, message=interrupted.message, score=0.0)
    problem = check.problem(replies)
    if problem:
        return replace(_without_box(reply), status=ReplyStatus.ABSENT, message=problem, is_contradicted=True)
    if check.is_unverified(replies):
        text = f'the position in "{check.phrase.text}" cannot be verified; name the object itself'
        return replace(_without_box(reply), status=ReplyStatus.UNSURE, message=text)
    return replace(reply, is_doubted=check.is_doubtful(replies))


def _without_box(reply: ModelReply) -> ModelReply:
    return replace(reply, boxes_xyxy=None, candidates_xyxy=np.empty((0, 4)), candidate_scores=np.empty(0))

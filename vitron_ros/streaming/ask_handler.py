"""Questions and commands: an answer counts from `min_score` on, and a module call only if it passes its checks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vitron_ros.grounding import lexicon
from vitron_ros.grounding.intent import Intent, has_content_word, tokenise
from vitron_ros.grounding.request import Grounded, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.grounding.spatial_relations import location_text
from vitron_ros.model.answers import Invocation
from vitron_ros.streaming.find_handler import FindHandler
from vitron_ros.streaming.invocation_check import (
    InvocationCheck,
    intent_problem,
    region_problem,
    requested_action,
)
from vitron_ros.streaming.request_handler import INTERRUPTED

SAYS_ABSENT = re.compile(r"\W*there (is|are|was|were) (no|not|none)\b", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class AskHandler:
    """An ASK request whose answer is words, or a module call.

    Args:
        verifies: as of `FindHandler`.
        existence: of a question whether there is something: the search for it; None: the question is another.
    """

    request: ModelRequest
    intent: Intent
    verifies: bool
    existence: FindHandler | None = None

    def model_requests(self) -> Sequence[ModelRequest]:
        return [self.request, *(self.existence.model_requests() if self.existence else ())]

    def check_requests(self, replies: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        if self.existence is not None and replies[0].invocation is None:
            return self.existence.check_requests(replies[1:])
        check = self._invocation_check(replies[0])
        return [] if check is None else check.requests()

    def reply(self, replies: Sequence[ModelReply], checks: Sequence[ModelReply]) -> ModelReply:
        answer = replies[0]
        interrupted = next((reply for reply in checks if reply.status in INTERRUPTED), None)
        if interrupted is not None:
            return _without_answer(answer, interrupted.status, interrupted.message)
        if answer.status is not ReplyStatus.OK:
            return answer
        if answer.invocation is None:
            return self._text_reply(answer, replies, checks)
        refusal = intent_problem(self.request, self.intent, answer.invocation)
        if refusal:
            return replace(_without_answer(answer, ReplyStatus.REJECTED, refusal), text=answer.text)
        if not answer.is_sure(self.request.min_score):
            return _without_answer(answer, ReplyStatus.UNSURE, _below_min_score(answer, self.request))
        problem = self._place_problem(answer, answer.invocation, checks)
        if problem:
            return _without_answer(answer, ReplyStatus.ABSENT, f"nothing was done: {problem}")
        action = requested_action(self.intent, answer.invocation).action
        others = [mention for mention in self.intent.requests if mention.action != action]
        return replace(answer, message=f"only one of {len(others) + 1} requested actions is done" if others else "")

    def _text_reply(
        self, answer: ModelReply, replies: Sequence[ModelReply], checks: Sequence[ModelReply]
    ) -> ModelReply:
        if not answer.is_sure(self.request.min_score):
            return replace(answer, status=ReplyStatus.UNSURE, message=_below_min_score(answer, self.request))
        if self.existence is not None:
            found = self.existence.reply(replies[1:], checks)
            yes_no = re.match(r"\W*(yes|no)\b", answer.text.lower())
            is_found = found.status is ReplyStatus.OK and found.is_sure(self.request.min_score)
            if yes_no and (yes_no[1] == "yes") != is_found and found.status in (ReplyStatus.OK, ReplyStatus.ABSENT):
                why = found.message or "a search found it"
                text = f'the model answered "{answer.text}", but {why}'
                return replace(answer, status=ReplyStatus.UNSURE, message=text)
        if self.intent.actions - {"find"} and not SAYS_ABSENT.match(answer.text):
            text = f'nothing was done: the model answered "{answer.text}" and called no module'
            return replace(answer, status=ReplyStatus.UNSURE, message=text)
        return answer

    def _place_problem(self, answer: ModelReply, invocation: Invocation, checks: Sequence[ModelReply]) -> str:
        check = self._invocation_check(answer)
        if check is not None:
            return check.problem(checks)
        mention = requested_action(self.intent, invocation)
        return region_problem(self.request, mention, invocation, verifies=self.verifies)

    def _invocation_check(self, answer: ModelReply) -> InvocationCheck | None:
        """None: the text names nothing to compare the region with, or the model cannot verify it."""
        invocation = answer.invocation
        if not self.verifies or answer.status is not ReplyStatus.OK or invocation is None or invocation.region is None:
            return None
        if intent_problem(self.request, self.intent, invocation) or not answer.is_sure(self.request.min_score):
            return None
        mention = requested_action(self.intent, invocation)
        name = "" if mention.action in lexicon.ACTIONS_WITHOUT_OBJECT else mention.object
        return InvocationCheck(self.request, name, invocation) if has_content_word(tokenise(name)) else None


@dataclass(frozen=True, eq=False)
class DescribeHandler:
    """An ASK request that asks what a region shows, of a model that describes regions and answers no questions."""

    request: ModelRequest

    def model_requests(self) -> Sequence[ModelRequest]:
        return [replace(self.request, task=Task.DESCRIBE, text="", history=())]

    def check_requests(self, replies: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        return []

    def reply(self, replies: Sequence[ModelReply], checks: Sequence[ModelReply]) -> ModelReply:
        reply = replace(replies[0], task=Task.ASK)
        if reply.status is not ReplyStatus.OK or reply.is_sure(self.request.min_score):
            return reply
        return replace(reply, status=ReplyStatus.UNSURE, message=_below_min_score(reply, self.request))


@dataclass(frozen=True, eq=False)
class LocateHandler:
    """An ASK request that asks for a place: "where is the mug?", "track the mug"."""

    request: ModelRequest
    find: FindHandler

    def model_requests(self) -> Sequence[ModelRequest]:
        return self.find.model_requests()

    def check_requests(self, replies: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        return self.find.check_requests(replies)

    def reply(self, replies: Sequence[ModelReply], checks: Sequence[ModelReply]) -> ModelReply:
        (phrase, found), frame = self.find.best(replies, checks), self.request.frames[-1]
        reply = replace(found, id=self.request.id, task=Task.ASK, boxes_xyxy=None, text="")
        if found.status is not ReplyStatus.OK or found.boxes_xyxy is None:
            return reply
        box = found.boxes_xyxy[-1]
        if not np.isfinite(box).all():
            text = f'"{phrase.text}" is not visible in the newest image'
            return replace(reply, status=ReplyStatus.ABSENT, message=text)
        if not found.is_sure(self.request.min_score):
            return replace(reply, status=ReplyStatus.UNSURE, message=_below_min_score(found, self.request))
        gives_all = self.find.request.wants_candidates and len(found.candidates_xyxy)
        boxes = found.candidates_xyxy if gives_all else box[None]
        places = "; ".join(location_text(place, frame.width, frame.height) for place in boxes)
        grounded = tuple(Grounded(label=phrase.text, box_xyxy=place) for place in boxes)
        return replace(reply, text=f"{phrase.text}: {places}", grounded=grounded)


def _without_answer(answer: ModelReply, status: ReplyStatus, message: str) -> ModelReply:
    return replace(answer, status=status, message=message, text="", invocation=None, grounded=())


def _below_min_score(answer: ModelReply, request: ModelRequest) -> str:
    return f"the score {answer.score:.2f} is below min_score={answer.needed_score(request.min_score):g}"

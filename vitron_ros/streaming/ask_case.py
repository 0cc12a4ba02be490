"""Questions and commands: an answer counts from `min_score` on, and a call of a module only if the text asks for it.

The text must hold a request with the very verb of each instruction, and the words that the instruction names it by.
What it is to be done to is described back and found by its name, and must be the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vitron_ros.boxes import xyxy_from_norm
from vitron_ros.grounding import lexicon
from vitron_ros.grounding.intent import Deed, Intent, names_something, words_of
from vitron_ros.grounding.lexicon import Action
from vitron_ros.grounding.phrase import read_phrases, same
from vitron_ros.grounding.placement import is_same, place_words
from vitron_ros.grounding.request import Grounded, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.model.answers import NAMES, Invocation, Module
from vitron_ros.streaming.cases import CUT_OFF
from vitron_ros.streaming.find_case import Examination, Finding

MODULE_ACTIONS: dict[Module, frozenset[Action]] = {
    Module.IMAGE_SEGMENTATION: frozenset(("segmentation",)),
    Module.VIDEO_SEGMENTATION: frozenset(("segmentation",)),
    Module.IMAGE_EDITING: frozenset(("remove", "replace", "recolour")),
    Module.VIDEO_EDITING: frozenset(("remove", "replace", "recolour")),
    Module.IMAGE_GENERATION: frozenset(("generate",)),
    Module.VIDEO_GENERATION: frozenset(("generate",)),
    Module.IMAGE_TO_VIDEO: frozenset(("animate",)),
}
VERBS: dict[str, Action] = {
    "segmentation": "segmentation", "segment": "segmentation", "remove": "remove", "replace": "replace",
    "recolour": "recolour", "recolor": "recolour", "foreground": "replace", "background": "replace",
    "generate": "generate", "animate": "animate",
}  # fmt: skip
MAKING: tuple[Action, ...] = ("generate", "animate")  # these are done to no thing in the image
MOVING = frozenset(("video", "videos", "clip", "clips", "film", "movie", "animation"))


@dataclass(frozen=True, eq=False)
class Asking:
    """An ASK request whose answer is words, or a call of a module.

    Args:
        describes: as of `Finding`.
        existing: of a question whether there is something: the search for it; None: the question is another.
    """

    request: ModelRequest
    intent: Intent
    describes: bool
    existing: Finding | None = None

    def looks(self) -> Sequence[ModelRequest]:
        return [self.request, *(self.existing.looks() if self.existing else ())]

    def checks(self, seen: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        if self.existing is not None:
            return self.existing.checks(seen[1:])
        call = self._examination(seen[0])
        return [] if call is None else call.looks()

    def reply(self, seen: Sequence[ModelReply], checked: Sequence[ModelReply]) -> ModelReply:
        answer = seen[0]
        cut_off = next((reply for reply in checked if reply.status in CUT_OFF), None)
        if cut_off is not None:
            return _without_answer(answer, cut_off.status, cut_off.message)
        if answer.status is not ReplyStatus.OK:
            return answer
        if answer.invocation is None:
            return self._in_words(answer, seen, checked)
        refusal = _refusal(self.request, self.intent, answer.invocation)
        if refusal:
            return _without_answer(answer, ReplyStatus.REFUSED, refusal)
        if not answer.is_sure(self.request.min_score):
            return _without_answer(answer, ReplyStatus.UNSURE, _unsure(answer, self.request))
        call = self._examination(answer)
        problem = call.problem(checked) if call is not None else self._unplaced(answer.invocation)
        if problem:
            return _without_answer(answer, ReplyStatus.ABSENT, f"nothing is done: {problem}")
        others = [deed for deed in self.intent.requests if deed.action != self._deed(answer.invocation).action]
        return replace(answer, message=f"only one of {len(others) + 1} things is done" if others else "")

    def _in_words(self, answer: ModelReply, seen: Sequence[ModelReply], checked: Sequence[ModelReply]) -> ModelReply:
        if not answer.is_sure(self.request.min_score):
            return replace(answer, status=ReplyStatus.UNSURE, message=_unsure(answer, self.request))
        if self.existing is not None:
            found = self.existing.reply(seen[1:], checked)
            said = re.match(r"\W*(yes|no)\b", answer.text.lower())
            is_found = found.status is ReplyStatus.OK and found.is_sure(self.request.min_score)
            if said and (said[1] == "yes") != is_found and found.status in (ReplyStatus.OK, ReplyStatus.ABSENT):
                why = found.message or "a search finds it"
                return replace(answer, status=ReplyStatus.UNSURE, message=f'it says "{answer.text}", but {why}')
        return answer

    def _deed(self, invocation: Invocation) -> Deed:
        actions = _actions(invocation)
        return next(deed for deed in self.intent.requests if deed.action in actions)

    def _examination(self, answer: ModelReply) -> "CallExamination | None":
        """None: there is nothing to compare the place with, or nobody to ask."""
        invocation = answer.invocation
        if not self.describes or answer.status is not ReplyStatus.OK or invocation is None or invocation.region is None:
            return None
        if _refusal(self.request, self.intent, invocation) or not answer.is_sure(self.request.min_score):
            return None
        deed = self._deed(invocation)
        thing = "" if deed.action in MAKING else deed.object
        return CallExamination(self.request, thing, invocation) if names_something(words_of(thing)) else None

    def _unplaced(self, invocation: Invocation) -> str:
        """What is wrong with the place of a call that was not examined: it lies elsewhere than the mark, or nowhere."""
        frame = self.request.frames[-1]
        deed = self._deed(invocation)
        if invocation.region is None:
            names = self.describes and deed.action not in MAKING
            is_whole = set(words_of(deed.object)) & (MOVING | {"picture", "image", "photo", "background", "scene"})
            return f'it does not say where "{deed.object}" is' if names and not is_whole else ""
        if not self.request.regions or names_something(words_of(deed.object)):
            return ""
        x1, y1, x2, y2 = xyxy_from_norm(invocation.region, frame.width, frame.height)
        mark = self.request.regions[0].bounding_box(frame.width, frame.height)
        x, y = (mark[:2] + mark[2:]) / 2
        return "" if x1 <= x <= x2 and y1 <= y <= y2 else "it would be done elsewhere than at the mark"


class CallExamination:
    """The place that a module is to work on: it must be what the text names, and found by that name."""

    def __init__(self, request: ModelRequest, thing: str, invocation: Invocation) -> None:
        frame = request.frames[-1]
        assert invocation.region is not None
        self._box = np.asarray(xyxy_from_norm(invocation.region, frame.width, frame.height))
        self._request = request
        self._inner = [Examination(request, phrase, frame, self._box) for phrase in read_phrases(thing).items]

    def looks(self) -> list[ModelRequest]:
        looks = []
        for number, examined in enumerate(self._inner):
            found = replace(
                self._request,
                task=Task.FIND,
                frames=(examined.frame,),
                text=examined.phrase.text,
                history=(),
                regions=(),
            )
            looks += [
                replace(look, id=f"{look.id} {number} {place}", on_text=None)
                for place, look in enumerate([found, *examined.looks()])
            ]
        return looks

    def problem(self, replies: Sequence[ModelReply]) -> str:
        """Why the place is not what was named; empty: nothing speaks against it."""
        rest, problems = list(replies), []
        for examined in self._inner:
            count = 1 + len(examined.looks())
            (found, *checked), rest = rest[:count], rest[count:]
            problems.append(self._problem(examined, found, checked))
        return "" if "" in problems else problems[0]

    def _problem(self, examined: Examination, found: ModelReply, checked: Sequence[ModelReply]) -> str:
        name = examined.phrase.text
        if found.status is ReplyStatus.ABSENT:
            return f'"{name}" is not seen'
        if (
            found.status is ReplyStatus.OK
            and found.boxes_xyxy is not None
            and not is_same(found.boxes_xyxy[-1], self._box)
        ):
            return f'two looks show "{name}" in different places'
        return examined.problem(checked)


@dataclass(frozen=True, eq=False)
class Locating:
    """An ASK request that asks for a place: "where is the mug?", "track the mug"."""

    request: ModelRequest
    finding: Finding

    def looks(self) -> Sequence[ModelRequest]:
        return self.finding.looks()

    def checks(self, seen: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        return self.finding.checks(seen)

    def reply(self, seen: Sequence[ModelReply], checked: Sequence[ModelReply]) -> ModelReply:
        found, frame = self.finding.reply(seen, checked), self.request.frames[-1]
        reply = replace(found, id=self.request.id, task=Task.ASK, boxes_xyxy=None, text="")
        if found.status is not ReplyStatus.OK or found.boxes_xyxy is None:
            return reply
        phrase = next(iter(self.finding.phrases.items))
        box = found.boxes_xyxy[-1]
        if not np.isfinite(box).all():
            return replace(
                reply, status=ReplyStatus.ABSENT, message=f'"{phrase.text}" is out of sight in the newest image'
            )
        if not found.is_sure(self.request.min_score):
            return replace(reply, status=ReplyStatus.UNSURE, message=_unsure(found, self.request))
        text = f"{phrase.text}: {place_words(box, frame.width, frame.height)}"
        return replace(reply, text=text, grounded=(Grounded(label=phrase.text, box_xyxy=box),))


def _actions(invocation: Invocation) -> frozenset[Action]:
    """What an invocation would do, by its verbs, or by its module where it has none that is known."""
    verbs = [instruction.partition(":")[0].strip().lower() for instruction in invocation.instructions]
    known = frozenset(VERBS[verb] for verb in verbs if verb in VERBS)
    return known or MODULE_ACTIONS.get(invocation.module, frozenset())


def _refusal(request: ModelRequest, intent: Intent, invocation: Invocation) -> str:
    """Why a text does not ask for an invocation; empty: it does."""
    actions, module = _actions(invocation), NAMES[invocation.module].lower()
    said = "; ".join(invocation.instructions)
    if not actions or not actions & intent.actions or not actions & MODULE_ACTIONS.get(invocation.module, actions):
        return f'it would call {module} ("{said}"), which the text does not ask for; say so if you want it'
    words = words_of(" ".join([request.text, *(turn.question + " " + turn.reply for turn in request.history)]))
    makes = actions & {"generate"}
    if makes and bool(MOVING.intersection(words)) != (invocation.module is Module.VIDEO_GENERATION):
        return f"it would call {module}, and another module is meant"
    if request.regions:
        return ""  # what is marked is named by the model
    named = [word for text in invocation.instructions for word in words_of(text.partition(":")[2] or text)]
    strange = [
        word
        for word in named
        if word not in lexicon.FUNCTION_WORDS | lexicon.GENERIC and not any(same(word, other) for other in words)
    ]
    return f'it would call {module} ("{said}"), and nobody spoke of "{strange[0]}"' if strange else ""


def _without_answer(answer: ModelReply, status: ReplyStatus, message: str) -> ModelReply:
    return replace(answer, status=status, message=message, text="", invocation=None, grounded=())


def _unsure(answer: ModelReply, request: ModelRequest) -> str:
    return f"it is not sure enough, {answer.score:.2f} of min_score={answer.needed_score(request.min_score):g}"

"""Verifies a module call of the model: the text must ask for it, and its region must show what the text names.

The text must hold a request with the verb of the instruction, and every content word of the instruction. The region is
described, and the object is grounded by its name; both must agree.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vitron_ros.boxes import xyxy_from_norm
from vitron_ros.grounding import lexicon
from vitron_ros.grounding.intent import ActionMention, Intent, has_content_word, tokenise
from vitron_ros.grounding.referring_expressions import parse_expressions, same
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.grounding.spatial_relations import is_same
from vitron_ros.model.answers import NAMES, Invocation
from vitron_ros.module_registry import INSTRUCTION_VERBS, Action, Module
from vitron_ros.streaming.box_check import BoxCheck


def requested_action(intent: Intent, invocation: Invocation) -> ActionMention:
    """What the text asks for that an invocation does. There must be no `intent_problem`."""
    actions = _actions(invocation)
    return next(mention for mention in intent.requests if mention.action in actions)


def intent_problem(request: ModelRequest, intent: Intent, invocation: Invocation) -> str:
    """Why a text does not ask for an invocation; empty: it does."""
    actions, module = _actions(invocation), NAMES[invocation.module].lower()
    call = f'the model would call {module} ("{"; ".join(invocation.instructions)}")'
    if (
        not actions
        or not actions & intent.actions
        or not actions & lexicon.MODULE_ACTIONS.get(invocation.module, actions)
    ):
        return f"{call}, which the text does not ask for; ask for it explicitly if you want it"
    words = tokenise(" ".join([request.text, *(turn.question + " " + turn.reply for turn in request.history)]))
    wants_video = bool(lexicon.VIDEO_WORDS.intersection(words))
    if actions & {"generate"} and wants_video != (invocation.module is Module.VIDEO_GENERATION):
        return f"the model would call {module}, but the text asks for another module"
    if request.regions:
        return ""  # the model names what is marked
    named = [word for text in invocation.instructions for word in tokenise(text.partition(":")[2] or text)]
    unsaid = [
        word
        for word in named
        if word not in lexicon.FUNCTION_WORDS | lexicon.GENERIC_NOUNS and not any(same(word, other) for other in words)
    ]
    return f'{call}, but the text does not mention "{unsaid[0]}"' if unsaid else ""


def region_problem(request: ModelRequest, mention: ActionMention, invocation: Invocation, *, verifies: bool) -> str:
    """What is wrong with the region of a call that cannot be verified: it is missing, or not the marked one."""
    frame = request.frames[-1]
    if invocation.region is None:
        needs_region = verifies and mention.action not in lexicon.ACTIONS_WITHOUT_OBJECT
        is_whole = bool(set(tokenise(mention.object)) & lexicon.SCENE_WORDS)
        return f'the model did not say where "{mention.object}" is' if needs_region and not is_whole else ""
    if not request.regions or has_content_word(tokenise(mention.object)):
        return ""
    x1, y1, x2, y2 = xyxy_from_norm(invocation.region, frame.width, frame.height)
    mark = request.regions[0].bounding_box(frame.width, frame.height)
    x, y = (mark[:2] + mark[2:]) / 2
    return "" if x1 <= x <= x2 and y1 <= y <= y2 else "the model would act outside the marked region"


def _actions(invocation: Invocation) -> frozenset[Action]:
    """What an invocation would do, by its verbs, or by its module where it has none that is known."""
    verbs = [instruction.partition(":")[0].strip().lower() for instruction in invocation.instructions]
    known = frozenset(INSTRUCTION_VERBS[verb] for verb in verbs if verb in INSTRUCTION_VERBS)
    return known or lexicon.MODULE_ACTIONS.get(invocation.module, frozenset())


class InvocationCheck:
    """The check of an invocation's region: it must show what the text names, and be found by that name."""

    def __init__(self, request: ModelRequest, name: str, invocation: Invocation) -> None:
        frame = request.frames[-1]
        assert invocation.region is not None
        self._box = np.asarray(xyxy_from_norm(invocation.region, frame.width, frame.height))
        self._request = request
        newest = len(request.frames) - 1
        self._checks = [BoxCheck(request, phrase, newest, self._box) for phrase in parse_expressions(name).items]

    def requests(self) -> list[ModelRequest]:
        requests = []
        for number, check in enumerate(self._checks):
            find = replace(
                self._request,
                task=Task.FIND,
                frames=(check.frame,),
                text=check.phrase.text,
                history=(),
                regions=(),
            )
            requests += [
                replace(each, id=f"{each.id} {number} {index}", on_text=None)
                for index, each in enumerate([find, *check.requests()])
            ]
        return requests

    def problem(self, replies: Sequence[ModelReply]) -> str:
        """Why the region is not what was named; empty: nothing contradicts it."""
        rest, problems = list(replies), []
        for check in self._checks:
            count = 1 + len(check.requests())
            (found, *checked), rest = rest[:count], rest[count:]
            problems.append(self._problem(check, found, checked))
        return "" if "" in problems else problems[0]

    def _problem(self, check: BoxCheck, found: ModelReply, checked: Sequence[ModelReply]) -> str:
        name = check.phrase.text
        if found.status is ReplyStatus.ABSENT:
            return f'"{name}" is not visible'
        boxes = found.boxes_xyxy if found.status is ReplyStatus.OK else None
        if boxes is not None and not is_same(boxes[-1], self._box):
            return f'"{name}" was found in two different places'
        return check.problem(checked)

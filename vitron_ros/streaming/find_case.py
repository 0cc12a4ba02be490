"""Finding what a phrase points at: what was found is looked at again before it counts.

It is described back, and must agree with the words of the thing itself, those that it must not be included. Where the
phrase says where the thing lies, the things that it is compared with are found too. Wrong colours and shapes show in
the first, wrong relations and orders in the second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Frame
from vitron_ros.grounding.agreement import disagreement
from vitron_ros.grounding.intent import names_something, words_of
from vitron_ros.grounding.phrase import NAMES, OPPOSITE, Phrase, Phrases
from vitron_ros.grounding.placement import beats, is_beside, is_same, keeps_order
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.region import Region
from vitron_ros.streaming.cases import CUT_OFF

SURE_SCORE = 0.7  # of the things that a target is compared with
# Of a description, to count. On 362 clips that training never draws, with as many phrases in which the colour was
# swapped and as many in which the shape was: it loses 2.5 % of the right boxes (6.7 % if every description counted) and
# leaves boxes for 1.7 and 3.9 % of the swapped phrases (8.6 and 12.7 % without it).
SURE_DESCRIPTION = 0.55


@dataclass(frozen=True, eq=False)
class Examination:
    """A place in an image where a phrase's target may be, and the looks that speak for it or against it."""

    request: ModelRequest
    phrase: Phrase
    frame: Frame
    box_xyxy: Boxes

    def looks(self) -> list[ModelRequest]:
        """A description of the place, where the phrase has words for it, and the things that it is compared with."""
        looks = [self._look(number, text) for number, text in enumerate(self._compared(), 1)]
        if self.phrase.words or self.phrase.excluded:
            place = (Region.from_box(self.box_xyxy),)
            looks.append(replace(self._look(0), task=Task.DESCRIBE, text="", regions=place))
        return looks

    def problem(self, replies: Sequence[ModelReply]) -> str:
        """Why the target is not there; empty: nothing speaks against it."""
        for reply in self._objections(replies):
            if reply.score >= SURE_DESCRIPTION:
                return f'what was found for "{self.phrase.text}" looks like "{reply.text}"'
        boxes = [_sure_box(reply) for reply in replies if reply.task is Task.FIND]
        if not self._lies_right([box for box in boxes if box is not None]):
            return f'what was found does not lie as "{self.phrase.text}" says'
        return ""

    def is_doubtful(self, replies: Sequence[ModelReply]) -> bool:
        """Whether it is described as something else, surely or not."""
        return bool(self._objections(replies))

    def _objections(self, replies: Sequence[ModelReply]) -> list[ModelReply]:
        described = [reply for reply in replies if reply.task is Task.DESCRIBE and reply.status is ReplyStatus.OK]
        return [reply for reply in described if disagreement(self.phrase, reply.text)]

    def _compared(self) -> list[str]:
        """The phrases of the things that the target is compared with."""
        relation, order = self.phrase.relation, self.phrase.order
        if not self.request.is_placed:
            return []
        if relation is not None:
            return [relation.anchor] if names_something(words_of(relation.anchor)) else []
        if order is not None:
            extremes = (order.extreme, OPPOSITE[order.extreme])
            return [f"the {NAMES[extreme]} {self.phrase.name}" for extreme in extremes] + [f"the {self.phrase.name}"]
        return []

    def _lies_right(self, others: Sequence[Boxes]) -> bool:
        relation, order = self.phrase.relation, self.phrase.order
        if relation is not None:
            if any(is_same(self.box_xyxy, other) for other in others):
                return False
            return relation.side == "near" or all(is_beside(self.box_xyxy, other, relation.side) for other in others)
        if order is None:
            return True
        side = min(self.frame.width, self.frame.height)
        if order.rank == 1:
            return not any(beats(other, self.box_xyxy, order.extreme, side) for other in others)
        return not others or keeps_order(self.box_xyxy, others[0], order, side)

    def _look(self, number: int, text: str = "") -> ModelRequest:
        return replace(
            self.request,
            id=f"{self.request.id} check {number}",
            task=Task.FIND,
            frames=(self.frame,),
            text=text,
            newest=0,
            regions=(),
            history=(),
            on_text=None,
        )


def _sure_box(reply: ModelReply) -> Boxes | None:
    if reply.status is not ReplyStatus.OK or reply.boxes_xyxy is None or reply.score < SURE_SCORE:
        return None
    return reply.boxes_xyxy[-1] if np.isfinite(reply.boxes_xyxy[-1]).all() else None


@dataclass(frozen=True, eq=False)
class Finding:
    """A FIND request and its phrases: the first of those that "and" joins, or all that "or" joins.

    Args:
        describes: whether the model describes what it found.
    """

    request: ModelRequest
    phrases: Phrases
    describes: bool

    def looks(self) -> Sequence[ModelRequest]:
        if not self.phrases.joined:
            return [self.request]
        return [
            replace(self.request, id=f"{self.request.id} or {number}" if number else self.request.id, text=phrase.text)
            for number, phrase in enumerate(self._sought)
        ]

    def checks(self, seen: Sequence[ModelReply]) -> Sequence[ModelRequest]:
        return [look for examined in self._examined(seen) if examined is not None for look in examined.looks()]

    def reply(self, seen: Sequence[ModelReply], checked: Sequence[ModelReply]) -> ModelReply:
        rest = list(checked)
        judged = []
        for reply, examined in zip(seen, self._examined(seen), strict=True):
            count = 0 if examined is None else len(examined.looks())
            mine, rest = rest[:count], rest[count:]
            judged.append(_judged(reply, examined, mine))
        best = next((reply for reply in judged if reply.status is ReplyStatus.OK), judged[0])
        message = self._left_out if best.status is ReplyStatus.OK else best.message
        return replace(best, id=self.request.id, message=message)

    @property
    def _sought(self) -> Sequence[Phrase]:
        return self.phrases.items if self.phrases.joined == "or" else self.phrases.items[:1]

    @property
    def _left_out(self) -> str:
        """What more the text asks for than one target."""
        first, *others = self.phrases.items
        if self.phrases.joined == "and":
            rest = ", ".join(f'"{phrase.text}"' for phrase in others)
            return f'only "{first.text}" is taken; ask for {rest} by itself'
        if self.phrases.joined == "" and first.many:
            return f'"{first.text}" asks for more than one; only one is taken'
        return ""

    def _examined(self, seen: Sequence[ModelReply]) -> list[Examination | None]:
        return [self._examination(phrase, reply) for phrase, reply in zip(self._sought, seen, strict=True)]

    def _examination(self, phrase: Phrase, reply: ModelReply) -> Examination | None:
        """None: there is nothing to examine, or nobody to ask."""
        if not self.describes or reply.status not in (ReplyStatus.OK, ReplyStatus.UNSURE) or reply.boxes_xyxy is None:
            return None
        shown = np.flatnonzero(np.isfinite(reply.boxes_xyxy).all(axis=-1))
        if not len(shown):
            return None
        frame, box = self.request.frames[shown[-1]], reply.boxes_xyxy[shown[-1]]
        if not _has_area(box, frame):
            return None
        return Examination(self.request, phrase, frame, box)


def _has_area(box_xyxy: Boxes, frame: Frame) -> bool:
    x1, y1, x2, y2 = np.clip(box_xyxy, 0, [frame.width, frame.height, frame.width, frame.height])
    return bool(x2 - x1 >= 1 and y2 - y1 >= 1)


def _judged(reply: ModelReply, examined: Examination | None, checked: Sequence[ModelReply]) -> ModelReply:
    """The reply, or that there is no such thing, where the checks speak against what was found."""
    if examined is None:
        return reply
    cut_off = next((other for other in checked if other.status in CUT_OFF), None)
    if cut_off is not None:
        return replace(reply, status=cut_off.status, message=cut_off.message, boxes_xyxy=None, score=0.0)
    problem = examined.problem(checked)
    if not problem:
        return replace(reply, is_doubted=examined.is_doubtful(checked))
    return replace(reply, status=ReplyStatus.ABSENT, message=problem, boxes_xyxy=None, is_contradicted=True)

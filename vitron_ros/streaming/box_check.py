"""Verifies that a box shows what a phrase says.

The model is shown the box alone, and must not take it for something else. Where the phrase states a position, the
objects that it compares with are grounded, too. Wrong colours and shapes show in the first, wrong relations and
ordinals in the second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Frame
from vitron_ros.grounding.intent import has_content_word, tokenise
from vitron_ros.grounding.referring_expressions import NAMES, OPPOSITE, ReferringExpression
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.grounding.spatial_relations import is_more_extreme, is_on_side, is_same, may_have_rank
from vitron_ros.region import Region

MIN_LANDMARK_SCORE = 0.7  # of the objects that a target is compared with
# Of a contradiction, to count. On 362 clips that training never draws, with as many phrases in which the colour was
# swapped and as many in which the shape was: it loses 2.5 % of the right boxes (6.7 % if every description counted) and
# leaves boxes for 1.7 and 3.9 % of the swapped phrases (8.6 and 12.7 % without it).
MIN_CONTRADICTION_SCORE = 0.55

Position = Literal["right", "wrong", "unknown"]


@dataclass(frozen=True, eq=False)
class BoxCheck:
    """The check of one box (4,) px against a phrase.

    Attributes:
        index: of the request's frame that the box is in.
        name: unique among the checks of a request.
    """

    request: ModelRequest
    phrase: ReferringExpression
    index: int
    box_xyxy: Boxes
    name: str = ""

    @property
    def frame(self) -> Frame:
        return self.request.frames[self.index]

    def requests(self) -> list[ModelRequest]:
        """Whether it shows the object, where the phrase has words for it, and the objects that it is compared with.

        Checks of one request that compare with the same object of the same frame give that question the same id.
        """
        requests = [self._request(f"frame {self.index} {text}", text) for text in self._compared()]
        if self.phrase.words or self.phrase.excluded:
            region = (Region.from_box(self.box_xyxy),)
            requests.append(
                replace(self._request(self.name), task=Task.VERIFY, text=self.phrase.text_of_one, regions=region)
            )
        return requests

    def problem(self, replies: Sequence[ModelReply]) -> str:
        """Why the box is not the target; empty: nothing contradicts it."""
        for reply in self._contradictions(replies):
            if reply.score >= MIN_CONTRADICTION_SCORE:
                looks = f'looks like "{reply.text}"' if reply.text else "looks like something else"
                return f'what was found for "{self.phrase.text}" {looks}'
        if self._position(replies) == "wrong":
            return f'what was found is not where "{self.phrase.text}" says'
        return ""

    def is_doubtful(self, replies: Sequence[ModelReply]) -> bool:
        """Whether the model takes it for something else, however unsurely."""
        return bool(self._contradictions(replies))

    def is_unverified(self, replies: Sequence[ModelReply]) -> bool:
        """Whether nothing but a position says what is meant, as of "the one next to the mug", and it is not known."""
        return not self.phrase.has_noun and self._position(replies) == "unknown"

    def _contradictions(self, replies: Sequence[ModelReply]) -> list[ModelReply]:
        return [reply for reply in replies if reply.task is Task.VERIFY and reply.status is ReplyStatus.ABSENT]

    def _compared(self) -> list[str]:
        """The phrases of the objects that the target is compared with."""
        relation, ordinal = self.phrase.relation, self.phrase.ordinal
        if not self.request.is_placed:
            return []
        if relation is not None:
            return [relation.landmark] if has_content_word(tokenise(relation.landmark)) else []
        if ordinal is not None:
            extremes = (ordinal.extreme, OPPOSITE[ordinal.extreme])
            return [f"the {NAMES[extreme]} {self.phrase.name}" for extreme in extremes] + [f"the {self.phrase.name}"]
        return []

    def _position(self, replies: Sequence[ModelReply]) -> Position:
        """Whether the box is where the phrase says, by the boxes of what it is compared with. Nearness has no limit
        that could be tested."""
        relation, ordinal = self.phrase.relation, self.phrase.ordinal
        boxes = [_sure_box(reply) for reply in replies if reply.task is Task.FIND]
        others = [box for box in boxes if box is not None]
        if not self.request.is_placed or (relation is None and ordinal is None):
            return "right"
        if relation is not None:
            if any(is_same(self.box_xyxy, other) for other in others):
                return "wrong"
            if relation.side == "near" or not others:
                return "unknown"
            is_right = all(is_on_side(self.box_xyxy, other, relation.side) for other in others)
        elif ordinal is not None:
            side = min(self.frame.width, self.frame.height)
            if ordinal.rank == 1:
                is_right = not any(is_more_extreme(other, self.box_xyxy, ordinal.extreme, side) for other in others)
            else:
                is_right = not others or may_have_rank(self.box_xyxy, others[0], ordinal, side)
        return "right" if is_right else "wrong"

    def _request(self, name: str, text: str = "") -> ModelRequest:
        return replace(
            self.request,
            id=f"{self.request.id} check {name}",
            task=Task.FIND,
            frames=(self.frame,),
            text=text,
            newest=0,
            wants_candidates=False,
            regions=(),
            history=(),
            on_text=None,
        )


def _sure_box(reply: ModelReply) -> Boxes | None:
    if reply.status is not ReplyStatus.OK or reply.boxes_xyxy is None or reply.score < MIN_LANDMARK_SCORE:
        return None
    return reply.boxes_xyxy[-1] if np.isfinite(reply.boxes_xyxy[-1]).all() else None

"""Which earlier turns of a conversation a new one is asked with.

A model that never saw earlier turns in training, or only before a pronoun, answers worse behind them: boxes of an old
answer turn up in the new one. What says all that it means is asked alone there.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from vitron_ros.grounding.request import ConversationTurn, ModelRequest

PRONOUN = re.compile(
    r"\b(?:it|its|itself|them|they|their|theirs|he|she|him|her|his|hers)\b"
    r"|\b(?:this|that|these|those)\b(?=\s*(?:[.,;:!?]|$))",
    re.IGNORECASE,
)
ELLIPSIS = re.compile(
    r"\b(?:other|others|another|same|else|instead|previous|earlier|former|latter|as before)\b"
    r"|\b(?:this|that|these|those|which)\s+ones?\b|\bthe\s+(?:\w+\s+){1,3}ones?\b"
    r"|^\W*(?:and|but|what about|how about|why|(?:once )?(?:again|more))\b",
    re.IGNORECASE,
)
# "The ball until it stops" holds what its pronoun stands for; "the star above it" does not.
OWN_ANTECEDENT = re.compile(
    r"\b(?:the|an?|every|each)\s+\w.{0,200}\b(?:and|or|but|until|till|when|while|if|because|before|after|where|so|as|"
    r"since|then)\b",
    re.IGNORECASE | re.DOTALL,
)


def refers_back(text: str) -> bool:
    """Whether a sentence needs those before it to be understood, by its pronouns and by what it leaves out."""
    found = [match for pattern in (PRONOUN, ELLIPSIS) if (match := pattern.search(text))]
    return any(not OWN_ANTECEDENT.search(text, 0, match.start()) for match in found)


def with_needed_history(request: ModelRequest, kept: str) -> ModelRequest:
    """A request with the earlier turns that its model can use.

    Args:
        kept: "all" of them; "antecedent": the one that the text refers back to, if it does. Where a region is marked,
            that is what the text means.
    """
    if kept == "all" or not request.history:
        return request
    is_needed = not request.regions and refers_back(request.text)
    return replace(request, history=(_antecedent(request.history),) if is_needed else ())


def _antecedent(history: Sequence[ConversationTurn]) -> ConversationTurn:
    """The newest turn with a box, back over turns without one that refer back themselves."""
    for turn in reversed(history):
        if turn.box_xyxy is not None or not refers_back(turn.question):
            return turn
    return history[-1]

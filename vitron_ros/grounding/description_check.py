"""Whether a model's description of a box agrees with the phrase that the box was found for: VERIFY by DESCRIBE.

For models of few words alone: those of published models are too free for it.

A description contradicts a phrase where it names another value of the same attribute, another noun, or what the phrase
excludes. What it leaves out contradicts nothing. Only the words of the object itself are compared, not those of a
landmark.
"""

from dataclasses import replace

from vitron_ros.grounding import lexicon
from vitron_ros.grounding.intent import tokenise
from vitron_ros.grounding.referring_expressions import (
    ReferringExpression,
    is_attribute,
    parse_expressions,
    same,
    singular,
)
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task


def description_request(request: ModelRequest) -> ModelRequest:
    """What to ask for a VERIFY; any other request as it is."""
    return replace(request, task=Task.DESCRIBE, text="") if request.task is Task.VERIFY else request


def verified(request: ModelRequest, reply: ModelReply) -> ModelReply:
    """The reply to a VERIFY, from that to its `description_request`; that to any other request as it is."""
    if request.task is not Task.VERIFY:
        return reply
    phrase = parse_expressions(request.text).items[0]
    is_other = reply.status is ReplyStatus.OK and bool(contradiction(phrase, reply.text))
    return replace(reply, task=request.task, status=ReplyStatus.ABSENT if is_other else reply.status)


def contradiction(phrase: ReferringExpression, description: str) -> str:
    """The word of the phrase that a description contradicts; empty: there is none."""
    said = [singular(word) for word in tokenise(description) if word not in lexicon.FUNCTION_WORDS]
    if not said:
        return ""
    for word in phrase.excluded:
        if any(same(word, other) for other in said):
            return f"not {word}"
    for values in lexicon.ATTRIBUTES.values():
        wanted, given = values.intersection(phrase.words), values.intersection(said)
        if wanted and given and not wanted & given:
            return min(wanted)
    for pair in lexicon.OPPOSITES:
        wanted, given = pair.intersection(phrase.words), pair.intersection(said)
        if wanted and given and not wanted & given:
            return min(wanted)
    noun, named = phrase.words[-1] if phrase.words else "", said[-1]
    if noun and not is_attribute(noun) and named not in lexicon.GENERIC_NOUNS and not is_attribute(named):
        return "" if same(noun, named) else noun
    return ""

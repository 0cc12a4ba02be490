"""Whether a model's description of a box agrees with the phrase that the box was found for.

A description contradicts a phrase where it names another value of the same attribute, another noun, or what the phrase
excludes. What it leaves out contradicts nothing. Only the words of the object itself are compared, not those of a
landmark.
"""

from vitron_ros.grounding import lexicon
from vitron_ros.grounding.intent import tokenise
from vitron_ros.grounding.referring_expressions import ReferringExpression, is_attribute, same, singular


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

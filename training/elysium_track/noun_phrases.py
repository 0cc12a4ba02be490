"""The things that a caption names: "a young woman" and "her dog" of "A young woman is walking her dog".

Two ways to find them: rules over closed classes of English words, which need no weights, and spaCy, as in the paper.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from training.elysium_track.caption_words import (
    ABSTRACT,
    ADJECTIVES,
    ADVERBS,
    ARTICLES,
    BOUNDARIES,
    COLLECTIVES,
    NOT_PARTICIPLES,
    PARTICIPLES,
    VERBS,
)
from vitron_ros.errors import ConfigError
from vitron_ros.grounding import lexicon
from vitron_ros.grounding.referring_expressions import is_attribute, singular

Unusable = Literal["abstract", "plural"]
TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+|[^\s\w]")
SINGULAR = frozenset(("a", "an", "one", "this", "that", "another", "each", "every"))  # determiners
PLURAL = frozenset(lexicon.QUANTIFIERS) | {"some", "few", "dozens", "hundreds", "both"}
ABSENT = "no"  # what follows is not there
LONGEST = 8  # words of a phrase; what is longer is a title or a list


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """A noun phrase of a caption.

    Attributes:
        text: in lower case, without its article: "young woman", "her dog".
        head: its last noun, in the singular.
        unusable: why it does not name one thing that can be seen: a word such as "time" or "wind", or a plural such as
            "family" or "two dogs". Empty: it does.
    """

    text: str
    head: str
    unusable: Unusable | Literal[""] = ""


FindPhrases = Callable[[str], list[NounPhrase]]


def phrases_by_rules(caption: str) -> list[NounPhrase]:
    """The noun phrases of an English caption, in order, each text once. Every text has some or none."""
    phrases: dict[str, NounPhrase] = {}
    words: list[str] = []
    for word in [*TOKEN.findall(caption.lower()), "."]:
        if word in lexicon.DETERMINERS or word.isdecimal():
            _close(words, phrases)
            words = words if words == [ABSENT] else [word]
        elif _ends(word, words):
            _close(words, phrases)
            words = [ABSENT] if word == "without" else []
        elif not _is_adverb(word) or _has_noun(words):
            words.append(word)
    return list(phrases.values())


def phrases_by_spacy(pipeline: str) -> FindPhrases:
    """Noun chunks by a spaCy pipeline, such as en_core_web_sm.

    Raises:
        ConfigError: spaCy or the pipeline is not installed, or the pipeline has no parser.
    """
    try:
        import spacy  # type: ignore[import-not-found]

        parse = spacy.load(pipeline)
        list(parse("A car.").noun_chunks)  # a pipeline without a parser fails here
    except (ImportError, OSError, ValueError) as error:
        raise ConfigError(
            f"spaCy's pipeline {pipeline} cannot be used ({error}); install spacy and a pipeline with a parser, "
            "or leave it out"
        ) from error

    def find(caption: str) -> list[NounPhrase]:
        phrases: dict[str, NounPhrase] = {}
        for chunk in parse(caption).noun_chunks:
            if chunk.root.pos_ != "PRON":
                _close(TOKEN.findall(chunk.text.lower()), phrases, is_plural=chunk.root.tag_ in ("NNS", "NNPS"))
        return list(phrases.values())

    return find


def _ends(word: str, words: list[str]) -> bool:
    """Whether a noun phrase that begins with these words ends before that word."""
    if not word[0].isalpha() or word in BOUNDARIES or word in lexicon.FUNCTION_WORDS:
        return True
    if not _has_noun(words):
        return word in VERBS or (not words and _is_participle(word))
    if word in VERBS or _is_participle(word) or _is_adverb(word):
        return True
    is_one = words[0] in SINGULAR and singular(words[-1]) == words[-1]
    return is_one and singular(word) != word  # "a dog barks", "a child waves"


def _close(words: list[str], phrases: dict[str, NounPhrase], *, is_plural: bool | None = None) -> None:
    """Add a phrase of these words, where they are one."""
    determiner = words[0] if words and (words[0] in lexicon.DETERMINERS or words[0].isdecimal()) else ""
    named = words[1:] if determiner in ARTICLES or determiner == "1" else words
    while named and _is_adjective(named[-1]):
        named = named[:-1]
    if not named or len(named) > LONGEST or named == [determiner] or determiner == ABSENT:
        return
    head = singular(named[-1])
    if is_plural is None:
        is_plural = head != named[-1]
    is_plural = (
        is_plural or head in COLLECTIVES or determiner in PLURAL or (determiner.isdecimal() and determiner != "1")
    )
    unusable: Unusable | Literal[""] = "abstract" if ABSTRACT & {*named, head} else "plural" if is_plural else ""
    text = " ".join(named)
    phrases.setdefault(text, NounPhrase(text, head, unusable))


def _has_noun(words: list[str]) -> bool:
    return any(word not in lexicon.DETERMINERS and not _is_adjective(word) for word in words)


def _is_adjective(word: str) -> bool:
    return word in ADJECTIVES or is_attribute(word) or _is_participle(word) or _is_adverb(word) or word.isdecimal()


def _is_participle(word: str) -> bool:
    if word in NOT_PARTICIPLES:
        return False
    return word in PARTICIPLES or (len(word) > 4 and word.endswith(("ing", "ed")))


def _is_adverb(word: str) -> bool:
    return word in ADVERBS or (len(word) > 4 and word.endswith("ly") and word not in NOT_PARTICIPLES)

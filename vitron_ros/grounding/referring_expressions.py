"""The parts of a phrase that points at things: "the small ring that is not red", "the second mug from the left",
"the bottle left of the red square", "the ring and the mug". English; text in, data out; every text has parts.
"""

import re
from dataclasses import dataclass
from typing import Literal

from vitron_ros.grounding import lexicon
from vitron_ros.grounding.intent import tokenise
from vitron_ros.grounding.vocabulary import forms

Side = Literal["left", "right", "above", "below"]
Extreme = Literal["left", "right", "above", "below", "largest", "smallest"]

SIDES: tuple[tuple[Side, str], ...] = (
    ("left", r"(?:(?:on|at|to) )?(?:the )?left(?: hand)?(?: side)? of"),
    ("right", r"(?:(?:on|at|to) )?(?:the )?right(?: hand)?(?: side)? of"),
    ("above", r"above|over|higher than|on top of"),
    ("below", r"below|under|underneath|beneath|lower than"),
)
NEAR = r"next to|(?:closest|nearest|close|near) to|(?:closest|nearest|near|beside|by)(?= (?:the|a|an|this|that|it)\b)"
EDGES: dict[str, Extreme] = {
    "left": "left",
    "right": "right",
    "top": "above",
    "bottom": "below",
    "upper": "above",
    "lower": "below",
}
OPPOSITE: dict[Extreme, Extreme] = {
    "left": "right", "right": "left", "above": "below", "below": "above", "largest": "smallest", "smallest": "largest",
}  # fmt: skip
EXTREMES: dict[str, Extreme] = {
    "leftmost": "left", "rightmost": "right", "topmost": "above", "uppermost": "above", "highest": "above",
    "bottommost": "below", "lowest": "below", "largest": "largest", "biggest": "largest", "hugest": "largest",
    "smallest": "smallest", "tiniest": "smallest", "littlest": "smallest",
}  # fmt: skip
NAMES: dict[Extreme, str] = {
    "left": "leftmost", "right": "rightmost", "above": "topmost", "below": "bottommost", "largest": "largest",
    "smallest": "smallest",
}  # fmt: skip
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": 1}
EDGE = r"(?P<edge>left|right|top|bottom)"
ORDER = (
    rf"(?:farthest|furthest) (?:to|at|on) the {EDGE}", rf"nearest (?:to )?the {EDGE} edge", rf"at the far {EDGE}",
    rf"(?:that is (?P<rank>\w+) |number (?P<number>\d) |counting )?from the {EDGE}",
    rf"(?:on|at|to) the {EDGE}(?: side| edge)?",
)  # fmt: skip
BEHIND = (
    r"that|which|who|whose|moving|going|heading|coming|standing|staying|lying|hiding|of|in|on|at|to|with|from|for|near|"
    r"behind|beside|between|inside|before|after|while|is|are|has|having|does|number|counting|farthest|furthest|over|"
    r"by|against|along|across|" + "|".join(lexicon.MODIFYING_VERBS)
)
NEGATION = r"(?:that|which) (?:is|are) (?:not|neither)|not|except|without|other than|but not|rather than"
PARTITIVE = re.compile(rf"\b({'|'.join(lexicon.QUANTIFIERS)}|\d+) of\b")
NEGATIVE_START = re.compile(r"(?:(?:any|every)thing|all|anyone)? ?(?:not|except|without|other than|but)\b")


@dataclass(frozen=True, slots=True)
class Ordinal:
    """The `rank`th from a side, or the largest or smallest."""

    extreme: Extreme
    rank: int = 1


@dataclass(frozen=True, slots=True)
class Relation:
    """Beside another thing; near: no side of it is said."""

    side: Side | Literal["near"]
    landmark: str


@dataclass(frozen=True, slots=True)
class ReferringExpression:
    """One thing, or several of a kind, as a phrase points at it.

    Attributes:
        text: as it was said, without courtesies.
        words: what the thing itself must be, attributes and at last its noun, without those that fit anything.
        excluded: what it must not be.
        quantifier: "two", "all", "12", ...; empty: one is meant.
        is_negative: it says only what is not meant.
    """

    text: str
    words: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    relation: Relation | None = None
    ordinal: Ordinal | None = None
    quantifier: str = ""
    is_negative: bool = False

    @property
    def count(self) -> int | None:
        """How many are meant; None: all that there are."""
        if not self.quantifier:
            return 1
        return int(self.quantifier) if self.quantifier.isdigit() else lexicon.NUMBERS.get(self.quantifier)

    @property
    def text_of_one(self) -> str:
        """What is said of each of several: "the red mug" of "both of the red mugs"."""
        if not self.quantifier:
            return self.text
        words = self.text.split()
        while words and (words[0] in lexicon.QUANTIFIERS or words[0] in (self.quantifier, "the", "of")):
            words = words[1:]
        head = next((place for place, word in enumerate(words) if singular(word) in self.words[-1:]), len(words))
        return " ".join(["the", *words[:head], *map(singular, words[head : head + 1]), *words[head + 1 :]])

    @property
    def is_plain(self) -> bool:
        """Whether it names a kind of thing, as in "red mug", and not one of them, as in "the red mug"."""
        first = self.text.partition(" ")[0]
        return not self.quantifier and self.ordinal is None and first not in lexicon.FUNCTION_WORDS

    @property
    def name(self) -> str:
        """The thing by its own words: "small red ring"; "object" where there are none."""
        return " ".join((*self.words, *(() if self.has_noun else ("object",))))

    @property
    def has_noun(self) -> bool:
        """Whether its head noun says what kind of object it is; "one" or "thing" does not."""
        return bool(self.words) and not is_attribute(self.words[-1])


@dataclass(frozen=True, slots=True)
class ExpressionList:
    """What a text points at. conjunction: "and": all of them; "or": any of them; empty: there is one."""

    items: tuple[ReferringExpression, ...]
    conjunction: Literal["", "and", "or"] = ""


def is_attribute(word: str) -> bool:
    return word in lexicon.SIZES or any(word in values for values in lexicon.ATTRIBUTES.values())


def parse_expressions(text: str) -> ExpressionList:
    """The phrases that a text joins by "and" or "or"; one where it joins none."""
    words = _spoken(tokenise(text))
    for conjunction in ("and", "or"):
        places = [place for place, word in enumerate(words) if word == conjunction]
        parts = _split(words, places)
        if len(parts) > 1 and all(map(_is_named, parts)):
            items = tuple(_read(part) for part in parts)
            return ExpressionList(items, "and" if conjunction == "and" else "or")
    return ExpressionList((_read(words),))


def _split(words: list[str], places: list[int]) -> list[list[str]]:
    """At the joints behind which a name begins: "and the mug", "or two rings", and not "hides and returns"."""
    parts, begin = [], 0
    for place in places:
        after = words[place + 1 : place + 2]
        if place > begin and after and (after[0] in lexicon.DETERMINERS or _is_bare_list(words)):
            parts.append(words[begin:place])
            begin = place + 1
    return [*parts, words[begin:]]


def _is_bare_list(words: list[str]) -> bool:
    """ "red ring and purple mug": no word of grammar but the joint."""
    return all(word in ("and", "or", "the") or word not in lexicon.FUNCTION_WORDS for word in words) and not any(
        is_attribute(words[place - 1]) for place, word in enumerate(words) if word in ("and", "or") and place
    )


def _is_named(words: list[str]) -> bool:
    return any(word not in lexicon.FUNCTION_WORDS for word in words)


def _spoken(words: list[str]) -> list[str]:
    """Without the courtesies around it."""
    courtesies = {"please", "thanks", "thank", "kindly", "robot", "now", "just", "hey"}
    while words and words[0] in courtesies:
        words = words[1:]
    while words and (words[-1] in courtesies or words[-2:] in (["for", "me"], ["thank", "you"])):
        words = words[: -2 if words[-2:] in (["for", "me"], ["thank", "you"]) else -1]
    return words


def _read(words: list[str]) -> ReferringExpression:
    said = " ".join(words)
    rest, relation, ordinal = PARTITIVE.sub(r"\1", said), None, None
    negation = re.search(rf"\b(?:{NEGATION})\b(?P<what>.*)", rest)
    excluded: tuple[str, ...] = ()
    is_negative = bool(NEGATIVE_START.match(said))
    if negation and not re.match(r" (?:does|do|move|moving)", negation["what"]):
        what = re.split(r"\b(?:and|or|nor|that|which)\b", negation["what"])
        named = (word for part in what for word in _content(part.split()))
        excluded = tuple(lexicon.PATTERN_NOUNS.get(word, word) for word in named)
        rest = rest[: negation.start()]
    placed = _relation(rest)
    if placed is not None:
        rest, relation = placed
    else:
        rest, ordinal = _ordinal(rest)
    head = re.split(rf"(?<!^)\b(?:{BEHIND})\b", rest, maxsplit=1)
    quantifier = next((lexicon.QUANTIFIERS[word] for word in head[0].split() if word in lexicon.QUANTIFIERS), "")
    content = _content(head[0].split())
    content += [lexicon.PATTERN_NOUNS[word] for word in rest.split() if word in lexicon.PATTERN_NOUNS]
    if ordinal is None:
        content, ordinal = _named_order(content)
    if not quantifier and content and _is_plural(content[-1]):
        quantifier = next((str(int(word)) for word in head[0].split() if word.isdecimal() and int(word) > 1), "several")
    content = [singular(word) if index == len(content) - 1 else word for index, word in enumerate(content)]
    patterns = [word for word in content if word in lexicon.PATTERNS]
    own = [*patterns, *(word for word in content if word not in lexicon.GENERIC_NOUNS and word not in patterns)]
    return ReferringExpression(said, tuple(own), excluded, relation, ordinal, quantifier, is_negative)


def _relation(said: str) -> tuple[str, Relation] | None:
    """What stands before a relation, and the relation with what stands behind it."""
    reversed_ = re.search(r"\b(?:that )?has (?P<landmark>.+) on (?:its|the) (?P<side>left|right)", said)
    if reversed_:
        return said[: reversed_.start()], Relation(
            "right" if reversed_["side"] == "left" else "left", reversed_["landmark"]
        )
    first: tuple[int, str, Relation] | None = None
    patterns: tuple[tuple[Side | Literal["near"], str], ...] = (*SIDES, ("near", NEAR))
    for side, pattern in patterns:
        match = re.search(rf"(?<=\w )(?:that is |which is |standing |lying )?(?:{pattern}) (?P<landmark>.+)", said)
        if match is None or re.match(r"there$|(?:the )?(?:left|right|top|bottom)(?: edge)?$", match["landmark"]):
            continue
        if first is None or match.start() < first[0]:
            first = match.start(), said[: match.start()], Relation(side, match["landmark"])
    return None if first is None else first[1:]


def _ordinal(said: str) -> tuple[str, Ordinal | None]:
    """What stands before an ordinal that is said behind the noun, and the ordinal."""
    for pattern in ORDER:
        match = re.search(rf"(?:that is )?\b{pattern}", said)
        if match is None:
            continue
        groups = match.groupdict()
        head = said[: match.start()].split()
        rank = ORDINALS.get(groups.get("rank") or "", 0) or int(groups.get("number") or 0)
        rank = rank or next((ORDINALS[word] for word in head if word in ORDINALS), 1)
        return " ".join(word for word in head if word not in ORDINALS), Ordinal(EDGES[match["edge"]], rank)
    return said, None


def _named_order(content: list[str]) -> tuple[list[str], Ordinal | None]:
    """The words without one that says an ordinal before the noun: "leftmost", "largest", "left"."""
    for place, word in enumerate(content):
        extreme = EXTREMES.get(word) or (EDGES.get(word) if place == 0 and len(content) > 1 else None)
        if extreme is not None:
            return content[:place] + content[place + 1 :], Ordinal(extreme)
    return content, None


def _content(words: list[str]) -> list[str]:
    return [word for word in words if word not in lexicon.FUNCTION_WORDS | lexicon.NON_VISUAL and not word.isdigit()]


def _is_plural(word: str) -> bool:
    return singular(word) != word


def singular(word: str) -> str:
    """A noun without the mark of the plural."""
    if word in lexicon.IRREGULAR_PLURALS:
        return lexicon.IRREGULAR_PLURALS[word]
    if word in lexicon.SINGULARS or not word.endswith("s") or word.endswith("ss") or len(word) < 4:
        return word
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]


def same(word: str, other: str) -> bool:
    """Whether two words name the same, in whatever number."""
    if forms(word) & forms(other):
        return True
    return any(forms(word) & names and forms(other) & names for names in lexicon.SAME_KIND)

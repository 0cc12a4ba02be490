"""Language templates of queries, in families; the first of each is the plainest."""

from dataclasses import dataclass

import numpy as np

from training.worlds.queries import AttributeQuery, Beside, Closest, Extreme, Farthest, Moving, Nth, Query
from training.worlds.splits import held_out_templates, templates_for
from vitron_ros.worlds.vocabulary import SYNONYMS, Split

ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth"}
PATTERN_NOUNS = {"striped": "stripes", "dotted": "dots", "checked": "checks"}
BESIDE_WORDS = {"left": "left of", "right": "right of", "up": "above", "down": "below"}
EDGE_WORDS = {"left": "left", "right": "right", "up": "top", "down": "bottom"}
FARTHEST_WORDS = {"left": "leftmost", "right": "rightmost", "up": "topmost", "down": "bottommost"}

KIND = ("the {kind}", "{kind}", "the {kind} in the picture", "that {kind} over there")
FARTHEST = (
    "the {farthest} {kind}",
    "the {kind} farthest to the {edge}",
    "the {kind} nearest the {edge} edge",
    "the first {kind} from the {edge}",
    "the {kind} at the far {edge}",
)
NTH = (
    "the {nth} {kind} from the {edge}",
    "{kind} number {number} from the {edge}",
    "the {nth} {kind} counting from the {edge}",
    "the {kind} that is {nth} from the {edge}",
)
LARGEST = ("the largest {kind}", "the biggest {kind}", "the {kind} of the greatest size")
SMALLEST = ("the smallest {kind}", "the tiniest {kind}", "the {kind} of the least size")
BESIDE = {
    "left": (
        "the {kind} left of the {anchor}",
        "the {kind} to the left of the {anchor}",
        "the {kind} on the left side of the {anchor}",
        "the {kind} that has the {anchor} on its right",
    ),
    "right": (
        "the {kind} right of the {anchor}",
        "the {kind} to the right of the {anchor}",
        "the {kind} on the right side of the {anchor}",
        "the {kind} that has the {anchor} on its left",
    ),
    "up": ("the {kind} above the {anchor}", "the {kind} higher than the {anchor}", "the {kind} over the {anchor}"),
    "down": ("the {kind} below the {anchor}", "the {kind} lower than the {anchor}", "the {kind} under the {anchor}"),
}
CLOSEST = (
    "the {kind} closest to the {anchor}",
    "the {kind} nearest to the {anchor}",
    "the {kind} next to the {anchor}",
    "the {kind} by the {anchor}",
)
DIRECTION = (
    "the {kind} moving {way}",
    "the {kind} that moves {way}",
    "the {kind} going {way}",
    "the {kind} heading {way}",
    "the {kind} on its way {way}",
)
MOTION = {
    "still": (
        "the {kind} that does not move",
        "the {kind} standing still",
        "the motionless {kind}",
        "the {kind} that stays in place",
    ),
    "leaves": ("the {kind} that leaves", "the {kind} that goes away", "the {kind} that goes out of view"),
    "appears": ("the {kind} that appears", "the {kind} that turns up later", "the {kind} that comes into view"),
    "returns": (
        "the {kind} that comes back after hiding",
        "the {kind} that disappears and comes back",
        "the {kind} that hides and returns",
        "the {kind} that comes back",
    ),
}
AT_THE_START = (" at the start", " at first", " in the first frame")


@dataclass(frozen=True, slots=True)
class VerbalizedQuery:
    """A verbalised query: its text, its template, and whether training never uses that template."""

    text: str
    template: str
    is_held_out: bool


def pick_template(family: tuple[str, ...], split: Split, rng: np.random.Generator) -> VerbalizedQuery:
    """A template of a family that the split may use, not filled yet. The plainest is taken more often."""
    allowed = templates_for(family, split)
    template = allowed[0] if rng.random() < 0.25 else allowed[int(rng.integers(len(allowed)))]
    return VerbalizedQuery(template, template, template in held_out_templates(family))


def article(phrase: str) -> str:
    """The phrase with "a" or "an" before it."""
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"


def plural(noun: str) -> str:
    """The plural of a shape's name or of "object"."""
    if noun == "fish":
        return noun
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def kind_name(kind: AttributeQuery) -> str:
    """The plain name of a kind: "small striped red ring", "blue object", "star that is not red"."""
    pattern = kind.pattern if kind.shape or kind.pattern != "plain" else "plain"
    words = [word for word in (kind.size, pattern, kind.colour) if word] + [kind.shape or "object"]
    return " ".join(words) + (f" that is not {kind.other_than}" if kind.other_than else "")


def verbalize_kind(kind: AttributeQuery, rng: np.random.Generator) -> str:
    """A name of a kind, perhaps with a synonym, or with the pattern after the noun: "red cup with stripes"."""
    noun = kind.shape or ("thing" if rng.random() < 0.15 else "object")
    synonyms = SYNONYMS.get(noun, ())
    if synonyms and rng.random() < 0.35:
        noun = synonyms[int(rng.integers(len(synonyms)))]
    is_postfix = kind.pattern in PATTERN_NOUNS and rng.random() < 0.35
    words = [word for word in (kind.size, None if is_postfix else kind.pattern, kind.colour) if word] + [noun]
    text = " ".join(words)
    if is_postfix and kind.pattern is not None:
        text += f" with {PATTERN_NOUNS[kind.pattern]}"
    return text + (f" that is not {kind.other_than}" if kind.other_than else "")


def verbalize(query: Query, split: Split, rng: np.random.Generator, *, anchor: str | None = None) -> VerbalizedQuery:
    """A query in words. `anchor` stands for the other object of a relation, such as "it".

    Raises:
        TypeError: the query is of no known type.
    """
    family: tuple[str, ...]
    values: dict[str, str]
    if isinstance(query, AttributeQuery):
        family, values = KIND, {}
    elif isinstance(query, Farthest):
        family = FARTHEST
        values = {"farthest": FARTHEST_WORDS[query.direction], "edge": EDGE_WORDS[query.direction]}
    elif isinstance(query, Nth):
        family = NTH
        values = {"nth": ORDINALS[query.number], "number": str(query.number), "edge": EDGE_WORDS[query.direction]}
    elif isinstance(query, Extreme):
        family, values = (LARGEST if query.is_largest else SMALLEST), {}
    elif isinstance(query, Beside | Closest):
        family = BESIDE[query.direction] if isinstance(query, Beside) else CLOSEST
        values = {"anchor": anchor or "the " + verbalize_kind(query.anchor, rng)}
    elif isinstance(query, Moving):
        family, values = MOTION.get(query.motion, DIRECTION), {"way": query.motion}
    else:
        raise TypeError(f"no templates for {type(query).__name__}")
    phrase = pick_template(family, split, rng)
    values["kind"] = verbalize_kind(query if isinstance(query, AttributeQuery) else query.kind, rng)
    text = phrase.template.replace("the {anchor}", "{anchor}").format(**values)
    return VerbalizedQuery(text, phrase.template, phrase.is_held_out)

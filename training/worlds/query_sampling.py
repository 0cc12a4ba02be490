"""Sampling of queries about a view: close to the truth, so that wrong answers are plausible."""

from typing import Literal

import numpy as np

from training.worlds.facts import NO, YES, SceneView
from training.worlds.queries import AttributeQuery, Beside, Closest, Extreme, Farthest, Moving, Nth, Query
from vitron_ros.worlds.vocabulary import COLOURS, PATTERNS, SHAPES, SIZES, Split

QueryFamily = Literal["attribute", "superlative", "ordinal", "level", "size", "relation", "closest", "motion", "event"]

IMAGE_FAMILIES: dict[QueryFamily, float] = {
    "attribute": 0.42, "superlative": 0.12, "ordinal": 0.14, "size": 0.07, "relation": 0.19, "closest": 0.06,
}  # fmt: skip
VIDEO_FAMILIES: dict[QueryFamily, float] = {
    "attribute": 0.34, "superlative": 0.08, "ordinal": 0.09, "size": 0.03, "relation": 0.12, "closest": 0.03,
    "motion": 0.21, "event": 0.10,
}  # fmt: skip
RELATIONAL_FAMILIES: dict[QueryFamily, float] = {
    "superlative": 0.20, "ordinal": 0.22, "level": 0.14, "size": 0.13, "relation": 0.22, "closest": 0.09,
}  # fmt: skip
"""Families of relational expressions. An ordinal counts from any side, a level from above or below."""
RELATIONAL_VIDEO_FAMILIES: dict[QueryFamily, float] = {
    "superlative": 0.10, "ordinal": 0.10, "level": 0.06, "size": 0.05, "relation": 0.10, "closest": 0.04,
    "motion": 0.25, "event": 0.30,
}  # fmt: skip
"""Families of relational expressions about clips, mostly about motion and events."""
DIRECTIONS = ("left", "right", "up", "down")
EVENTS = ("returns", "leaves", "appears")


def _one_of(values: tuple[str, ...], rng: np.random.Generator) -> str:
    return values[int(rng.integers(len(values)))]


def weighted_family(families: dict[QueryFamily, float], rng: np.random.Generator) -> QueryFamily:
    """A family by its weight."""
    edges = np.cumsum(list(families.values()))
    return list(families)[int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))]


def sample_family(*, is_clip: bool, relational: float, rng: np.random.Generator) -> QueryFamily:
    """A family of an image or a clip; with probability `relational` a relational one."""
    if relational and rng.random() < relational:
        return weighted_family(RELATIONAL_VIDEO_FAMILIES if is_clip else RELATIONAL_FAMILIES, rng)
    return weighted_family(VIDEO_FAMILIES if is_clip else IMAGE_FAMILIES, rng)


def sample_kind(
    view: SceneView, split: Split, rng: np.random.Generator, *, keep: float = 1.0, change: bool = False
) -> AttributeQuery:
    """A kind after the attributes of an object in view.

    Args:
        view: what there is.
        split: training never names a held-out colour-shape pair.
        rng: source of the choice.
        keep: factor on the chance that colour, size and pattern are named.
        change: swap one named attribute for another value, as for an absent object.
    """
    there = np.flatnonzero(view.present != NO)
    if not len(there):
        return AttributeQuery(shape=_one_of(SHAPES, rng))
    spec = view.objects[int(there[int(rng.integers(len(there)))])]
    shape = spec.shape if rng.random() < 0.85 else None
    colour = spec.colour if rng.random() < 0.75 * keep or shape is None else None
    size = spec.size if rng.random() < 0.3 * keep else None
    pattern = spec.pattern if rng.random() < 0.3 * keep and (spec.pattern != "plain" or rng.random() < 0.5) else None
    other_than = _one_of(COLOURS, rng) if colour is None and rng.random() < 0.06 * keep else None
    if change:
        choice = rng.random()
        if choice < 0.4:
            colour = _one_of(COLOURS, rng)
        elif choice < 0.8:
            shape = _one_of(SHAPES, rng)
        elif choice < 0.9:
            size = _one_of(SIZES, rng)
        else:
            pattern = _one_of(PATTERNS, rng)
    kind = AttributeQuery(shape, colour, size, pattern, None if colour else other_than)
    if split == "train" and kind.is_held_out:
        return AttributeQuery(shape=kind.shape, size=kind.size, pattern=kind.pattern)
    return kind


def sample_query(
    family: QueryFamily, view: SceneView, split: Split, rng: np.random.Generator, *, change: bool = False
) -> Query:
    """A query of a family about a view, true or not. `change`: one that is likely to match nothing."""
    if family == "attribute":
        return sample_kind(view, split, rng, change=change)
    group = sample_kind(view, split, rng, keep=0.35, change=change and rng.random() < 0.5)
    if rng.random() < 0.2:
        group = AttributeQuery()
    if family == "superlative":
        return Farthest(group, _one_of(DIRECTIONS, rng))
    if family == "ordinal":
        return Nth(group, int(rng.integers(2, 5)), _one_of(("left", "right", "left", "right", "up", "down"), rng))
    if family == "level":
        return Nth(group, int(rng.integers(2, 5)), _one_of(("up", "down"), rng))
    if family == "size":
        return Extreme(group, bool(rng.random() < 0.5))
    if family == "motion":
        return Moving(group, _one_of((*DIRECTIONS, *DIRECTIONS, "still"), rng))
    if family == "event":
        return Moving(AttributeQuery() if rng.random() < 0.4 else group, _one_of(EVENTS, rng))
    anchor = sample_kind(view, split, rng, change=change and rng.random() < 0.3)
    if family == "closest":
        return Closest(group, anchor)
    return Beside(group, _one_of(DIRECTIONS, rng), anchor)


def describe_kind(view: SceneView, index: int, rng: np.random.Generator) -> AttributeQuery | None:
    """The shortest kind, taken in random order, that fits an object and no other; None where there is none."""
    spec = view.objects[index]
    full = AttributeQuery(spec.shape, spec.colour, spec.size, spec.pattern)
    options = [
        AttributeQuery(spec.shape),
        AttributeQuery(spec.shape, spec.colour),
        AttributeQuery(None, spec.colour),
        AttributeQuery(spec.shape, None, spec.size),
        AttributeQuery(spec.shape, None, None, spec.pattern),
        AttributeQuery(spec.shape, spec.colour, spec.size),
        AttributeQuery(spec.shape, spec.colour, None, spec.pattern),
        full,
    ]
    start = 1 if rng.random() < 0.6 else int(rng.integers(len(options)))
    for kind in options[start:] + options[:start]:
        truth = kind.truth(view)
        if truth[index] == YES and int((truth != NO).sum()) == 1:
            return kind
    return None

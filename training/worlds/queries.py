"""Queries: the meaning of expressions as predicates, apart from their language."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from training.worlds.facts import (
    AXIS_OF,
    LARGEST_RATIO,
    MAYBE,
    NO,
    POSITION_MARGIN,
    RELATION_MARGIN,
    RELATION_SLOPE,
    SIZE_LIMITS,
    YES,
    SceneView,
    Truth,
    graded,
)
from training.worlds.splits import is_held_out_pair


class Query(Protocol):
    """A predicate over the objects of a view."""

    def truth(self, view: SceneView) -> Truth:
        """(N,) NO, MAYBE or YES for every object."""


def only_match(truth: Truth) -> int | None:
    """Index of the only object that matches, where that is certain; else None."""
    matches = np.flatnonzero(truth == YES)
    return int(matches[0]) if len(matches) == 1 and not (truth == MAYBE).any() else None


def is_absent(truth: Truth) -> bool:
    """Whether certainly no object matches."""
    return bool((truth == NO).all())


@dataclass(frozen=True, slots=True)
class AttributeQuery:
    """Objects by attributes; None: any. `other_than` names a colour that they must not have."""

    shape: str | None = None
    colour: str | None = None
    size: str | None = None
    pattern: str | None = None
    other_than: str | None = None

    def truth(self, view: SceneView) -> Truth:
        result = view.present.copy()
        for index, spec in enumerate(view.objects):
            fits = self.shape in (None, spec.shape) and self.colour in (None, spec.colour)
            if not (fits and self.pattern in (None, spec.pattern) and self.other_than != spec.colour):
                result[index] = NO
            elif self.size is not None:
                low, high = SIZE_LIMITS[self.size]
                appears, is_made = low <= view.sizes[index] < high, spec.size == self.size
                result[index] = min(result[index], YES if appears and is_made else MAYBE if appears or is_made else NO)
        return result

    @property
    def is_held_out(self) -> bool:
        """Whether it names a colour-shape pair that training never sees."""
        return self.shape is not None and self.colour is not None and is_held_out_pair(self.colour, self.shape)

    def variants(self) -> Iterator["AttributeQuery"]:
        """The kind with one attribute fewer."""
        for name in ("shape", "colour", "size", "pattern", "other_than"):
            if getattr(self, name) is not None:
                yield replace(self, **{name: None})


@dataclass(frozen=True, slots=True)
class Farthest:
    """The one of a kind that is farthest to a side (left, right, up, down)."""

    kind: AttributeQuery
    direction: str

    def truth(self, view: SceneView) -> Truth:
        return Nth(self.kind, 1, self.direction).truth(view)


@dataclass(frozen=True, slots=True)
class Nth:
    """The n-th of a kind counted from a side; 1 is the one farthest to that side."""

    kind: AttributeQuery
    number: int
    direction: str

    def truth(self, view: SceneView) -> Truth:
        base = np.minimum(self.kind.truth(view), view.placed)
        axis, sign = AXIS_OF[self.direction]
        ahead = view.centres[:, axis] * sign
        lead = ahead[None, :] - ahead[:, None]  # (N, N): how much farther to the side j is than i
        certain = ((lead >= POSITION_MARGIN) & (base == YES)[None, :]).sum(axis=1)
        possible = ((lead > -POSITION_MARGIN) & (base != NO)[None, :] & ~np.eye(len(ahead), dtype=bool)).sum(axis=1)
        wanted = self.number - 1
        rank = graded((certain == wanted) & (possible == wanted), (certain > wanted) | (possible < wanted))
        return np.minimum(base, rank).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Extreme:
    """The largest or smallest of a kind."""

    kind: AttributeQuery
    is_largest: bool

    def truth(self, view: SceneView) -> Truth:
        base = np.minimum(self.kind.truth(view), view.placed)
        size = view.sizes if self.is_largest else 1 / view.sizes
        ratio = size[:, None] / size[None, :]
        others = ~np.eye(len(size), dtype=bool)
        beats_all = ((ratio >= LARGEST_RATIO) | (base == NO)[None, :] | ~others).all(axis=1)
        is_beaten = ((ratio <= 1 / LARGEST_RATIO) & (base == YES)[None, :] & others).any(axis=1)
        return np.minimum(base, graded(beats_all, is_beaten)).astype(np.int8)


def beside(view: SceneView, direction: str, anchor: int) -> Truth:
    """(N,) which objects are left of, right of, above ("up") or below ("down") an object; NO for itself."""
    axis, sign = AXIS_OF[direction]
    offset = view.centres - view.centres[anchor]
    ahead, aside = offset[:, axis] * sign, np.abs(offset[:, 1 - axis])
    result = graded((ahead >= RELATION_MARGIN) & (ahead >= RELATION_SLOPE * aside), ahead <= 0)
    result[anchor] = NO
    return np.minimum(result, view.placed).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Beside:
    """Those of a kind that are left of, right of, above or below the only object of another kind.

    Where the anchor is absent, no object matches; where it is not unique, the result is MAYBE for all.
    """

    kind: AttributeQuery
    direction: str
    anchor: AttributeQuery

    def truth(self, view: SceneView) -> Truth:
        anchors = self.anchor.truth(view)
        if is_absent(anchors):
            return np.full(len(view.objects), NO, np.int8)
        anchor = only_match(anchors)
        if anchor is None or view.placed[anchor] != YES:
            return np.full(len(view.objects), MAYBE, np.int8)
        return np.minimum(self.kind.truth(view), beside(view, self.direction, anchor)).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Closest:
    """The one of a kind whose centre is closest to that of the only object of another kind."""

    kind: AttributeQuery
    anchor: AttributeQuery

    def truth(self, view: SceneView) -> Truth:
        anchors = self.anchor.truth(view)
        if is_absent(anchors):
            return np.full(len(view.objects), NO, np.int8)
        anchor = only_match(anchors)
        if anchor is None or view.placed[anchor] != YES:
            return np.full(len(view.objects), MAYBE, np.int8)
        base = np.minimum(self.kind.truth(view), view.placed)
        base[anchor] = NO
        distance = np.linalg.norm(view.centres - view.centres[anchor], axis=1)
        lead = distance[None, :] - distance[:, None]  # (N, N): how much closer i is than j
        others = ~np.eye(len(distance), dtype=bool)
        wins = ((lead >= POSITION_MARGIN) | (base == NO)[None, :] | ~others).all(axis=1)
        loses = ((lead <= -POSITION_MARGIN) & (base == YES)[None, :] & others).any(axis=1)
        return np.minimum(base, graded(wins, loses)).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Moving:
    """Those of a kind with a motion: a direction, "still", "leaves", "appears" or "returns"."""

    kind: AttributeQuery
    motion: str

    def truth(self, view: SceneView) -> Truth:
        return np.minimum(self.kind.truth(view), view.motions[self.motion]).astype(np.int8)

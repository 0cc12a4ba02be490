"""What a text asks to be drawn: things, where they are, and how they move."""

from dataclasses import dataclass
from typing import Literal

Side = Literal["left", "right", "above", "below", "beside"]
MAX_THINGS = 8


@dataclass(frozen=True, slots=True)
class Motion:
    """How a thing moves over a clip.

    Attributes:
        direction: (x, y), each -1, 0 or 1; x right, y down.
        turns: 1 clockwise, -1 the other way, 0 not.
    """

    direction: tuple[int, int] = (0, 0)
    turns: int = 0


STILL = Motion()


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing. Words are those of `worlds.vocabulary`; None: not said.

    Attributes:
        place: the part of the image, -1, 0 or 1 from left and top to right and bottom; None on an axis: anywhere.
    """

    shape: str
    colour: str | None = None
    size: str | None = None
    pattern: str | None = None
    place: tuple[int | None, int | None] = (None, None)
    motion: Motion = STILL


@dataclass(frozen=True, slots=True)
class Relation:
    """One thing lies on that side of another; both are indices."""

    first: int
    side: Side
    second: int


@dataclass(frozen=True, slots=True)
class ScenePlan:
    """Things and their relations, in the first frame; `background` is a surface or a colour, None: any."""

    things: tuple[Thing, ...]
    relations: tuple[Relation, ...] = ()
    background: str | None = None

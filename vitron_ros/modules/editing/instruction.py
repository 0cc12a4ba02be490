"""What the words of an edit ask for. A word that is not understood is refused with those that are."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.modules.colours import COLOURS
from vitron_ros.modules.editing.styles import STYLE_WORDS, STYLES
from vitron_ros.modules.module import BadJob
from vitron_ros.modules.words import DIRECTIONS, SIDES, words_of
from vitron_ros.worlds.textures import SURFACES

BLUR = "blur"
_BLUR_WORDS = {"blur": BLUR, "blurred": BLUR, "blurry": BLUR}
_STEPS = {"bit": 0.5, "little": 0.5, "slightly": 0.5, "far": 2.0}  # in sides of the object
_ENDINGS = frozenset((".", ",", ";", "please", "now", "instead", "again"))
_MARKS = frozenset(("to", "into", "with", "by", "as"))
_EDGES = frozenset(("side", "edge", "border", "corner", "middle", "centre", "center", "top", "bottom"))


def after_last(words: list[str], *marks: str) -> list[str]:
    """What follows the last of these words; all, if there is none of them."""
    places = [index for index, word in enumerate(words) if word in marks]
    return words[places[-1] + 1 :] if places else words


def new_colour(text: str) -> str:
    """The colour that "red ring to blue" or "make the ring blue" asks for; that of "the red ring" is the old one."""
    words = [word for word in words_of(text) if word not in _ENDINGS]
    if words and not set(words) & _MARKS:
        words = words[-1:]
    return _last_of(words, {name: name for name in COLOURS}, "new colour", tuple(COLOURS))


def new_style(text: str) -> str:
    """The style that "as a pencil sketch" asks for."""
    words = words_of(text.lower().replace("black and white", "black-and-white"))
    return _last_of(words, STYLE_WORDS, "style", tuple(STYLES))


def new_background(text: str) -> str:
    """`BLUR`, a surface or a colour, as "background to grass" asks for."""
    known = {**{name: name for name in (*SURFACES, *COLOURS)}, **_BLUR_WORDS}
    return _last_of(words_of(text), known, "background", (BLUR, *SURFACES, *COLOURS))


def replacement(text: str) -> str:
    """The thing that "red mug with a blue star" asks for, as text."""
    words = after_last(words_of(text), "with", "to", "by", "into")
    if not words:
        raise BadJob(f"{text!r} does not say what to put in its place")
    return " ".join(words)


@dataclass(frozen=True, slots=True)
class Shift:
    """Where to move a thing.

    Attributes:
        direction: (x, y), each -1, 0 or 1: a step, or the part of the image that it shall lie in.
        is_place: it is a part of the image.
        steps: how far, in sides of the object.
        pixels: how far, in px; 0: `steps` says it.
    """

    direction: tuple[int, int]
    is_place: bool = False
    steps: float = 1.0
    pixels: float = 0.0

    def offset(self, box_xyxy: Boxes, width: int, height: int) -> tuple[int, int]:
        """The displacement of a box (4,) in px, cut so that the box stays in the image of that size."""
        x_min, y_min, x_max, y_max = (float(value) for value in box_xyxy)
        room = np.array([[-x_min, -y_min], [width - x_max, height - y_max]])
        if self.is_place:
            where = np.array(self.direction)
            wanted = np.where(where == 0, room.mean(axis=0), np.where(where < 0, room[0], room[1]))
        else:
            side = np.sqrt((x_max - x_min) * (y_max - y_min))
            wanted = np.array(self.direction) * (self.pixels or self.steps * side)
        x, y = np.clip(wanted, np.minimum(room[0], 0), np.maximum(room[1], 0))
        return round(float(x)), round(float(y))


def shift(text: str) -> Shift:
    """What "the mug to the left", "a bit up", "down by 40 pixels" or "to the top right corner" asks for.

    Raises:
        BadJob: no direction, or opposite ones.
    """
    words = after_last(words_of(text), "to", "into") if _names_place(text) else words_of(text)
    is_place = _names_place(text)
    table = SIDES if is_place else DIRECTIONS
    found = [table[word] for word in words if word in table]
    if not found:
        raise BadJob(f"{text!r} names no direction; say left, right, up, down, or a place such as the top right corner")
    across = {x for x, _ in found if x}
    along = {y for _, y in found if y}
    if len(across) > 1 or len(along) > 1:
        raise BadJob(f"{text!r} names opposite directions")
    direction = sum(across), sum(along)
    pixels = next((float(word) for word in words if word.isdecimal() and len(word) < 6), 0.0)
    steps = next((_STEPS[word] for word in words if word in _STEPS), 1.0)
    return Shift(direction, is_place, steps, pixels)


def _names_place(text: str) -> bool:
    return any(word in _EDGES for word in after_last(words_of(text), "to", "into"))


def _last_of(words: list[str], known: Mapping[str, str], what: str, listed: tuple[str, ...]) -> str:
    """The last word that is known, of those that follow the last "to" or "with" if there is one."""
    asked = after_last(words, *_MARKS)
    found = [known[word] for word in asked if word in known]
    if not found:
        raise BadJob(f"{' '.join(asked)!r} names no {what} that is known; there are {', '.join(listed)}")
    return found[-1]

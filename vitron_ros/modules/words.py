"""Words that editing and generation have in common: directions, places, and how a text is cut into words."""

import re

from vitron_ros.modules.module import BadJob

MAX_WORDS = 120
DIRECTIONS: dict[str, tuple[int, int]] = {
    "left": (-1, 0),
    "leftwards": (-1, 0),
    "right": (1, 0),
    "rightwards": (1, 0),
    "up": (0, -1),
    "upwards": (0, -1),
    "down": (0, 1),
    "downwards": (0, 1),
}
"""Unit steps, x right and y down."""
SIDES: dict[str, tuple[int, int]] = {
    "left": (-1, 0),
    "right": (1, 0),
    "top": (0, -1),
    "upper": (0, -1),
    "bottom": (0, 1),
    "lower": (0, 1),
    "middle": (0, 0),
    "centre": (0, 0),
    "center": (0, 0),
}
"""Parts of an image, by the direction in which they lie from its middle."""


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, and its commas and full stops as words.

    Raises:
        BadJob: there are none, or too many.
    """
    words = re.findall(r"[^\W_]+(?:['-][^\W_]+)*|[,.;]", text.lower())
    if not any(word not in ",.;" for word in words):
        raise BadJob("the instruction has no words")
    if len(words) > MAX_WORDS:
        raise BadJob(f"the instruction has {len(words)} words, of at most {MAX_WORDS}")
    return words

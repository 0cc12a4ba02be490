"""What is held out of training by construction: some colour-shape pairs and some templates."""

import zlib

from training.worlds.substitute_templates import SUBSTITUTES
from vitron_ros.worlds.vocabulary import COLOURS, SHAPES, Split

PAIR_PERIOD = 8  # one colour-shape pair of this many is held out
TEMPLATE_SHARE = 4  # one template of this many in a family is held out, at least one of three


def is_held_out_pair(colour: str, shape: str) -> bool:
    """Whether no training clip shows, and no training text names, this colour on this shape.

    The pairs lie on diagonals of the colour-shape table, so that every colour and every shape is
    seen in training, and each shape but few has a held-out colour.

    Raises:
        ValueError: a name is not of the vocabulary.
    """
    return (COLOURS.index(colour) + 3 * SHAPES.index(shape)) % PAIR_PERIOD == 5


def held_out_templates(family: tuple[str, ...]) -> frozenset[str]:
    """The templates of a family that only validation uses: never its first, and none of a family of one or two."""
    if len(family) < 3:
        return frozenset()
    ranked = sorted(family[1:], key=lambda text: (zlib.crc32(text.encode()), text))
    return frozenset(ranked[: max(1, len(family) // TEMPLATE_SHARE)])


def templates_for(family: tuple[str, ...], split: Split) -> tuple[str, ...]:
    """The templates of a family that a split may use: validation uses all; training those not held out, and
    substitutes with the words of those that are.
    """
    if split == "val":
        return family
    held_out = held_out_templates(family)
    shown = tuple(text for text in family if text not in held_out)
    return shown + tuple(text for template in family if template in held_out for text in SUBSTITUTES.get(template, ()))

"""Answers as text: boxes, absence and invocations, as the models are trained to write them.

A box here is `Box`: x_min, y_min, x_max, y_max as fractions of the image, 0..1. Two dialects write it:
Elysium's (arXiv 2403.16558) `[x1,y1,x2,y2]`, whole numbers of 0..100, and VITRON's (arXiv 2412.19806)
`(xl, yt, xr, yb)` or, with the first and last time, `(xl, yt, xr, yb | Fs, Fe)`, in fractions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vitron_ros.errors import RegionError
from vitron_ros.module_registry import REGISTRY, Module, module_name

Box = tuple[float, float, float, float]
Dialect = Literal["integers", "fractions"]

NONE = "none"  # the answer where the target is not in the image


# VITRON's released code calls its modules by these letters, its paper by names.
LETTERS: dict[str, Module] = {entry.letter: module for module, entry in REGISTRY.items()}
NAMES: dict[Module, str] = {module: module_name(module) for module in Module}


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request of the model to an expert module.

    Attributes:
        instructions: what to do, in the model's words, such as "segmentation: the red mug"; at least one.
        region: what to do it to; None: the whole image.
    """

    module: Module
    instructions: tuple[str, ...]
    region: Box | None = None


def box_text(box: Box, dialect: Dialect = "integers") -> str:
    """The box as text. What lies outside the image is cut off.

    Raises:
        RegionError: a value is not a finite number.
    """
    if not all(abs(value) < float("inf") for value in box):
        raise RegionError(f"a box is four finite numbers, this is {box}")
    values = [min(max(value, 0.0), 1.0) for value in box]
    if dialect == "integers":
        return "[" + ",".join(str(round(value * 100)) for value in values) + "]"
    return "(" + ", ".join(f"{value:.2f}" for value in values) + ")"


def one_box_text(box: Box | None, dialect: Dialect = "integers") -> str:
    """The answer to REC: one box, or that there is none."""
    return NONE if box is None else box_text(box, dialect)


def track_text(boxes: Mapping[int, Box | None], dialect: Dialect = "integers") -> str:
    """The answer to RSOT and SOT: the box in each frame, by frame number from 1; None where the target is away."""
    if all(box is None for box in boxes.values()):
        return NONE
    return ", ".join(f"Frame {frame}: {one_box_text(boxes[frame], dialect)}" for frame in sorted(boxes)) + "."


def grounded_text(caption: str, boxes: Mapping[str, Box], dialect: Dialect = "fractions") -> str:
    """A caption, and the box of each thing that it names."""
    return caption + "\n" + ", ".join(f"{label}: {box_text(box, dialect)}" for label, box in boxes.items())


def invocation_text(
    reply: str,
    invocation: Invocation,
    by: Literal["name", "letter"] = "name",
    dialect: Dialect = "fractions",
) -> str:
    """A reply with its invocation, in the form of VITRON's paper (by name) or of its released code (by letter).

    The released code has no letter for plain text.
    """
    names = {module: letter for letter, module in LETTERS.items()} if by == "letter" else NAMES
    parts = [f"<module>{names[invocation.module]}</module>"]
    parts += [f"<instruction>{instruction}</instruction>" for instruction in invocation.instructions]
    if invocation.region is not None:
        parts.append(f"<region>{box_text(invocation.region, dialect)}</region>")
    return f"{reply} " + " ".join(parts)

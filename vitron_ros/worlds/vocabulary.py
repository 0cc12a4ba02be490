"""The vocabulary of the worlds. The order is part of the format: indices are the classes of the dense targets."""

from typing import Literal

Split = Literal["train", "val"]

SHAPES = (
    "circle",
    "square",
    "triangle",
    "star",
    "ring",
    "cross",
    "heart",
    "arrow",
    "moon",
    "mug",
    "car",
    "bottle",
    "tree",
    "house",
    "fish",
)
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
SIZES = ("small", "medium", "large")
PATTERNS = ("plain", "striped", "dotted", "checked")

SYNONYMS = {"circle": ("ball",), "mug": ("cup",)}
"""Other everyday names of a shape, used in expressions and never in answers."""

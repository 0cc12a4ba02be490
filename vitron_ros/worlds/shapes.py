"""Silhouettes: closed outlines in a unit box, with a few inner details that make them recognisable.

Coordinates are x right, y down, centred on the outline's bounding box and scaled so that the box has an area of 1:
the size of an object is then the side of a square of the area of its box, whatever its shape.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vitron_ros.worlds.vocabulary import SHAPES

Points = NDArray[np.float64]
HALF_EXTENT = 0.8  # every silhouette lies inside [-HALF_EXTENT, HALF_EXTENT]


@dataclass(frozen=True, slots=True, eq=False)
class ShapeOutline:
    """A shape's outline.

    Attributes:
        contours: closed polygons (N, 2); the silhouette is their union,
        holes: without these closed polygons.
        details: closed polygons with a brightness: below 1 darker, above 1 lighter than the body.
        upright: whether it must not be turned far (a car, a house); all may lean a little.
        mirrored: whether its mirror image is the same object seen from the other side.
    """

    contours: tuple[Points, ...]
    holes: tuple[Points, ...] = ()
    details: tuple[tuple[Points, float], ...] = ()
    upright: bool = True
    mirrored: bool = False


def _arc(
    cx: float, cy: float, rx: float, ry: float, start: float = 0.0, stop: float = 360.0, count: int = 40
) -> Points:
    angle = np.radians(np.linspace(start, stop, count, endpoint=stop - start < 360))
    return np.stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)], axis=-1)


def _points(*pairs: tuple[float, float]) -> Points:
    return np.array(pairs, np.float64)


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> Points:
    return _points((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _circle() -> ShapeOutline:
    return ShapeOutline((_arc(0, 0, 1, 1),), upright=False)


def _square() -> ShapeOutline:
    return ShapeOutline((_rectangle(-1, -1, 1, 1),))


def _triangle() -> ShapeOutline:
    return ShapeOutline((_points((0, -1), (1.1, 0.9), (-1.1, 0.9)),))


def _star() -> ShapeOutline:
    angle = np.radians(np.arange(10) * 36 - 90)
    radius = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
    return ShapeOutline((np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1),))


def _ring() -> ShapeOutline:
    return ShapeOutline((_arc(0, 0, 1, 1),), holes=(_arc(0, 0, 0.55, 0.55),), upright=False)


def _cross() -> ShapeOutline:
    a, b = 0.34, 1.0
    corners = (
        (-a, -b),
        (a, -b),
        (a, -a),
        (b, -a),
        (b, a),
        (a, a),
        (a, b),
        (-a, b),
        (-a, a),
        (-b, a),
        (-b, -a),
        (-a, -a),
    )
    return ShapeOutline((_points(*corners),))


def _heart() -> ShapeOutline:
    t = np.radians(np.arange(0, 360, 8))
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return ShapeOutline((np.stack([16 * np.sin(t) ** 3, y], axis=-1),))


def _arrow() -> ShapeOutline:
    corners = ((-1, -0.3), (0.1, -0.3), (0.1, -0.8), (1, 0), (0.1, 0.8), (0.1, 0.3), (-1, 0.3))
    return ShapeOutline((_points(*corners),), mirrored=True)


def _moon() -> ShapeOutline:
    outer = _arc(0, 0, 1, 1, 50, 310)
    inner = _arc(0.55, 0, 0.77, 0.77, 276, 84)
    return ShapeOutline((np.concatenate([outer, inner]),), mirrored=True)


def _mug() -> ShapeOutline:
    body = np.concatenate([_points((-0.9, -1), (0.5, -1)), _points((0.44, 0.95), (0.3, 1), (-0.7, 1), (-0.84, 0.95))])
    handle = np.concatenate([_arc(0.48, -0.1, 0.65, 0.62, -80, 85, 16), _arc(0.46, -0.1, 0.32, 0.33, 80, -75, 16)])
    return ShapeOutline((body, handle), details=((_arc(-0.2, -0.94, 0.62, 0.1), 0.55),), mirrored=True)


def _car() -> ShapeOutline:
    body = _points(
        (-1.5, 0.45), (-1.5, 0), (-1.35, -0.12), (-0.95, -0.2), (-0.55, -0.72), (0.45, -0.72),
        (0.9, -0.18), (1.4, -0.05), (1.5, 0.1), (1.5, 0.45),
    )  # fmt: skip
    wheels = (_arc(-0.85, 0.45, 0.33, 0.33), _arc(0.85, 0.45, 0.33, 0.33))
    windows = (
        _points((-0.7, -0.18), (-0.43, -0.58), (-0.1, -0.58), (-0.1, -0.18)),
        _points((0.03, -0.18), (0.03, -0.58), (0.38, -0.58), (0.66, -0.18)),
    )
    details = tuple((window, 1.8) for window in windows) + tuple((wheel, 0.25) for wheel in wheels)
    outline = np.concatenate(
        [body[:-1], [(1.5, 0.45)], _arc(0.85, 0.45, 0.33, 0.33, 0, 180, 16), _arc(-0.85, 0.45, 0.33, 0.33, 0, 180, 16)]
    )
    return ShapeOutline((outline,), details=details, mirrored=True)


def _bottle() -> ShapeOutline:
    right = ((0.17, -1.3), (0.17, -0.75), (0.5, -0.35), (0.56, -0.2), (0.56, 1.2), (0.48, 1.3))
    left = tuple((-x, y) for x, y in reversed(right))
    cap, label = _rectangle(-0.19, -1.3, 0.19, -1.08), _rectangle(-0.56, 0.1, 0.56, 0.75)
    return ShapeOutline((_points(*right, *left),), details=((cap, 0.45), (label, 1.5)))


def _tree() -> ShapeOutline:
    corners = ((0, -1.2), (0.5, -0.5), (0.3, -0.5), (0.7, 0.1), (0.45, 0.1), (0.9, 0.75), (0.17, 0.75), (0.17, 1.2))
    outline = _points(*corners, *((-x, y) for x, y in reversed(corners[1:])))
    return ShapeOutline((outline,), details=((_rectangle(-0.17, 0.75, 0.17, 1.2), 0.5),))


def _house() -> ShapeOutline:
    outline = _points((0, -1.1), (1.1, -0.2), (0.85, -0.2), (0.85, 1), (-0.85, 1), (-0.85, -0.2), (-1.1, -0.2))
    roof, door = _points((0, -1.1), (1.1, -0.2), (-1.1, -0.2)), _rectangle(-0.6, 0.25, -0.15, 1)
    return ShapeOutline(
        (outline,), details=((roof, 0.6), (door, 0.3), (_rectangle(0.15, 0.15, 0.6, 0.55), 1.8)), mirrored=True
    )


def _fish() -> ShapeOutline:
    body = np.concatenate([_arc(-0.25, 0, 1.05, 0.62, 20, 340), _points((1.4, -0.62), (1.15, 0), (1.4, 0.62))])
    return ShapeOutline(
        (body,),
        details=((_arc(-0.85, -0.15, 0.11, 0.11, count=12), 0.15), (_arc(-1.1, 0.0, 0.75, 0.75, -38, 38, 12), 0.75)),
        mirrored=True,
    )


_DRAWINGS: dict[str, Callable[[], ShapeOutline]] = {
    "circle": _circle, "square": _square, "triangle": _triangle, "star": _star, "ring": _ring, "cross": _cross,
    "heart": _heart, "arrow": _arrow, "moon": _moon, "mug": _mug, "car": _car, "bottle": _bottle, "tree": _tree,
    "house": _house, "fish": _fish,
}  # fmt: skip
assert tuple(_DRAWINGS) == SHAPES


@cache
def silhouette(shape: str) -> ShapeOutline:
    """The outline of a shape by its name, centred, with a bounding box of area 1."""
    drawn = _DRAWINGS[shape]()
    corners = np.concatenate(drawn.contours)
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale = 1 / np.sqrt(np.prod(high - low))

    def normalise(points: Points) -> Points:
        return np.asarray((points - (low + high) / 2) * scale)

    details = tuple((normalise(points), brightness) for points, brightness in drawn.details)
    contours, holes = (tuple(normalise(points) for points in group) for group in (drawn.contours, drawn.holes))
    return ShapeOutline(contours, holes, details, drawn.upright, drawn.mirrored)

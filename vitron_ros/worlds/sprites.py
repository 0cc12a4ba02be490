"""Sprites: the appearance of an object, drawn once per clip and warped into every frame."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.worlds.clip import ObjectSpec
from vitron_ros.worlds.shapes import HALF_EXTENT, Points, silhouette

Pixels = NDArray[np.float32]

SUPERSAMPLING = 4
_SHIFT = 4  # fractional bits of OpenCV's polygon corners

# Hue in degrees, saturation, value: ranges that stay disjoint under a mild colour cast and exposure change.
COLOUR_RANGES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-6, 6), (0.80, 1.0), (0.68, 0.95)),
    "orange": ((24, 32), (0.85, 1.0), (0.92, 1.0)),
    "yellow": ((50, 58), (0.80, 1.0), (0.92, 1.0)),
    "green": ((105, 145), (0.60, 1.0), (0.45, 0.80)),
    "blue": ((210, 234), (0.72, 1.0), (0.60, 0.95)),
    "purple": ((270, 286), (0.60, 0.90), (0.45, 0.75)),
    "pink": ((325, 342), (0.32, 0.52), (0.94, 1.0)),
    "brown": ((20, 28), (0.60, 0.78), (0.32, 0.48)),
    "black": ((0, 360), (0.0, 0.10), (0.03, 0.12)),
    "white": ((0, 360), (0.0, 0.05), (0.92, 1.0)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """An object's appearance.

    Attributes:
        rgba: (S, S, 4) float32 in 0..255, colour multiplied by alpha; covers [-HALF_EXTENT, HALF_EXTENT] of the shape.
        to_texture: (3, 3), shape coordinates to texture pixel centres.
    """

    rgba: Pixels
    to_texture: NDArray[np.float64]


def sample_colour(colour: str, rng: np.random.Generator) -> Pixels:
    """A shade of that colour. (3,) float32, RGB in 0..255."""
    hue, saturation, value = (rng.uniform(low, high) for low, high in COLOUR_RANGES[colour])
    hsv = np.array([[[hue % 360, saturation, value]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * 255, np.float32)


def second_shade(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    """The other shade of a pattern: a lighter or darker tone of the same colour, far enough to be visible."""
    brightness = float(rgb.mean()) / 255
    lighter = rgb * 0.22 + 255 * 0.78
    if brightness < 0.15:
        return np.asarray(rgb + rng.uniform(70, 100), np.float32)
    if brightness > 0.85:
        return np.asarray(rgb * rng.uniform(0.6, 0.7), np.float32)
    return np.asarray(rgb * rng.uniform(0.3, 0.42) if brightness > 0.45 or rng.random() < 0.3 else lighter, np.float32)


def pattern_mask(pattern: str, side: int, rng: np.random.Generator) -> Pixels:
    """Where a pattern shows its second shade: (side, side) float32, 0 or 1, over the sprite's extent."""
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side * (2 * HALF_EXTENT) - HALF_EXTENT
    x, y = axis[None, :], axis[:, None]
    angle = rng.uniform(-0.3, 0.3) + rng.choice([0.0, np.pi / 4, np.pi / 2])
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    u, v = x * cos + y * sin, y * cos - x * sin
    u, v = u + rng.uniform(0, 1), v + rng.uniform(0, 1)
    if pattern == "striped":
        period = rng.uniform(0.27, 0.33)
        return np.asarray((u / period) % 1 < 0.45, np.float32)
    if pattern == "dotted":
        period = rng.uniform(0.27, 0.33)
        row = np.floor(v / period)
        du, dv = (u / period + 0.5 * (row % 2)) % 1 - 0.5, (v / period) % 1 - 0.5
        return np.asarray(du**2 + dv**2 < 0.32**2, np.float32)
    if pattern == "checked":
        period = rng.uniform(0.42, 0.5)
        return np.asarray(((u / period) % 1 < 0.5) != ((v / period) % 1 < 0.5), np.float32)
    raise ValueError(f"{pattern} is no pattern of two shades")


def _fill(contours: tuple[Points, ...], side: int, holes: tuple[Points, ...] = ()) -> Pixels:
    """Coverage of the union of outlines without the holes, (side, side) float32 in [0, 1], by supersampling."""
    large = side * SUPERSAMPLING
    canvas = np.zeros((large, large), np.uint8)
    factor = large / (2 * HALF_EXTENT) * (1 << _SHIFT)
    for value, group in ((255, contours), (0, holes)):
        for points in group:
            corners = np.round((points + HALF_EXTENT) * factor - (1 << _SHIFT) / 2).astype(np.int32)
            cv2.fillPoly(canvas, [corners], (value,), lineType=cv2.LINE_8, shift=_SHIFT)
    coverage = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(coverage * np.float32(1 / 255), np.float32)


def draw_sprite(spec: ObjectSpec, side: int, outline: float, rng: np.random.Generator) -> Sprite:
    """The appearance of an object in a texture of side x side pixels.

    Args:
        spec: what to draw.
        side: texture side in pixels; about the size at which it will be seen.
        outline: darkness (below 0) or lightness (above 0) of a thin edge, in [-1, 1]; 0: none.
        rng: source of the shade, the pattern's phase and the shading.
    """
    drawing = silhouette(spec.shape)
    rgb = sample_colour(spec.colour, rng)
    alpha = _fill(drawing.contours, side, drawing.holes)
    colour = np.broadcast_to(rgb, (side, side, 3))
    if spec.pattern != "plain":
        second = pattern_mask(spec.pattern, side * 2, rng)
        second = np.asarray(cv2.resize(second, (side, side), interpolation=cv2.INTER_AREA), np.float32)[..., None]
        colour = rgb * (1 - second) + second_shade(rgb, rng) * second
    for points, brightness in drawing.details:
        part = _fill((points,), side)[..., None]
        tone = rgb * min(brightness, 1) if brightness <= 1 else rgb * 0.35 + 255 * 0.6
        tone = tone if float(rgb.mean()) > 45 or brightness > 1 else rgb + 60
        colour = colour * (1 - part) + tone * part
    if outline:
        edge = np.float32(0 if outline < 0 else 255)
        inner = cv2.erode(alpha, np.ones((3, 3), np.uint8))
        share = ((alpha - inner) * abs(outline))[..., None]
        colour = colour * (1 - share) + edge * share
    ramp = np.linspace(-1, 1, side, dtype=np.float32)
    slope_x, slope_y = rng.uniform(-0.16, 0.16, 2).astype(np.float32)
    shade = 1 + slope_x * ramp[None, :] + slope_y * ramp[:, None]
    colour = np.clip(colour * shade[..., None], 0, 255)
    rgba = np.concatenate([colour * alpha[..., None], alpha[..., None] * 255], axis=-1).astype(np.float32)
    factor = side / (2 * HALF_EXTENT)
    offset = side / 2 - 0.5
    return Sprite(rgba, np.array([[factor, 0, offset], [0, factor, offset], [0, 0, 1]], np.float64))

"""Backgrounds: procedural surfaces, drawn from a small bank of grey tiles by a random crop, turn, scale and colouring.

The bank is made once a process from fixed seeds, so it is part of the format and the same everywhere.
"""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

TILE = 384  # px, side of a bank tile
BANK_SEED = 20240

# Pairs of RGB colours between which a surface varies; most natural surfaces are dull.
NATURAL_COLOURS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "clouds": ((120, 160, 205), (240, 243, 246)),
    "grass": ((48, 74, 30), (122, 146, 70)),
    "wood": ((96, 66, 42), (188, 150, 108)),
    "bricks": ((190, 182, 172), (140, 82, 66)),
    "gravel": ((70, 68, 66), (178, 174, 168)),
    "tiles": ((150, 150, 148), (214, 212, 206)),
    "weave": ((96, 98, 108), (168, 168, 172)),
    "leaves": ((30, 48, 24), (112, 140, 84)),
    "sand": ((176, 152, 116), (226, 208, 174)),
    "asphalt": ((52, 54, 58), (104, 104, 106)),
    "marble": ((196, 194, 192), (244, 242, 238)),
    "planks": ((84, 60, 40), (170, 136, 98)),
}


def _noise(rng: np.random.Generator, octaves: tuple[tuple[int, int, float], ...]) -> Pixels:
    """Sum of smooth random fields, each from a grid of (rows, columns) values with a weight; 0..1."""
    total = np.zeros((TILE, TILE), np.float32)
    for rows, columns, weight in octaves:
        grid = rng.random((rows, columns), np.float32)
        total += weight * np.asarray(cv2.resize(grid, (TILE, TILE), interpolation=cv2.INTER_CUBIC), np.float32)
    return _stretch(total)


def _stretch(values: Pixels) -> Pixels:
    low, high = np.percentile(values, (1, 99))
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), np.float32)


def _clouds(rng: np.random.Generator) -> Pixels:
    return _noise(rng, ((4, 3, 1.0), (8, 6, 0.6), (17, 13, 0.35), (35, 27, 0.2), (70, 60, 0.1)))


def _grass(rng: np.random.Generator) -> Pixels:
    return _noise(rng, ((5, 5, 0.5), (40, 120, 0.5), (70, 250, 0.6), (120, 384, 0.4)))


def _wood(rng: np.random.Generator) -> Pixels:
    warp = _noise(rng, ((3, 5, 1.0), (9, 4, 0.5)))
    rows = np.linspace(0, 1, TILE, dtype=np.float32)[:, None]
    rings = np.sin(2 * np.pi * (rows * 9 + warp * 3.5)) * 0.5 + 0.5
    return _stretch(np.asarray(rings * 0.7 + _noise(rng, ((200, 6, 1.0), (384, 12, 0.7))) * 0.5, np.float32))


def _grid_tile(rng: np.random.Generator, width: int, height: int, joint: int, shift: float, tone: float) -> Pixels:
    """Rectangles with joints between them, each rectangle of its own tone; 0 in the joint, about 1 inside."""
    tile = np.zeros((TILE, TILE), np.float32)
    for row, y in enumerate(range(0, TILE, height)):
        start = -int(width * shift * (row % 2))
        for x in range(start, TILE, width):
            value = 1 - tone * float(rng.random())
            tile[y : y + height - joint, max(x, 0) : max(x + width - joint, 0)] = value
    return np.asarray(np.clip(tile + (_noise(rng, ((90, 90, 1.0), (200, 200, 1.0))) - 0.5) * 0.25, 0, 1), np.float32)


def _bricks(rng: np.random.Generator) -> Pixels:
    return _grid_tile(rng, 64, 28, 4, 0.5, 0.45)


def _tiles(rng: np.random.Generator) -> Pixels:
    return _grid_tile(rng, 76, 76, 3, 0.0, 0.25)


def _planks(rng: np.random.Generator) -> Pixels:
    boards = _grid_tile(rng, 260, 46, 2, 0.4, 0.4)
    return np.asarray(boards * (0.6 + 0.4 * _noise(rng, ((150, 5, 1.0), (300, 9, 0.7)))), np.float32)


def _gravel(rng: np.random.Generator) -> Pixels:
    """Pebbles: distance to the nearest of many random points, with a tone for each cell."""
    seeds = np.full((TILE, TILE), 255, np.uint8)
    seeds[rng.integers(0, TILE, 900), rng.integers(0, TILE, 900)] = 0
    distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    tone = rng.random(int(labels.max()) + 1, np.float32)[labels]
    return _stretch(np.asarray(tone - 0.06 * distance, np.float32))


def _leaves(rng: np.random.Generator) -> Pixels:
    seeds = np.full((TILE, TILE), 255, np.uint8)
    seeds[rng.integers(0, TILE, 260), rng.integers(0, TILE, 260)] = 0
    distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L1, 3, labelType=cv2.DIST_LABEL_PIXEL)
    tone = rng.random(int(labels.max()) + 1, np.float32)[labels]
    return _stretch(
        np.asarray(tone * 0.8 + 0.03 * distance + 0.4 * _noise(rng, ((60, 60, 1.0), (160, 160, 0.6))), np.float32)
    )


def _weave(rng: np.random.Generator) -> Pixels:
    x = np.arange(TILE, dtype=np.float32)
    a, b = np.sin(x * 2 * np.pi / 8)[None, :], np.sin(x * 2 * np.pi / 8)[:, None]
    over = (np.floor(x / 8)[None, :] + np.floor(x / 8)[:, None]) % 2
    return _stretch(np.asarray(np.where(over > 0, a, b) + _noise(rng, ((6, 6, 1.0), (190, 190, 1.0))), np.float32))


def _sand(rng: np.random.Generator) -> Pixels:
    return _noise(rng, ((5, 4, 1.0), (30, 12, 0.4), (384, 384, 0.8)))


def _asphalt(rng: np.random.Generator) -> Pixels:
    return _noise(rng, ((4, 4, 0.5), (192, 192, 1.0), (384, 384, 0.7)))


def _marble(rng: np.random.Generator) -> Pixels:
    warp = _noise(rng, ((4, 4, 1.0), (9, 9, 0.5), (20, 20, 0.3), (45, 45, 0.15)))
    return np.asarray(np.abs(np.sin(warp * 14)) ** 0.35, np.float32)


_MAKERS: dict[str, Callable[[np.random.Generator], Pixels]] = {
    "clouds": _clouds, "grass": _grass, "wood": _wood, "bricks": _bricks, "gravel": _gravel, "tiles": _tiles,
    "weave": _weave, "leaves": _leaves, "sand": _sand, "asphalt": _asphalt, "marble": _marble, "planks": _planks,
}  # fmt: skip
SURFACES = tuple(_MAKERS)


@cache
def bank_tile(surface: str) -> Pixels:
    """The grey tile of a surface, (TILE, TILE) float32 in 0..1."""
    rng = np.random.Generator(np.random.PCG64([BANK_SEED, SURFACES.index(surface)]))
    return _MAKERS[surface](rng)


def random_colour(rng: np.random.Generator, saturation: float) -> Pixels:
    """Any colour of at most that saturation, in [0, 1]. (3,) float32, RGB in 0..255."""
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(0, saturation), rng.uniform(0.15, 0.95)]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * 255, np.float32)


def _colours(surface: str, rng: np.random.Generator, *, natural: bool) -> tuple[Pixels, Pixels]:
    """The two colours of a surface: its natural ones, or any."""
    if natural or rng.random() < 0.6:
        dark, light = (np.array(colour, np.float32) for colour in NATURAL_COLOURS[surface])
        jitter = rng.uniform(-18, 18, 3).astype(np.float32)
        gain = np.float32(rng.uniform(0.8, 1.15))
        return np.clip(dark * gain + jitter, 0, 255), np.clip(light * gain + jitter, 0, 255)
    first = random_colour(rng, 0.35 if rng.random() < 0.75 else 0.8)
    second = np.clip(first + rng.uniform(-70, 70) + rng.uniform(-20, 20, 3), 0, 255)
    return first, np.asarray(second, np.float32)


def draw_surface(width: int, height: int, rng: np.random.Generator, surface: str | None = None) -> Pixels:
    """One textured surface, (height, width, 3) float32 in 0..255: that one in its natural colours, or any in any."""
    is_asked = surface is not None
    surface = surface or SURFACES[int(rng.integers(len(SURFACES)))]
    zoom = float(np.exp(rng.uniform(np.log(0.5), np.log(2.0)))) * max(width, height) / TILE
    angle = (
        rng.uniform(-180, 180)
        if surface in ("gravel", "leaves", "sand", "asphalt", "marble")
        else rng.choice([0, 90]) + rng.uniform(-8, 8)
    )
    matrix = cv2.getRotationMatrix2D((float(rng.uniform(0, TILE)), float(rng.uniform(0, TILE))), float(angle), zoom)
    grey = cv2.warpAffine(
        bank_tile(surface), matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    dark, light = _colours(surface, rng, natural=is_asked)
    contrast = rng.uniform(0.35, 1.0)
    grey = 0.5 + (grey - 0.5) * np.float32(contrast)
    return np.asarray(dark + (light - dark) * grey[..., None], np.float32)


def draw_gradient(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """A smooth wall or screen: a straight or round gradient between two colours. (height, width, 3) float32."""
    x, y = np.linspace(-1, 1, width, dtype=np.float32)[None, :], np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        ramp = 0.5 + 0.5 * (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)))
    else:
        cx, cy = rng.uniform(-0.8, 0.8, 2).astype(np.float32)
        ramp = np.sqrt((x - cx) ** 2 + (y - cy) ** 2) / 2
    first = random_colour(rng, 0.25 if rng.random() < 0.7 else 0.75)
    second = np.clip(first + rng.uniform(-80, 80) + rng.uniform(-30, 30, 3), 0, 255).astype(np.float32)
    return np.asarray(first + (second - first) * np.clip(ramp, 0, 1)[..., None], np.float32)


def draw_soft_lights(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """An out-of-focus room: soft blobs of light and dull colour on a gradient. (height, width, 3) float32."""
    canvas = draw_gradient(width, height, rng)
    small = np.ascontiguousarray(cv2.resize(canvas, (64, 64), interpolation=cv2.INTER_AREA))
    for _ in range(int(rng.integers(6, 16))):
        centre = (int(rng.integers(0, 64)), int(rng.integers(0, 64)))
        axes = (int(rng.integers(3, 16)), int(rng.integers(3, 16)))
        colour = tuple(float(value) for value in random_colour(rng, 0.4))
        cv2.ellipse(small, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, cv2.FILLED)
    small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(2.5, 5.0)))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def draw_background(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """A background, (height, width, 3) float32 in 0..255: one surface, two that meet at a horizon, or a soft field."""
    choice = rng.random()
    if choice < 0.14:
        return draw_gradient(width, height, rng)
    if choice < 0.26:
        return draw_soft_lights(width, height, rng)
    canvas = draw_surface(width, height, rng)
    if choice < 0.55:
        horizon = int(height * rng.uniform(0.25, 0.75))
        upper = draw_gradient(width, height, rng) if rng.random() < 0.5 else draw_surface(width, height, rng)
        canvas[:horizon] = upper[:horizon]
    if choice > 0.85:
        low, high = (int(value) for value in rng.integers(3, 7, 2))
        light = cv2.resize(rng.random((low, high), np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        canvas *= (0.7 + 0.6 * light)[..., None]
    return np.clip(canvas, 0, 255)

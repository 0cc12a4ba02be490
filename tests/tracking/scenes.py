"""Clips with exact truth: a textured object before a textured background, covered, away, or back in another place."""

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Frame

WIDTH, HEIGHT = 320, 240


def texture(seed: int, height: int, width: int, tint: tuple[int, int, int], grain: int = 6) -> np.ndarray:
    """(height, width, 3) uint8: random squares of one tint."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(-60, 60, (height // grain + 1, width // grain + 1, 3))
    blocks = blocks.repeat(grain, axis=0).repeat(grain, axis=1)[:height, :width]
    return np.clip(np.array(tint) + blocks, 0, 255).astype(np.uint8)


BACKGROUND = texture(1, HEIGHT + 80, WIDTH + 80, (110, 120, 100), grain=9)


def scene(
    index: int,
    place: tuple[float, float] | None,
    *,
    size: int = 48,
    tint: tuple[int, int, int] = (190, 80, 70),
    pan: float = 0.0,
    cover: Boxes | None = None,
) -> Frame:
    """A frame with the object's centre at `place` (None: absent), the background panned, and a plain cover on top."""
    shift = round(pan) % 80
    image = BACKGROUND[40 : 40 + HEIGHT, shift : shift + WIDTH].copy()
    if place is not None:
        patch = texture(2, 60, 60, tint)
        rows = np.minimum(np.arange(size) * 60 // size, 59)
        patch = patch[rows][:, rows]
        x, y = round(place[0] - size / 2), round(place[1] - size / 2)
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + size, WIDTH), min(y + size, HEIGHT)
        if x1 > x0 and y1 > y0:
            image[y0:y1, x0:x1] = patch[y0 - y : y1 - y, x0 - x : x1 - x]
    if cover is not None:
        x0, y0, x1, y1 = np.asarray(cover).astype(int)
        image[y0:y1, x0:x1] = texture(3, HEIGHT, WIDTH, (70, 90, 140), grain=14)[y0:y1, x0:x1]
    return Frame(rgb=image, stamp_ns=(index + 1) * 33_000_000, index=index)


def box_at(place: tuple[float, float], size: int = 48) -> Boxes:
    return np.array([place[0] - size / 2, place[1] - size / 2, place[0] + size / 2, place[1] + size / 2])

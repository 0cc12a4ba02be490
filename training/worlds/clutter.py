"""Cluttered backgrounds: many unnamed things of all sizes that occlude each other, as in a real street or room.

The dead-leaves model of natural images (Lee, Mumford and Huang, Int. J. Computer Vision 41, 2001): opaque things whose
sizes follow a power law. Outlines are irregular, so that none is a shape of the vocabulary.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.worlds.textures import draw_background, draw_surface, random_colour

Image = NDArray[np.uint8]

SMALLEST, LARGEST = 0.03, 0.45  # radius in shorter sides of the image
CORNERS = 24


def draw_clutter(width: int, height: int, rng: np.random.Generator) -> Image:
    """A background (height, width, 3) uint8, RGB."""
    canvas = draw_background(width, height, rng)
    side = min(width, height)
    surfaces = [draw_surface(width, height, rng) for _ in range(3)]
    vivid = rng.uniform(0, 0.5)  # share of saturated things
    radii = SMALLEST / (1 - rng.random(int(rng.integers(8, 70))) * (1 - SMALLEST / LARGEST))
    for radius in sorted(radii, reverse=rng.random() < 0.5):
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [_outline(radius * side, width, height, rng)], 255, lineType=cv2.LINE_AA)
        x, y, w, h = cv2.boundingRect(mask)
        window = slice(y, y + h), slice(x, x + w)
        alpha = mask[window][..., None] / np.float32(255)
        colour = random_colour(rng, 1.0 if rng.random() < vivid else 0.35)
        surface = surfaces[int(rng.integers(len(surfaces)))][window]
        share = np.float32(rng.uniform(0, 0.8))
        dx, dy = rng.uniform(-0.3, 0.3, 2).astype(np.float32)
        shade = 1 + dx * np.linspace(-1, 1, w, dtype=np.float32) + dy * np.linspace(-1, 1, h, dtype=np.float32)[:, None]
        thing = (colour * (1 - share) + surface * share) * shade[..., None]
        canvas[window] = canvas[window] * (1 - alpha) + thing * alpha
    if rng.random() < 0.5:  # the background is out of focus
        canvas = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.5, 2.0)) * side / 128)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _outline(radius: float, width: int, height: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Corners of an irregular thing: a closed curve of random waves about a centre, stretched and rotated."""
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    waves = np.arange(2, 6)
    sizes = rng.normal(0, 1, 4) * rng.uniform(0.05, 0.4) / waves**0.5
    reach = np.maximum(1 + (sizes * np.sin(np.outer(angles, waves) + rng.uniform(0, 2 * np.pi, 4))).sum(axis=1), 0.15)
    if rng.random() < 0.4:  # straight edges
        reach, angles = reach[:: CORNERS // 6], angles[:: CORNERS // 6]
    stretch, turn = np.exp(rng.normal(0, 0.6)), rng.uniform(0, np.pi)
    points = np.stack([np.cos(angles) * stretch, np.sin(angles) / stretch], axis=1) * reach[:, None] * radius
    cos, sin = np.cos(turn), np.sin(turn)
    points = points @ np.array([[cos, sin], [-sin, cos]]) + rng.uniform(0, [width, height])
    return np.asarray(np.round(points), np.int32)

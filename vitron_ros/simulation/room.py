"""A room with cards that stand in it, as a pinhole camera with a depth sensor sees it.

World: metres, x and y on the floor, z up. The camera looks along the floor; its image has x right and y down.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.worlds.clip import ObjectSpec
from vitron_ros.worlds.shapes import HALF_EXTENT
from vitron_ros.worlds.sprites import draw_sprite
from vitron_ros.worlds.textures import draw_surface

Image = NDArray[np.uint8]
Depth = NDArray[np.float32]
Array = NDArray[np.float64]

CEILING = 2.6  # m
TEXTURE_SIDE, TEXTURE_METRES = 512, 3.0  # of each surface, which repeats, mirrored
SPRITE_SIDE = 128  # px
LARGEST = 8  # sides of the image; nearer cards are drawn no larger
NEAREST = 0.1  # m from the camera, within which nothing is drawn


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole camera without distortion; `focal` in px."""

    width: int = 320
    height: int = 240
    focal: float = 277.0

    @property
    def matrix(self) -> Array:
        """K, (3, 3)."""
        return np.array(
            [[self.focal, 0, (self.width - 1) / 2], [0, self.focal, (self.height - 1) / 2], [0, 0, 1]], np.float64
        )


@dataclass(frozen=True, slots=True)
class CameraPose:
    """Where the camera is, m, and where it looks, radians from x towards y."""

    x: float
    y: float
    z: float
    yaw: float

    def position_of(self, point: Array) -> Array:
        """A point (3,) of the world in the camera's optical frame: x right, y down, z ahead."""
        dx, dy = point[0] - self.x, point[1] - self.y
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([dx * sin - dy * cos, self.z - point[2], dx * cos + dy * sin], np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """A drawn object that always faces the camera. `side`: m, of a square with the area of its box."""

    spec: ObjectSpec
    side: float


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What the camera sees.

    Attributes:
        rgb: (H, W, 3).
        depth: (H, W) m along the optical axis.
        instances: (H, W), 1 + the index of the card that a pixel shows; 0: none.
        visible: (N,) share of each card that is in the image and not occluded.
    """

    rgb: Image
    depth: Depth
    instances: Image
    visible: Array


class Room:
    """Draws the room; the same for the same seed.

    Args:
        half_side: m from the middle to a wall.
    """

    def __init__(self, cards: Sequence[Card], lens: Lens, *, seed: int, half_side: float = 6.0) -> None:
        rng = np.random.Generator(np.random.PCG64(seed))
        self.lens = lens
        self.cards = tuple(cards)
        self._half_side = half_side
        self._sprites = [draw_sprite(card.spec, SPRITE_SIDE, 0.0, rng) for card in cards]
        self._surfaces = np.vstack([_periodic("planks", rng), _periodic("marble", rng)])  # of the floor, of the walls
        rows, columns = np.mgrid[: lens.height, : lens.width].astype(np.float32)
        self._right = (columns - (lens.width - 1) / 2) / np.float32(lens.focal)
        self._down = (rows - (lens.height - 1) / 2) / np.float32(lens.focal)

    def view(self, camera: CameraPose, places: Array) -> View:
        """The image from that pose. places: (N, 3) m, where the middle of each card is."""
        canvas, depth = self._background(camera)
        instances = np.zeros(depth.shape, np.uint8)
        visible = np.zeros(len(self.cards))
        whole = np.ones(len(self.cards))
        positions = [camera.position_of(place) for place in places]
        for index in sorted(range(len(self.cards)), key=lambda number: -positions[number][2]):
            if positions[index][2] > NEAREST:
                whole[index] = self._draw(canvas, depth, instances, index, positions[index])
        for index in range(len(self.cards)):
            visible[index] = np.count_nonzero(instances == index + 1) / whole[index]
        rgb = np.clip(np.round(cv2.GaussianBlur(canvas, (0, 0), 0.6)), 0, 255).astype(np.uint8)
        return View(rgb, depth, instances, np.minimum(visible, 1.0))

    def _background(self, camera: CameraPose) -> tuple[Depth, Depth]:
        """Floor, ceiling and walls: the image, (H, W, 3) float32, and its depth."""
        cos, sin = np.float32(np.cos(camera.yaw)), np.float32(np.sin(camera.yaw))
        ahead_x, ahead_y = cos + sin * self._right, sin - cos * self._right  # of each pixel's ray, for a depth of 1
        half = self._half_side
        with np.errstate(divide="ignore"):
            to_floor = np.where(self._down > 0, camera.z / self._down, (camera.z - CEILING) / self._down)
            to_x = (np.copysign(half, ahead_x) - camera.x) / ahead_x
            to_y = (np.copysign(half, ahead_y) - camera.y) / ahead_y
        to_wall = np.minimum(to_x, to_y)
        depth = np.minimum(np.minimum(to_floor, to_wall), np.float32(4 * half)).astype(np.float32)
        x, y = camera.x + ahead_x * depth, camera.y + ahead_y * depth
        is_wall = to_wall < to_floor
        along = np.where(to_x < to_y, y, x)
        height = camera.z - self._down * depth
        scale, period = np.float32(TEXTURE_SIDE / TEXTURE_METRES), np.float32(2 * TEXTURE_SIDE)
        columns = np.where(is_wall, along, x) * scale % period
        rows = np.minimum(np.where(is_wall, height, y) * scale % period, period - 1) + is_wall * period
        drawn = cv2.remap(self._surfaces, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        shade = np.where(is_wall, np.where(to_x < to_y, 1.0, 0.9), np.where(self._down > 0, 0.85, 1.05))
        return drawn * shade[..., None].astype(np.float32), depth

    def _draw(self, canvas: Depth, depth: Depth, instances: Image, index: int, position: Array) -> float:
        """Draw a card over what is farther; gives the pixels that the whole of it would take."""
        lens, sprite = self.lens, self._sprites[index]
        size = min(lens.focal * self.cards[index].side / position[2], LARGEST * max(lens.width, lens.height))  # px
        centre = lens.matrix[:2, 2] + lens.focal * position[:2] / position[2]
        covered = np.count_nonzero(sprite.rgba[..., 3] >= 127.5) * (size / sprite.to_texture[0, 0]) ** 2
        left, top = np.maximum(np.floor(centre - size * HALF_EXTENT), 0).astype(int)
        right, bottom = np.minimum(np.ceil(centre + size * HALF_EXTENT) + 1, [lens.width, lens.height]).astype(int)
        if right > left and bottom > top:
            pose = np.array([[size, 0, centre[0] - left], [0, size, centre[1] - top], [0, 0, 1]], np.float64)
            matrix = (pose @ np.linalg.inv(sprite.to_texture))[:2]
            rgba = cv2.warpAffine(sprite.rgba, matrix, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR)
            solid = rgba[..., 3] >= 127.5
            window = (slice(top, bottom), slice(left, right))
            canvas[window] = canvas[window] * (1 - rgba[..., 3:] * np.float32(1 / 255)) + rgba[..., :3]
            depth[window][solid] = position[2]
            instances[window][solid] = index + 1
        return max(float(covered), 1.0)


def _periodic(kind: str, rng: np.random.Generator) -> Image:
    """A surface that goes on where it ends, (2 TEXTURE_SIDE, 2 TEXTURE_SIDE, 3): it and its mirror images."""
    tile = draw_surface(TEXTURE_SIDE, TEXTURE_SIDE, rng, kind)
    tile = np.hstack([tile, tile[:, ::-1]])
    return np.clip(np.vstack([tile, tile[::-1]]), 0, 255).astype(np.uint8)

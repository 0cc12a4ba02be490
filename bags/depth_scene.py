"""A generated scene with depth: drawn objects that move in a room, seen by a camera with a stereo depth sensor.

Every object is flat and faces the camera, so that where it is follows exactly. The optical frame: x right, y down, z
forward, in metres. The sensor is as good as they are: it has no depth beside the left edges of near things, which only
one of its two cameras sees, and its distances come in steps that grow with the square of the distance.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bags.ground_truth_bag import Rgb
from vitron_ros.recordings.ground_truth import TrueBox
from vitron_ros.worlds.clip import ObjectSpec
from vitron_ros.worlds.sprites import Sprite, draw_sprite
from vitron_ros.worlds.textures import draw_surface

WIDTH, HEIGHT, FPS, FRAMES = 320, 240, 15, 150
FOCAL = 300.0  # px
MIDDLE = np.array([WIDTH / 2, HEIGHT / 2])  # px, where the optical axis meets the image
WALL, FLOOR = 6.0, 0.9  # m, ahead and below
BASELINE, DISPARITY_STEP = 0.05, 1 / 16  # m between the sensor's two cameras; px
SEED = 31

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FlatObject:
    """An object of `side` m; `stretch` makes it slim and tall. position: (3,) m at a time in s."""

    id: int
    label: str
    spec: ObjectSpec
    side: float
    position: Callable[[float], Array]
    stretch: tuple[float, float] = (1.0, 1.0)


def _sway(middle: float, reach: float, period: float, t: float, phase: float = 0.0) -> float:
    return float(middle + reach * np.sin(2 * np.pi * t / period + phase))


OBJECTS = (
    FlatObject(1, "purple mug", ObjectSpec("mug", "purple", "small", "plain"), 0.45,
               lambda t: np.array(
                   [_sway(0.0, 0.18, 7, t), _sway(0.12, 0.03, 5, t), _sway(3.0, 2.0, 10, t, np.pi / 2)])),
    FlatObject(2, "red ring", ObjectSpec("ring", "red", "large", "plain"), 0.5,
               lambda t: np.array([_sway(-0.85, 0.1, 6, t), -0.25, _sway(2.7, 0.7, 9, t)])),
    FlatObject(3, "yellow stick", ObjectSpec("square", "yellow", "medium", "striped"), 0.5,
               lambda t: np.array([_sway(0.85, 0.12, 8, t), 0.1, _sway(2.4, 0.4, 10, t)]), stretch=(0.12, 1.6)),
    FlatObject(4, "blue square", ObjectSpec("square", "blue", "large", "dotted"), 0.7,
               lambda t: np.array([1.4, -0.5, 4.6])),
)  # fmt: skip


def render(index: int) -> tuple[Rgb, NDArray[np.uint16], list[tuple[TrueBox, Array]]]:
    """The image, the depth in mm, and of each object the truth in the image and the middle of its box in space, m."""
    t = index / FPS
    canvas, depth = _ROOM.copy(), _ROOM_DEPTH.copy()
    owners = np.zeros(depth.shape, np.int32)
    truths = {}
    for item in sorted(OBJECTS, key=lambda item: -item.position(t)[2]):
        position = item.position(t)
        rgba = _placed(item, position)
        alpha = rgba[..., 3:] / 255
        canvas = canvas * (1 - alpha) + rgba[..., :3]
        solid = alpha[..., 0] >= 0.5
        depth[_shadow(solid, position[2])] = 0
        depth[solid], owners[solid] = position[2], item.id
        box = np.array(cv2.boundingRect(solid.astype(np.uint8)), np.float64)
        box[2:] += box[:2]
        truths[item.id] = (item, box, solid.sum(), position[2])
    found = []
    for number, (item, box, area, distance) in sorted(truths.items()):
        visible = float((owners == number).sum() / area)
        middle = ((box[:2] + box[2:]) / 2 - MIDDLE) / FOCAL * distance
        found.append((TrueBox(number, item.label, box, visible), np.append(middle, distance)))
    image = np.clip(np.round(cv2.GaussianBlur(canvas, (0, 0), 0.5)), 0, 255).astype(np.uint8)
    return image, _measured(depth), found


def _measured(depth: Array) -> NDArray[np.uint16]:
    """As the sensor says it, mm."""
    disparity = np.round(FOCAL * BASELINE / np.maximum(depth, 0.1) / DISPARITY_STEP) * DISPARITY_STEP
    return np.where(depth > 0, np.round(1000 * FOCAL * BASELINE / disparity), 0).astype(np.uint16)


def _shadow(solid: NDArray[np.bool_], distance: float) -> NDArray[np.bool_]:
    """Pixels to the left of an object whose background is hidden from the sensor's other camera."""
    width = round(FOCAL * BASELINE * (1 / distance - 1 / WALL))
    if width < 1:
        return np.zeros_like(solid)
    reach = cv2.dilate(solid.astype(np.uint8), np.ones((1, width + 1), np.uint8), anchor=(0, 0))
    return (reach > 0) & ~solid


def _placed(item: FlatObject, position: Array) -> NDArray[np.float32]:
    """The sprite in the image, (H, W, 4) in 0..255."""
    sprite = _SPRITES[item.id]
    scale = FOCAL * item.side / position[2]
    level = int(np.clip(np.log2(_SPRITE_PX / max(scale * 1.6, 1)), 0, len(sprite) - 1))
    pose = np.array([[scale * item.stretch[0], 0, FOCAL * position[0] / position[2] + MIDDLE[0] - 0.5],
                     [0, scale * item.stretch[1], FOCAL * position[1] / position[2] + MIDDLE[1] - 0.5],
                     [0, 0, 1]])  # fmt: skip
    matrix = (pose @ np.linalg.inv(sprite[level].to_texture))[:2]
    return np.asarray(cv2.warpAffine(sprite[level].rgba, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR), np.float32)


def _levels(sprite: Sprite) -> list[Sprite]:
    """The sprite and its halves, so that what is far away does not flicker."""
    levels = [sprite]
    while len(levels[-1].rgba) > 16:
        last = levels[-1]
        half = len(last.rgba) // 2
        to_half = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])
        levels.append(
            Sprite(cv2.resize(last.rgba, (half, half), interpolation=cv2.INTER_AREA), to_half @ last.to_texture)
        )
    return levels


def _room() -> tuple[Array, Array]:
    """The image of the empty room, and its depth in m."""
    rng = np.random.default_rng(SEED)
    wall, floor = draw_surface(WIDTH, HEIGHT, rng, "bricks"), draw_surface(WIDTH, HEIGHT, rng, "planks")
    rows = np.arange(HEIGHT) + 0.5 - MIDDLE[1]
    distance = np.minimum(WALL, FOCAL * FLOOR / np.maximum(rows, 1e-9))
    image = np.where((distance < WALL)[:, None, None], floor, wall).astype(np.float64)
    return image, np.repeat(distance[:, None], WIDTH, axis=1)


_SPRITE_PX = 256
_ROOM, _ROOM_DEPTH = _room()
_SPRITES = {item.id: _levels(draw_sprite(item.spec, _SPRITE_PX, -0.6, np.random.default_rng(SEED + item.id)))
            for item in OBJECTS}  # fmt: skip

"""A generated scene with exact boxes: toys move on a table while the camera moves too.

Everything follows from the time, so the same frame always comes out the same. World coordinates are pixels of the image
of the camera at rest; x right, y down.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from bags.ground_truth_bag import Rgb
from vitron_ros.recordings.ground_truth import TrueBox

WIDTH, HEIGHT, FPS, FRAMES = 640, 480, 30, 240
MARGIN = 200  # px around the image in which objects are still drawn, to measure the part outside
HORIZON = 210  # world y where the wall meets the table
PAINT_SCALE = 4  # sprites are painted at this scale, for smooth edges
STORED_SCALE = 2  # and stored at this one

Sprite = NDArray[np.float32]  # (h, w, 4): rgb 0..255 times opacity, and opacity 0..1


@dataclass(frozen=True)
class Pose:
    """The pose of a toy: the middle of its foot in world px, its size and its tilt in degrees."""

    x: float
    y: float
    scale: float = 1.0
    tilt: float = 0.0


@dataclass(frozen=True)
class Toy:
    """One object. Toys are drawn in the order of their foot's y: nearer ones occlude farther ones."""

    id: int
    label: str
    sprite: Callable[[float], Sprite]
    pose: Callable[[float], Pose]


def render(index: int) -> tuple[Rgb, list[TrueBox]]:
    """The image of frame `index`, (480, 640, 3) uint8, and its ground truth by id, without objects entirely outside."""
    t = index / FPS
    canvas = _background(t)
    toys = sorted(TOYS, key=lambda toy: toy.pose(t).y)
    owners = np.zeros(canvas.shape[:2], np.int32)
    areas: dict[int, NDArray[np.bool_]] = {}
    for toy in toys:
        layer = _placed(toy.sprite(t), toy.pose(t), t)
        opacity = layer[..., 3:]
        _cast_shadow(canvas, opacity[..., 0])
        canvas = canvas * (1 - opacity) + layer[..., :3]
        areas[toy.id] = opacity[..., 0] > 0.5
        owners[areas[toy.id]] = toy.id
    inside = (slice(MARGIN, MARGIN + HEIGHT), slice(MARGIN, MARGIN + WIDTH))
    ground_truths = []
    for toy in sorted(TOYS, key=lambda toy: toy.id):
        rows, columns = np.nonzero(areas[toy.id])
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) - MARGIN
        box = np.clip(box, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype(np.float64)
        if (box[2:] - box[:2] >= 1).all():
            seen = float(np.count_nonzero(owners[inside] == toy.id) / len(rows))
            ground_truths.append(TrueBox(toy.id, toy.label, box, seen))
    lens = cv2.GaussianBlur(canvas[inside], (0, 0), 0.8)
    return np.clip(np.round(lens), 0, 255).astype(np.uint8), ground_truths


def camera(t: float, depth: float = 1.0) -> NDArray[np.float64]:
    """The (2, 3) map from world to canvas px: a slow pan, some zoom and roll. `depth` below 1: farther, slower."""
    pan_x = depth * (34 * math.sin(2 * math.pi * t / 9.5) + 3 * math.sin(2.7 * t))
    pan_y = depth * (9 * math.sin(2 * math.pi * t / 6.3) + 2 * math.sin(3.9 * t))
    zoom = 1 + 0.045 * math.sin(2 * math.pi * t / 9.5 - 1.2)
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 1.1 * math.sin(2 * math.pi * t / 7.1), zoom)
    turn[:, 2] += turn[:, :2] @ [-pan_x, -pan_y] + MARGIN
    return np.asarray(turn, np.float64)


def _placed(sprite: Sprite, pose: Pose, t: float) -> Sprite:
    """The sprite in the canvas, (H, W, 4)."""
    height, width = sprite.shape[:2]
    foot = cv2.getRotationMatrix2D((width / 2, height), pose.tilt, pose.scale / STORED_SCALE)
    foot[:, 2] += [pose.x - width / 2, pose.y - height]
    world = camera(t)
    matrix = world[:, :2] @ foot
    matrix[:, 2] += world[:, 2]
    size = (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN)
    return np.asarray(cv2.warpAffine(sprite, matrix, size, flags=cv2.INTER_LINEAR), np.float32)


def _cast_shadow(canvas: NDArray[np.float32], opacity: NDArray[np.float32]) -> None:
    """Darken the table to the lower right of a toy, softly."""
    lower = opacity.copy()
    rows = np.nonzero(opacity.max(axis=1) > 0.5)[0]
    if len(rows):
        lower[: rows[-1] - (rows[-1] - rows[0]) // 4] = 0
    shift = np.array([[1, 0, 9], [0, 1, 6]], np.float64)
    soft = cv2.GaussianBlur(cv2.warpAffine(lower, shift, lower.shape[::-1]), (0, 0), 6)
    canvas *= 1 - 0.45 * soft[..., None]


def _noise(shape: tuple[int, int], blur: tuple[float, float], seed: int) -> NDArray[np.float32]:
    """Smooth noise with zero mean and unit deviation."""
    raw = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    smooth = cv2.GaussianBlur(raw, (0, 0), sigmaX=blur[0], sigmaY=blur[1])
    return np.asarray((smooth - smooth.mean()) / smooth.std(), np.float32)


def _paint_wall() -> NDArray[np.float32]:
    """A wall with a soft pattern, a window and two pictures, (h, w, 3); world (0, 0) lies at 2 MARGIN, 2 MARGIN."""
    height, width = HEIGHT + 4 * MARGIN, WIDTH + 4 * MARGIN
    wall = np.empty((height, width, 3), np.float32)
    wall[:] = (206, 190, 168)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wall += (5 * np.sin(x / 21) * np.sin(y / 21))[..., None]
    wall += 3 * _noise((height, width), (25, 25), 1)[..., None]

    def panel(left: int, top: int, right: int, bottom: int, colour: tuple[int, int, int]) -> None:
        corner, end = (left + 2 * MARGIN, top + 2 * MARGIN), (right + 2 * MARGIN, bottom + 2 * MARGIN)
        cv2.rectangle(wall, corner, end, colour, cv2.FILLED)

    panel(52, -60, 236, 132, (242, 238, 230))  # window
    panel(62, -60, 226, 122, (150, 192, 222))
    sky = wall[2 * MARGIN - 60 : 2 * MARGIN + 123, 2 * MARGIN + 62 : 2 * MARGIN + 227]
    sky += 14 * np.clip(_noise(sky.shape[:2], (22, 9), 2), -0.5, 2)[..., None]
    cv2.ellipse(wall, (2 * MARGIN + 110, 2 * MARGIN + 122), (60, 34), 0, 180, 360, (104, 150, 96), cv2.FILLED)
    cv2.ellipse(wall, (2 * MARGIN + 190, 2 * MARGIN + 122), (37, 22), 0, 180, 360, (84, 128, 84), cv2.FILLED)
    panel(140, -60, 148, 122, (242, 238, 230))
    panel(62, 28, 226, 35, (242, 238, 230))
    panel(44, 130, 244, 142, (232, 226, 214))
    panel(330, 26, 424, 110, (92, 66, 48))  # pictures
    panel(338, 34, 416, 102, (236, 222, 190))
    cv2.circle(wall, (2 * MARGIN + 388, 2 * MARGIN + 56), 11, (226, 120, 60), cv2.FILLED)
    hills = np.array([[338, 102], [338, 84], [360, 66], [380, 86], [398, 74], [416, 90], [416, 102]], np.int32)
    cv2.fillPoly(wall, [hills + 2 * MARGIN], (70, 110, 128))
    panel(496, 10, 566, 106, (70, 74, 82))
    panel(503, 17, 559, 99, (228, 232, 230))
    for row, colour in enumerate([(196, 74, 62), (228, 172, 60), (72, 132, 108)]):
        panel(511, 26 + 24 * row, 551, 42 + 24 * row, colour)
    panel(-2 * MARGIN, HORIZON - 26, WIDTH + 2 * MARGIN, HORIZON + 30, (226, 216, 200))  # skirting board
    panel(-2 * MARGIN, HORIZON - 28, WIDTH + 2 * MARGIN, HORIZON - 26, (186, 172, 152))
    return wall


def _paint_table() -> NDArray[np.float32]:
    """A table of planks with grain and waypoints, (h, w, 4) with opacity; placed as the wall."""
    height, width = HEIGHT + 4 * MARGIN, WIDTH + 4 * MARGIN
    top = 2 * MARGIN + HORIZON
    table = np.zeros((height, width, 4), np.float32)
    table[top:, :, :3] = (176, 124, 78)
    grain = 4.5 * _noise((height, width), (90, 3), 3) + 4 * _noise((height, width), (140, 9), 4)
    edges = [top, *(top + np.array([44, 96, 158, 232, 320, 424, 548])).tolist(), height]
    tones = np.random.default_rng(5).uniform(-13, 13, len(edges))
    for (start, end), tone in zip(pairwise(edges), tones, strict=False):
        table[start:end, :, :3] += (tone + grain[start:end])[..., None] * [1.0, 0.82, 0.6]
    random = np.random.default_rng(6)
    for _ in range(26):  # waypoints
        centre = (int(random.integers(0, width)), int(random.integers(top + 12, height)))
        axes = (int(random.integers(7, 15)), int(random.integers(3, 5)))
        for shrink in (1.0, 0.66, 0.33):
            ring = (round(axes[0] * shrink), round(axes[1] * shrink))
            cv2.ellipse(table, centre, ring, 0, 0, 360, (118, 76, 46, 0), 1)
    for edge in edges[1:-1]:
        cv2.line(table, (0, edge), (width, edge), (104, 66, 40, 0), 2)
        cv2.line(table, (0, edge + 2), (width, edge + 2), (196, 146, 100, 0), 1)
    cv2.line(table, (0, top), (width, top), (212, 164, 116, 0), 3)
    table[top:, :, 3] = 1
    return table


def _background(t: float) -> NDArray[np.float32]:
    size = (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN)
    shift = np.array([[1, 0, -2 * MARGIN], [0, 1, -2 * MARGIN], [0, 0, 1]], np.float64)
    wall = cv2.warpAffine(_WALL, camera(t, 0.55) @ shift, size, flags=cv2.INTER_LINEAR)
    table = cv2.warpAffine(_TABLE, camera(t) @ shift, size, flags=cv2.INTER_LINEAR)
    opacity = table[..., 3:]
    canvas = wall * (1 - opacity) + table[..., :3] * opacity
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    light = 1.06 - 0.22 * ((x + 0.25) ** 2 + (y + 0.1) ** 2)  # a lamp to the upper left
    return np.asarray(canvas * light[..., None], np.float32)


def _blank(width: int, height: int) -> Sprite:
    return np.zeros((height * PAINT_SCALE, width * PAINT_SCALE, 4), np.float32)


def _at(*points: float) -> tuple[int, ...]:
    return tuple(round(value * PAINT_SCALE) for value in points)


def _finished(painted: Sprite) -> Sprite:
    """The sprite at its stored scale, edges smoothed."""
    painted[..., :3] *= painted[..., 3:]
    height, width = painted.shape[:2]
    size = (width * STORED_SCALE // PAINT_SCALE, height * STORED_SCALE // PAINT_SCALE)
    return np.asarray(cv2.resize(painted, size, interpolation=cv2.INTER_AREA), np.float32)


def _mug() -> Sprite:
    width, height, left, right = 78, 84, 4, 58
    sprite = _blank(width, height)
    cv2.ellipse(sprite, _at(right - 2, 46), _at(16, 19), 0, -100, 100, (176, 34, 36, 1), 8 * PAINT_SCALE)
    cv2.ellipse(sprite, _at(right - 4, 44), _at(16, 19), 0, -100, 100, (222, 66, 60, 1), 3 * PAINT_SCALE)
    body = np.zeros(sprite.shape[:2], np.uint8)
    cv2.rectangle(body, _at(left, 12), _at(right, 74), 1, cv2.FILLED)
    cv2.ellipse(body, _at((left + right) / 2, 74), _at((right - left) / 2, 9), 0, 0, 360, 1, cv2.FILLED)
    x = (np.arange(width * PAINT_SCALE) / PAINT_SCALE - left) / (right - left) * 2 - 1
    curve = 9 * np.sqrt(np.clip(1 - x**2, 0, 1))  # px that a band around the mug hangs lower at this column
    rows = np.arange(height * PAINT_SCALE)[:, None] / PAINT_SCALE - curve[None, :]
    paint = np.empty((*body.shape, 3), np.float32)
    paint[:] = (206, 44, 44)
    paint[(rows > 30) & (rows < 52)] = (246, 236, 222)
    angle = np.arcsin(np.clip(x, -1, 1))[None, :]
    dots = (np.mod(angle / 0.52, 1) - 0.5) ** 2 * 0.52**2 * (27**2) + (rows - 41) ** 2 < 5.2**2
    paint[dots] = (44, 92, 150)
    shade = 0.62 + 0.46 * np.clip(np.cos(angle + 0.5), 0, 1) ** 1.3
    mask = body.astype(bool)
    sprite[mask, :3] = (paint * shade[..., None])[mask]
    sprite[mask, 3] = 1
    middle = _at((left + right) / 2, 12)
    cv2.ellipse(sprite, middle, _at((right - left) / 2, 9), 0, 0, 360, (232, 92, 84, 1), cv2.FILLED)
    cv2.ellipse(sprite, middle, _at((right - left) / 2 - 4, 6.5), 0, 0, 360, (70, 34, 26, 1), cv2.FILLED)
    return _finished(sprite)


def _ball(t: float) -> Sprite:
    """A beach ball that turns as it rolls."""
    size = 64
    span = np.linspace(-1, 1, size * PAINT_SCALE)
    x, y = np.meshgrid(span, span)
    inside = x**2 + y**2 <= 0.97
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    turn = _ball_pose(t).x / (size / 2)
    across, along = x * math.cos(turn) + y * math.sin(turn), -x * math.sin(turn) + y * math.cos(turn)
    sector = np.floor((np.arctan2(along, across * 0.8 + z * 0.6) + math.pi) / (math.pi / 3)).astype(int) % 6
    colours = np.array(
        [(250, 214, 60), (248, 244, 232), (238, 140, 40), (250, 214, 60), (248, 244, 232), (60, 150, 190)], np.float32
    )
    light = np.clip(-0.45 * x - 0.6 * y + 0.66 * z, 0, 1)
    shade = 0.5 + 0.56 * light
    sprite = np.zeros((*x.shape, 4), np.float32)
    gloss = 120 * np.clip(light - 0.93, 0, 1)[..., None] * 8
    sprite[..., :3] = np.clip(colours[sector] * shade[..., None] + gloss, 0, 255)
    sprite[..., 3] = inside
    return _finished(sprite)


def _car() -> Sprite:
    sprite = _blank(120, 58)
    body = np.array([[4, 44], [6, 30], [26, 26], [42, 8], [84, 8], [100, 26], [114, 30], [117, 44]], np.float64)
    cv2.fillPoly(sprite, [(body * PAINT_SCALE).astype(np.int32)], (44, 104, 190, 1))
    lower = np.array([[4, 45], [5, 36], [116, 36], [117, 45]], np.float64)
    cv2.fillPoly(sprite, [(lower * PAINT_SCALE).astype(np.int32)], (30, 74, 146, 1))
    for window in ([[34, 26], [46, 13], [60, 13], [60, 26]], [[65, 13], [80, 13], [91, 26], [65, 26]]):
        glass = (np.array(window, np.float64) * PAINT_SCALE).astype(np.int32)
        cv2.fillPoly(sprite, [glass], (196, 222, 236, 1))
        cv2.line(sprite, _at(window[1][0] + 3, 16), _at(window[1][0] - 2, 24), (240, 248, 252, 1), PAINT_SCALE)
    cv2.line(sprite, _at(8, 33), _at(113, 33), (240, 240, 236, 1), 3 * PAINT_SCALE)
    cv2.line(sprite, _at(30, 24), _at(44, 10), (110, 160, 224, 1), PAINT_SCALE)
    cv2.circle(sprite, _at(62, 33), 9 * PAINT_SCALE, (248, 248, 244, 1), cv2.FILLED)
    seven = np.array([_at(58, 29), _at(66, 29), _at(61, 38)], np.int32)
    cv2.polylines(sprite, [seven], False, (30, 40, 60, 1), 2 * PAINT_SCALE)
    cv2.ellipse(sprite, _at(8, 34), _at(3, 4), 0, 0, 360, (252, 226, 120, 1), cv2.FILLED)
    cv2.ellipse(sprite, _at(114, 35), _at(3, 4), 0, 0, 360, (214, 60, 50, 1), cv2.FILLED)
    for x in (29, 91):
        cv2.circle(sprite, _at(x, 44), 13 * PAINT_SCALE, (34, 34, 38, 1), cv2.FILLED)
        cv2.circle(sprite, _at(x, 44), 7 * PAINT_SCALE, (188, 192, 198, 1), cv2.FILLED)
        cv2.circle(sprite, _at(x, 44), 2 * PAINT_SCALE, (80, 84, 90, 1), cv2.FILLED)
    return _finished(sprite)


def _gift() -> Sprite:
    sprite = _blank(92, 92)

    def face(points: list[list[float]], colour: tuple[int, int, int]) -> None:
        cv2.fillPoly(sprite, [(np.array(points) * PAINT_SCALE).astype(np.int32)], (*colour, 1))

    face([[6, 36], [58, 44], [58, 90], [6, 80]], (70, 150, 96))
    face([[58, 44], [86, 32], [86, 74], [58, 90]], (44, 108, 70))
    face([[6, 36], [36, 26], [86, 32], [58, 44]], (112, 186, 128))
    for row in range(2):
        for column in range(3):
            x, y = 14 + 18 * column, 50 + 19 * row + 2.6 * column
            if column != 1:
                cv2.circle(sprite, _at(x, y), 4 * PAINT_SCALE, (236, 224, 130, 1), cv2.FILLED)
    face([[27, 39], [37, 41], [37, 86], [27, 84]], (236, 190, 66))
    face([[70, 39], [75, 37], [75, 80], [70, 83]], (186, 142, 40))
    face([[27, 39], [37, 41], [66, 30], [57, 28.5]], (248, 212, 104))
    face([[70, 39], [75, 37], [24, 30], [17, 32.5]], (248, 212, 104))
    for angle in (-28, 28):
        cv2.ellipse(sprite, _at(46 + angle * 0.45, 22), _at(15, 9), angle, 0, 360, (236, 190, 66, 1), 4 * PAINT_SCALE)
    cv2.circle(sprite, _at(46, 30), 6 * PAINT_SCALE, (216, 160, 44, 1), cv2.FILLED)
    return _finished(sprite)


def _cereal_box() -> Sprite:
    sprite = _blank(124, 150)
    side = np.array([[104, 8], [121, 3], [121, 140], [104, 149]], np.float64)
    cv2.fillPoly(sprite, [(side * PAINT_SCALE).astype(np.int32)], (58, 70, 112, 1))
    cv2.rectangle(sprite, _at(3, 8), _at(104, 149), (84, 98, 152, 1), cv2.FILLED)
    cv2.rectangle(sprite, _at(3, 8), _at(104, 14), (236, 232, 220, 1), cv2.FILLED)
    cv2.ellipse(sprite, _at(54, 104), _at(40, 26), 0, 0, 360, (240, 236, 226, 1), cv2.FILLED)
    cv2.ellipse(sprite, _at(54, 100), _at(34, 16), 0, 0, 360, (196, 214, 226, 1), cv2.FILLED)
    random = np.random.default_rng(9)
    for _ in range(22):
        angle, radius = random.uniform(0, 2 * math.pi), math.sqrt(random.uniform(0, 1))
        centre = _at(54 + 27 * radius * math.cos(angle), 99 + 11 * radius * math.sin(angle))
        cv2.circle(sprite, centre, 4 * PAINT_SCALE, (222, 160, 70, 1), 2 * PAINT_SCALE)
    for x, y, radius in ((54, 46, 25), (20, 30, 7), (90, 62, 8)):
        turns = np.arange(10) * math.pi / 5 - math.pi / 2
        reach = radius * np.where(np.arange(10) % 2, 0.45, 1.0)
        star = np.stack([x + reach * np.cos(turns), y + reach * np.sin(turns)], axis=-1)
        cv2.fillPoly(sprite, [(star * PAINT_SCALE).astype(np.int32)], (250, 206, 84, 1))
    cv2.rectangle(sprite, _at(3, 136), _at(104, 149), (206, 74, 62, 1), cv2.FILLED)
    return _finished(sprite)


def _swing(t: float, start: float, end: float, begin_s: float, period_s: float) -> float:
    """From `start` to `end` and back, smoothly, once a period."""
    phase = max(t - begin_s, 0) / period_s
    return start + (end - start) * (1 - math.cos(2 * math.pi * phase)) / 2


def _ball_pose(t: float) -> Pose:
    return Pose(_swing(t, 250, 600, 0.4, 7.6), 300 - 3 * abs(math.sin(1.3 * t)), 0.95)


def _mug_pose(t: float) -> Pose:
    return Pose(_swing(t, 122, 250, 1.0, 6.5), 384 + _swing(t, 0, 24, 0.4, 5.0), 1.1 + _swing(t, 0, 0.14, 0.4, 5.0))


def _gift_pose(t: float) -> Pose:
    return Pose(
        540 + 34 * math.sin(0.9 * t), 402 + 16 * math.sin(0.7 * t), 1 + 0.16 * math.sin(0.7 * t), 9 * math.sin(1.1 * t)
    )


def _car_pose(t: float) -> Pose:
    return Pose(_swing(t, 790, 250, 1.0, 7.0), 452, 1.05, 1.2 * math.sin(9 * t))


_WALL, _TABLE = _paint_wall(), _paint_table()
_MUG, _CAR, _GIFT, _CEREAL_BOX = _mug(), _car(), _gift(), _cereal_box()

TOYS = (
    Toy(1, "red mug", lambda t: _MUG, _mug_pose),
    Toy(2, "beach ball", _ball, _ball_pose),
    Toy(3, "blue toy car", lambda t: _CAR, _car_pose),
    Toy(4, "green gift box", lambda t: _GIFT, _gift_pose),
    Toy(5, "cereal box", lambda t: _CEREAL_BOX, lambda t: Pose(416, 340)),
)

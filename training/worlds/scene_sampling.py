"""Random scenes, as the configuration of the worlds allows them."""

import numpy as np

from training.worlds.config import WorldConfig
from training.worlds.motion import camera_path, object_path, sample_motion
from training.worlds.splits import is_held_out_pair
from vitron_ros.worlds.clip import ObjectSpec
from vitron_ros.worlds.scene import SIZE_RANGES, Array, Post, Scene, SceneObject
from vitron_ros.worlds.shapes import silhouette
from vitron_ros.worlds.vocabulary import COLOURS, PATTERNS, SHAPES, SIZES, Split

SIZE_WEIGHTS = (0.36, 0.40, 0.24)
PATTERN_WEIGHTS = (0.49, 0.17, 0.17, 0.17)
COUNT_WEIGHTS = (1.0, 1.6, 1.8, 1.8, 1.4, 1.0, 0.8, 0.6)  # of 1..8 objects


def _pick(weights: tuple[float, ...], rng: np.random.Generator) -> int:
    edges = np.cumsum(weights)
    return int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))


def sample_pair(split: Split, held_out_share: float, rng: np.random.Generator) -> tuple[str, str]:
    """A colour-shape pair of this split."""
    wanted = split == "val" and rng.random() < held_out_share
    while True:
        colour, shape = COLOURS[int(rng.integers(len(COLOURS)))], SHAPES[int(rng.integers(len(SHAPES)))]
        if is_held_out_pair(colour, shape) == wanted:
            return colour, shape


def sample_spec(split: Split, config: WorldConfig, rng: np.random.Generator) -> ObjectSpec:
    """An object of any kind that the split allows."""
    colour, shape = sample_pair(split, config.held_out_share, rng)
    return ObjectSpec(shape, colour, SIZES[_pick(SIZE_WEIGHTS, rng)], PATTERNS[_pick(PATTERN_WEIGHTS, rng)])


def distractor(spec: ObjectSpec, split: Split, config: WorldConfig, rng: np.random.Generator) -> ObjectSpec:
    """An object that differs from another in one attribute, or in none."""
    other = sample_spec(split, config, rng)
    choice = rng.random()
    if choice < 0.15:
        return spec
    if choice < 0.35:
        return ObjectSpec(spec.shape, spec.colour, other.size, spec.pattern)
    if choice < 0.5:
        return ObjectSpec(spec.shape, spec.colour, spec.size, other.pattern)
    shape, colour = (spec.shape, other.colour) if choice < 0.75 else (other.shape, spec.colour)
    if split == "train" and is_held_out_pair(colour, shape):
        return spec
    return ObjectSpec(shape, colour, spec.size, spec.pattern)


def _sample_specs(count: int, split: Split, config: WorldConfig, rng: np.random.Generator) -> list[ObjectSpec]:
    specs = [sample_spec(split, config, rng)]
    while len(specs) < count:
        copied = rng.random() < config.distractor
        spec = (
            distractor(specs[int(rng.integers(len(specs)))], split, config, rng)
            if copied
            else sample_spec(split, config, rng)
        )
        crowded = spec.size == "large" and sum(other.size == "large" for other in specs) >= (2 if count < 5 else 1)
        specs.append(
            ObjectSpec(spec.shape, spec.colour, SIZES[int(rng.integers(2))], spec.pattern) if crowded else spec
        )
    return specs


def _place(sides: list[float], half: Array, rng: np.random.Generator) -> list[Array]:
    """Starting points that mostly do not overlap."""
    placed: list[Array] = []
    for index, side in enumerate(sides):
        room = half - side * 0.45
        crowding = rng.uniform(0.15, 0.5) if rng.random() < 0.12 else 0.62
        best, best_gap = np.zeros(2), -np.inf
        others, reach = np.array(placed).reshape(-1, 2), (side + np.array(sides[: len(placed)])) * crowding
        for _ in range(24):
            point = rng.uniform(-room, room)
            gap = float((np.abs(point - others).max(axis=1) - reach).min(initial=1.0))
            if gap > best_gap:
                best, best_gap = point, gap
            if gap > 0:
                break
        if best_gap < -0.12 and index >= 2:
            break
        placed.append(best)
    return placed


def sample_scene(
    frames: int, width: int, height: int, split: Split, config: WorldConfig, rng: np.random.Generator
) -> Scene:
    """A scene for a clip of so many frames of width x height pixels."""
    half = np.array([width, height]) / min(width, height) / 2
    numbers = range(config.min_objects, config.max_objects + 1)
    count = numbers[_pick(tuple(COUNT_WEIGHTS[number - 1] for number in numbers), rng)]
    specs = _sample_specs(count, split, config, rng)
    sides = [float(rng.uniform(*SIZE_RANGES[spec.size])) for spec in specs]
    starts = _place(sides, half, rng)
    has_post = frames > 2 and rng.random() < config.post
    pace = float(np.exp(rng.uniform(np.log(0.18), np.log(0.7))))
    post_x, objects = float(rng.uniform(-0.35, 0.35) * half[0]), []
    for index, (spec, side, start) in enumerate(zip(specs, sides, starts, strict=False)):
        if has_post and index == 0:
            centres = _behind(post_x, frames, start, half, side, rng)
        else:
            motion = sample_motion(rng, config.out_of_view) if frames > 1 else "still"
            centres = object_path(motion, frames, start, half, side, pace, rng)
        drawing = silhouette(spec.shape)
        lean = rng.normal(0, 0.14) if drawing.upright else rng.uniform(-np.pi, np.pi)
        spin = rng.normal(0, 0.10) if rng.random() < 0.4 else 0.0
        angles = np.clip(lean, -np.pi, np.pi) + spin * np.linspace(0, 1, frames)
        objects.append(SceneObject(spec, centres, side, angles, drawing.mirrored and rng.random() < 0.5))
    order = tuple(int(index) for index in rng.permutation(len(objects)))
    post = None
    if has_post:
        breadth = sides[0] * 1.35 + 0.06
        post = Post(post_x - breadth / 2, post_x + breadth / 2, int(rng.integers(order.index(0) + 1)))
    camera = camera_path(frames, rng.random() < config.camera_motion, min(config.degrade, 1.0), rng)
    return Scene(tuple(objects), order, camera, post)


def _behind(post_x: float, frames: int, start: Array, half: Array, side: float, rng: np.random.Generator) -> Array:
    """From one end of the view to the other, dwelling behind the post. (T, 2)."""
    edge = (1.0 if rng.random() < 0.5 else -1.0) * (half[0] - 0.08 - side * 0.4)
    dwell = np.clip(np.linspace(-1, 1, frames) * 1.35, -1, 1)
    along = np.abs(dwell) ** 1.6
    x = post_x + (np.where(dwell < 0, edge, -edge) - post_x) * along
    y = start[1] + rng.normal(0, 0.06) * np.linspace(0, 1, frames)
    return np.stack([x, y], axis=-1)

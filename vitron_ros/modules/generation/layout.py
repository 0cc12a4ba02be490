"""Where the things of a plan go: a plan to a scene that can be drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.modules.generation.scene_plan import Motion, Relation, ScenePlan, Thing
from vitron_ros.modules.module import BadJob
from vitron_ros.worlds.clip import ObjectSpec
from vitron_ros.worlds.scene import SIZE_RANGES, CameraPath, Scene, SceneObject
from vitron_ros.worlds.shapes import silhouette
from vitron_ros.worlds.vocabulary import COLOURS, SIZES

Array = NDArray[np.float64]

ATTEMPTS = 200  # at the whole layout,
POINTS = 40  # and for each thing in it
CROWD = 4  # from so many things on, one of no said size is small
GAP = 0.03  # world units between boxes
NEAR = 0.25  # world units, the most between things beside each other
RELATION_MARGIN, RELATION_SLOPE = 0.10, 0.7  # "left of": farther left by so much, and by so much of the height between
REACHES = (0.9, 0.6, 0.45, 0.3)  # world units that a moving thing goes, the longest that fits
FACES_RIGHT = {"car": True, "arrow": True, "fish": False}
MOMENTS = 5  # of a clip at which boxes must not overlap


def lay_out(plan: ScenePlan, frames: int, width: int, height: int, rng: np.random.Generator) -> Scene:
    """A scene of so many frames for an image of width x height px, in which all that the plan says is true.

    Raises:
        BadJob: its things do not fit, or what it says of their places contradicts itself.
    """
    half = np.array([width, height]) / min(width, height) / 2
    specs = _specs(plan.things, rng)
    for attempt in range(ATTEMPTS):
        shrink = attempt / ATTEMPTS
        sides = [_side(spec, shrink, rng) for spec in specs]
        placed = _placed(plan, specs, sides, half, rng)
        if placed is not None:
            break
    else:
        raise BadJob("the things do not fit into the image as the text places them; name fewer, or smaller ones")
    objects = tuple(
        _object(thing, spec, side, path, frames)
        for thing, spec, side, path in zip(plan.things, specs, sides, placed, strict=True)
    )
    still = CameraPath(np.zeros((frames, 2)), np.ones(frames), np.zeros(frames), np.zeros(2))
    return Scene(objects, tuple(range(len(objects))), still, None)


def half_extent(shape: str) -> Array:
    """Half width and half height (2,) of a shape of side 1."""
    corners = np.concatenate(silhouette(shape).contours)
    return np.asarray((corners.max(axis=0) - corners.min(axis=0)) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """First and last centre (2,) and half size (2,) of a thing, world units."""

    start: Array
    stop: Array
    half: Array

    def centres(self, count: int) -> Array:
        return self.start + (self.stop - self.start) * np.linspace(0, 1, count)[:, None]


def _specs(things: tuple[Thing, ...], rng: np.random.Generator) -> list[ObjectSpec]:
    """What was not said is chosen: a colour at random, a size that leaves room, no pattern."""
    usual = "small" if len(things) > CROWD else "medium"
    colours = [COLOURS[int(rng.integers(len(COLOURS)))] for _ in things]
    return [
        ObjectSpec(thing.shape, thing.colour or colour, thing.size or usual, thing.pattern or "plain")
        for thing, colour in zip(things, colours, strict=True)
    ]


def _side(spec: ObjectSpec, shrink: float, rng: np.random.Generator) -> float:
    """A side in the range of its size, nearer to the lower end the more layouts have failed."""
    assert spec.size in SIZES
    low, high = SIZE_RANGES[spec.size]
    return float(rng.uniform(low, high - (high - low) * shrink))


def _placed(
    plan: ScenePlan, specs: list[ObjectSpec], sides: list[float], half: Array, rng: np.random.Generator
) -> list[_Path] | None:
    """A path for every thing, or None where one found no room."""
    paths: list[_Path] = []
    for index, (thing, spec, side) in enumerate(zip(plan.things, specs, sides, strict=True)):
        extent = half_extent(spec.shape) * side
        if thing.motion.turns:
            extent = np.full(2, float(np.hypot(*extent)))
        relations = [relation for relation in plan.relations if max(relation.first, relation.second) == index]
        for _ in range(POINTS):
            path = _candidate(thing, extent, half, rng)
            if path is not None and _is_free(path, paths) and all(_holds(one, [*paths, path]) for one in relations):
                paths.append(path)
                break
        else:
            return None
    return paths


def _candidate(thing: Thing, extent: Array, half: Array, rng: np.random.Generator) -> _Path | None:
    """A random path that keeps to the view and starts at the thing's place; None: there is none."""
    room = half - extent - 0.01
    low, high = -room, room.copy()
    for axis, side in enumerate(thing.place):
        if side == 0:
            low[axis], high[axis] = -0.05, 0.05
        elif side is not None:
            ends = sorted((side * room[axis], side * 0.3 * half[axis]))
            low[axis], high[axis] = ends
    direction = np.array(thing.motion.direction, np.float64)
    for reach in REACHES if direction.any() else (0.0,):
        step = direction * reach
        first, last = np.maximum(low, -room - step), np.minimum(high, room - step)
        if (first <= last).all():
            start = rng.uniform(first, last)
            return _Path(start, start + step, extent)
    return None


def _is_free(path: _Path, others: list[_Path]) -> bool:
    """Whether a thing touches no other at any moment."""
    here = path.centres(MOMENTS)
    for other in others:
        distance = np.abs(here - other.centres(MOMENTS)) - path.half - other.half
        if (distance.max(axis=1) < GAP).any():
            return False
    return True


def _holds(relation: Relation, paths: list[_Path]) -> bool:
    """Whether a relation is clearly true in the first frame."""
    first, second = paths[relation.first], paths[relation.second]
    x, y = (float(value) for value in second.start - first.start)
    if relation.side == "beside":
        gap = abs(x) - float(first.half[0] + second.half[0])
        return gap < NEAR and abs(y) < 0.5 * float(max(first.half[1], second.half[1]))
    along, across = (x, y) if relation.side in ("left", "right") else (y, x)
    ahead = along if relation.side in ("left", "above") else -along
    return ahead > RELATION_MARGIN and ahead > RELATION_SLOPE * abs(across)


def _object(thing: Thing, spec: ObjectSpec, side: float, path: _Path, frames: int) -> SceneObject:
    motion: Motion = thing.motion
    faces_right = FACES_RIGHT.get(spec.shape)
    is_mirrored = faces_right is not None and motion.direction[0] * (1 if faces_right else -1) < 0
    angles = np.linspace(0, 2 * np.pi * motion.turns, frames, endpoint=False)
    return SceneObject(spec, path.centres(frames), side, angles, is_mirrored)

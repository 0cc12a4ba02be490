"""Scenes for clips of 10 to 20 s: objects and camera move as in the training clips, segment after segment.

A training clip of 8 frames stands for keyframes 0.25 s apart, so its paths take 1.75 s. Here such paths are chained,
and in some segments a target passes behind a post, behind a larger object that stands still, or out of the view and
back. World units are shorter sides of the image, as everywhere in the worlds.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from training.worlds.config import WorldConfig
from training.worlds.motion import MOTION_WEIGHTS, MotionKind, object_path
from training.worlds.scene_sampling import distractor, sample_spec
from vitron_ros.worlds.clip import ObjectSpec
from vitron_ros.worlds.scene import SIZE_RANGES, Array, CameraPath, Post, Scene, SceneObject
from vitron_ros.worlds.shapes import silhouette

SEGMENT_S = 1.75  # of a training clip
SEGMENT_RANGE_S = (1.2, 2.4)
FREE_MOTIONS: tuple[MotionKind, ...] = ("still", "steady", "accelerating", "curved", "abrupt")
VISIBLE_START_S = (1.8, 3.2)  # before the first occlusion of a target
DWELL_S = (0.5, 1.6)  # occluded
OCCLUDER_SHAPES = ("circle", "square", "house")  # without holes or gaps
MAX_OCCLUDED_SIDE = 0.68  # largest target that an occluder hides, relative to its side
MAX_PAN, MAX_ZOOM = 0.28, 0.14
SHAKE_HZ = 8.0
LEAN_PERIOD_S = 1.75

Occlusion = Literal["post", "object", "exit"]


@dataclass(frozen=True, slots=True)
class ScenePlan:
    """What a clip contains.

    Attributes:
        targets: number of objects with occlusions; they come first in the scene.
        has_post, has_occluder: what targets can be occluded by.
        has_distractor: an object differs from the first in one attribute at most.
        camera_moves: the camera pans, zooms or shakes.
    """

    targets: int
    has_post: bool
    has_occluder: bool
    has_distractor: bool
    camera_moves: bool


def plan_of(index: int, rng: np.random.Generator) -> ScenePlan:
    """The plan of the clip of that number: any four in a row have all of it."""
    return ScenePlan(
        targets=(1, 2, 1, 3, 1, 2, 1, 4)[index % 8],
        has_post=index % 2 == 0,
        has_occluder=index % 4 in (1, 2),
        has_distractor=bool(rng.random() < 0.6),
        camera_moves=bool(rng.random() < 0.7),
    )


@dataclass(slots=True)
class _TrajectorySampler:
    """Samples the trajectories of one clip's objects."""

    frames: int
    fps: float
    half: Array
    camera: CameraPath
    pace: float
    post_x: float | None
    occluder: tuple[Array, float] | None  # its centre and side
    rng: np.random.Generator

    def occlusion_kinds(self, side: float) -> list[Occlusion]:
        """How an object of that side can be occluded, with repetitions as weights."""
        kinds: list[Occlusion] = ["exit"]
        if self.post_x is not None:
            kinds += ["post", "post"]
        if self.occluder is not None and side <= MAX_OCCLUDED_SIDE * self.occluder[1]:
            kinds += ["object", "object"]
        return kinds

    def trajectory(self, start: Array, side: float, kinds: list[Occlusion], probability: float) -> Array:
        """A path of segments, (T, 2), with that probability of an occlusion after each, except in the first seconds."""
        path, visible_start = start[None], self._frames(*VISIBLE_START_S)
        while len(path) < self.frames:
            path = np.concatenate([path, self._free(path[-1], side)])
            if kinds and len(path) >= visible_start and self.rng.random() < probability:
                kind = kinds[int(self.rng.integers(len(kinds)))]
                path = np.concatenate([path, self._occlude(kind, path[-1], side, len(path))])
        return path[: self.frames]

    def _frames(self, low_s: float, high_s: float) -> int:
        return max(1, round(float(self.rng.uniform(low_s, high_s)) * self.fps))

    def _free(self, start: Array, side: float) -> Array:
        """A segment like a training clip's, without its first point."""
        weights = np.array([MOTION_WEIGHTS[kind] for kind in FREE_MOTIONS])
        kind = FREE_MOTIONS[int(self.rng.choice(len(FREE_MOTIONS), p=weights / weights.sum()))]
        count = self._frames(*SEGMENT_RANGE_S)
        pace = self.pace * count / self.fps / SEGMENT_S
        return object_path(kind, count + 1, start, self.half, side, pace, self.rng)[1:]

    def _occlude(self, kind: Occlusion, start: Array, side: float, now: int) -> Array:
        """To a hidden place, a rest there, and out of it, without the first point."""
        dwell = self._frames(*DWELL_S)
        if kind == "exit":
            hidden = self._outside(start, side, now)
            out = self._inside(side) if self.rng.random() < 0.5 else start
        else:
            hidden, reach = self._behind(kind, start, side)
            ahead = 1.0 if hidden[0] >= start[0] else -1.0
            direction = ahead if self.rng.random() < 0.6 else -ahead  # onwards, or back
            out = hidden + np.array([direction * reach, float(self.rng.normal(0, 0.05))])
            out = np.clip(out, -self.half + side * 0.45, self.half - side * 0.45)
            if abs(out[0] - hidden[0]) < reach * 0.8:  # no room at this end of the view
                out = hidden + np.array([-direction * reach, 0.0])
        return np.concatenate(
            [self._line(start, hidden), np.repeat(hidden[None], dwell, axis=0), self._line(hidden, out)]
        )

    def _line(self, start: Array, stop: Array) -> Array:
        """A straight path at about the clip's pace, without its first point."""
        distance = float(np.linalg.norm(stop - start))
        seconds = float(np.clip(distance / self.pace * SEGMENT_S * self.rng.uniform(0.7, 1.1), 0.5, 2.2))
        share = np.linspace(0, 1, max(2, round(seconds * self.fps)) + 1)[1:, None]
        return np.asarray(start + (stop - start) * share)

    def _inside(self, side: float) -> Array:
        return self.rng.uniform(-1, 1, 2) * (self.half - side * 0.6)

    def _outside(self, start: Array, side: float, now: int) -> Array:
        """Beyond the nearest or the next side of what the camera sees from now on."""
        soon = slice(now, now + round(5 * self.fps))
        pan = self.camera.pan[soon] if now < self.frames else self.camera.pan[-1:]
        widest = self.half / self.camera.zoom.min() + 0.08
        low, high = pan.min(axis=0) - widest - side * 0.75, pan.max(axis=0) + widest + side * 0.75
        gaps = np.stack([start - low, high - start])  # (2 ends, 2 axes)
        end, axis = np.unravel_index(np.argsort(gaps, axis=None)[int(self.rng.integers(2))], gaps.shape)
        outside = start + self.rng.normal(0, 0.04, 2)
        outside[axis] = (low, high)[int(end)][axis]
        return np.asarray(outside)

    def _behind(self, kind: Occlusion, start: Array, side: float) -> tuple[Array, float]:
        """The hidden place, and how far beyond it an object is fully visible again."""
        if kind == "post":
            assert self.post_x is not None
            room = self.half[1] - side * 0.5
            y = float(np.clip(start[1] + self.rng.normal(0, 0.06), -room, room))
            return np.array([self.post_x, y]), side * 1.75 + 0.1
        assert self.occluder is not None
        place, occluder_side = self.occluder
        return place + self.rng.normal(0, 0.01, 2), (side + occluder_side) * 0.62 + 0.05


def long_scene(
    frames: int, fps: float, size: tuple[int, int], plan: ScenePlan, config: WorldConfig, rng: np.random.Generator
) -> Scene:
    """A validation scene for so many frames of a (width, height) px. Objects 0, 1, ... are the plan's targets."""
    half = np.array(size) / min(size) / 2
    specs = _specs(plan, config, rng)
    sides = [float(rng.uniform(*SIZE_RANGES[spec.size])) for spec in specs]
    occluder = len(specs) - 1 if plan.has_occluder else None
    post_x = float(rng.uniform(-0.3, 0.3) * half[0]) if plan.has_post else None
    starts = _places(sides, half, occluder, post_x, rng)
    camera = _camera(frames, fps, plan.camera_moves, min(config.degrade, 1.0), rng)
    pace = float(np.exp(rng.uniform(np.log(0.18), np.log(0.7))))
    sampler = _TrajectorySampler(
        frames,
        fps,
        half,
        camera,
        pace,
        post_x,
        None if occluder is None else (starts[occluder], sides[occluder]),
        rng,
    )
    objects = []
    for index, (spec, side, start) in enumerate(zip(specs, sides, starts, strict=True)):
        if index == occluder:
            centres = np.repeat(start[None], frames, axis=0)
        elif index < plan.targets:
            centres = sampler.trajectory(start, side, sampler.occlusion_kinds(side), 0.6 if index == 0 else 0.3)
        else:
            centres = sampler.trajectory(start, side, ["exit"], 0.08)
        drawing = silhouette(spec.shape)
        lean = rng.normal(0, 0.14) if drawing.upright else rng.uniform(-np.pi, np.pi)
        angles = lean + (_wander(frames, fps, LEAN_PERIOD_S, 0.07, rng) if rng.random() < 0.4 else np.zeros(frames))
        objects.append(SceneObject(spec, centres, side, angles, drawing.mirrored and bool(rng.random() < 0.5)))
    order = _order(len(specs), plan.targets, occluder, rng)
    post = None
    if post_x is not None:
        breadth = max(sides[: plan.targets]) * 1.35 + 0.06
        nearer = 0 if order[0] < plan.targets else 1 if order[0] == occluder else int(rng.integers(2))
        post = Post(post_x - breadth / 2, post_x + breadth / 2, nearer)
    return Scene(tuple(objects), order, camera, post)


def scene_at(scene: Scene, frames: list[int]) -> Scene:
    """The scene at some of its frames."""
    camera = scene.camera
    objects = (replace(obj, centres=obj.centres[frames], angles=obj.angles[frames]) for obj in scene.objects)
    path = CameraPath(camera.pan[frames], camera.zoom[frames], camera.roll[frames], camera.tilt)
    return Scene(tuple(objects), scene.order, path, scene.post)


def _specs(plan: ScenePlan, config: WorldConfig, rng: np.random.Generator) -> list[ObjectSpec]:
    """The targets, small or medium; a distractor of the first; others; the occluder last."""
    specs = [_no_larger(sample_spec("val", config, rng), rng) for _ in range(plan.targets)]
    if plan.has_distractor:
        specs.append(_no_larger(distractor(specs[0], "val", config, rng), rng))
    wanted = int(rng.integers(max(config.min_objects, len(specs)), config.max_objects + 1))
    while len(specs) < wanted - plan.has_occluder:
        copied = rng.random() < config.distractor
        spec = specs[int(rng.integers(len(specs)))] if copied else sample_spec("val", config, rng)
        specs.append(_no_larger(distractor(spec, "val", config, rng) if copied else spec, rng))
    if plan.has_occluder:
        shape = OCCLUDER_SHAPES[int(rng.integers(len(OCCLUDER_SHAPES)))]
        specs.append(replace(sample_spec("val", config, rng), shape=shape, size="large"))
    return specs


def _no_larger(spec: ObjectSpec, rng: np.random.Generator) -> ObjectSpec:
    """Small or medium; large ones would fill the view."""
    return replace(spec, size="small" if rng.random() < 0.45 else "medium") if spec.size == "large" else spec


def _places(
    sides: list[float], half: Array, occluder: int | None, post_x: float | None, rng: np.random.Generator
) -> list[Array]:
    """Starting points clear of each other, of the post and of the occluder, as far as possible."""
    placed: dict[int, Array] = {}
    indices = list(range(len(sides)))
    if occluder is not None:
        indices.insert(0, indices.pop(occluder))
    for index in indices:
        room, best, best_gap = half - sides[index] * 0.55, np.zeros(2), -np.inf
        if index == occluder:
            room = room * 0.6
        for _ in range(60):
            point = rng.uniform(-room, room)
            gaps = [np.abs(point - at).max() - (sides[index] + sides[other]) * 0.62 for other, at in placed.items()]
            if post_x is not None:
                gaps.append(abs(point[0] - post_x) - sides[index] * 1.2 - 0.05)
            gap = float(min(gaps, default=1.0))
            if gap > best_gap:
                best, best_gap = point, gap
            if gap > 0:
                break
        placed[index] = best
    return [placed[index] for index in range(len(sides))]


def _order(count: int, targets: int, occluder: int | None, rng: np.random.Generator) -> tuple[int, ...]:
    """Nearest first: the occluder, then other objects, and the targets somewhere in the farther half."""
    others = [index for index in rng.permutation(count).tolist() if index >= targets and index != occluder]
    order = [occluder] if occluder is not None else []
    near = others[: len(others) // 2 + 1]
    far = [*others[len(near) :], *range(targets)]
    return tuple(order + near + [far[int(index)] for index in rng.permutation(len(far))])


def _camera(frames: int, fps: float, moves: bool, strength: float, rng: np.random.Generator) -> CameraPath:
    """As in the training clips, with a new goal every segment; shaking like a hand's."""
    pan, zoom = np.zeros((frames, 2)), np.full(frames, rng.uniform(0.95, 1.05))
    roll = np.full(frames, rng.normal(0, 0.03) * strength)
    tilt = rng.uniform(-0.14, 0.14, 2) * strength
    pans, zooms, shakes = rng.random(3) < (0.6, 0.35, 0.4)
    if moves and (pans or not (zooms or shakes)):
        pan += _pan(frames, fps, rng)
    if moves and zooms:
        zoom = zoom * (1 + np.clip(_wander(frames, fps, SEGMENT_S, 0.08, rng), -MAX_ZOOM, MAX_ZOOM))
    if moves and shakes:
        size = float(rng.uniform(0.003, 0.014))
        pan += np.stack([_wander(frames, fps, 1 / SHAKE_HZ, size, rng) for _ in range(2)], axis=-1)
        roll = roll + _wander(frames, fps, 1 / SHAKE_HZ, 0.008, rng)
    return CameraPath(pan, zoom, roll, tilt)


def _pan(frames: int, fps: float, rng: np.random.Generator) -> Array:
    """From goal to goal, (T, 2), resting at some, starting at the middle."""
    path = np.zeros((1, 2))
    while len(path) < frames:
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.28)
        goal = path[-1] + reach * np.array([np.cos(angle), np.sin(angle)])
        if rng.random() < 0.25 or np.linalg.norm(goal) > MAX_PAN:
            goal = path[-1] if rng.random() < 0.5 else path[-1] * 0.3
        share = np.linspace(0, 1, max(2, round(float(rng.uniform(*SEGMENT_RANGE_S)) * fps)) + 1)[1:, None]
        path = np.concatenate([path, path[-1] + (goal - path[-1]) * share])
    return path[:frames]


def _wander(frames: int, fps: float, node_s: float, size: float, rng: np.random.Generator) -> Array:
    """Normal random numbers of that standard deviation every `node_s`, joined by half cosines, from 0. (T,)."""
    nodes = np.concatenate([[0.0], rng.normal(0, size, int(frames / fps / node_s) + 2)])
    place = np.arange(frames) / fps / node_s
    left = place.astype(int)
    share = (1 - np.cos(np.pi * (place - left))) / 2
    return np.asarray(nodes[left] * (1 - share) + nodes[left + 1] * share)

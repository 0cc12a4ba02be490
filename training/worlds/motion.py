"""Paths of objects and of the camera over a clip. World units: shorter sides of the image, from the view's centre."""

from typing import Literal

import numpy as np

from vitron_ros.worlds.scene import Array, CameraPath

MotionKind = Literal["still", "steady", "accelerating", "curved", "abrupt", "leaving", "entering", "returning"]

MOTION_WEIGHTS: dict[MotionKind, float] = {
    "still": 0.24, "steady": 0.30, "accelerating": 0.12, "curved": 0.09, "abrupt": 0.11,
    "leaving": 0.04, "entering": 0.04, "returning": 0.06,
}  # fmt: skip
AXES = ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))


def camera_path(frames: int, moving: bool, strength: float, rng: np.random.Generator) -> CameraPath:
    """A camera that rests or pans, zooms and shakes; always with a small roll and tilt."""
    time = np.linspace(0, 1, frames)
    pan, zoom = np.zeros((frames, 2)), np.full(frames, rng.uniform(0.95, 1.05))
    roll = np.full(frames, rng.normal(0, 0.03) * strength)
    tilt = rng.uniform(-0.14, 0.14, 2) * strength
    if moving and frames > 1:
        if rng.random() < 0.6:
            angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.28)
            pan += reach * np.outer(time, [np.cos(angle), np.sin(angle)])
        if rng.random() < 0.35:
            zoom = zoom * (1 + rng.uniform(-0.14, 0.16) * time)
        if rng.random() < 0.4:
            pan += rng.normal(0, rng.uniform(0.003, 0.014), (frames, 2))
            roll = roll + rng.normal(0, 0.008, frames)
    return CameraPath(pan, zoom, roll, tilt)


OUT_OF_VIEW_MOTIONS: tuple[MotionKind, ...] = ("leaving", "entering", "returning")


def sample_motion(rng: np.random.Generator, out_of_view: float = 0.0) -> MotionKind:
    """A kind of motion, by its weight; with probability `out_of_view` one that crosses the edge of the view."""
    kinds: tuple[MotionKind, ...] = (
        OUT_OF_VIEW_MOTIONS if out_of_view and rng.random() < out_of_view else tuple(MOTION_WEIGHTS)
    )
    weights = np.cumsum([MOTION_WEIGHTS[kind] for kind in kinds])
    return kinds[int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))]


def object_path(
    kind: MotionKind, frames: int, start: Array, half: Array, size: float, pace: float, rng: np.random.Generator
) -> Array:
    """Centres of an object over a clip, (T, 2), world units.

    Args:
        kind: how it moves.
        frames: T.
        start: (2,), its first position (the last for "entering").
        half: (2,), half width and half height of the view.
        size: its side.
        pace: about how far it goes in the clip.
        rng: source of direction and timing.
    """
    time = np.linspace(0, 1, frames)[:, None]
    if kind == "still":
        return np.repeat(start[None], frames, axis=0)
    if kind in ("leaving", "entering", "returning"):
        return _crossing(kind, time, start, half, size, rng)
    aim = _aim(start, half, pace, rng)
    if kind == "steady":
        return np.asarray(start + (aim - start) * time)
    if kind == "accelerating":
        power = rng.uniform(1.7, 2.6)
        eased = time**power if rng.random() < 0.6 else 1 - (1 - time) ** power
        return np.asarray(start + (aim - start) * eased)
    if kind == "curved":
        normal = np.array([-(aim - start)[1], (aim - start)[0]])
        return np.asarray(start + (aim - start) * time + normal * rng.uniform(-0.5, 0.5) * np.sin(np.pi * time))
    turn = rng.uniform(0.3, 0.7)
    second = _aim(aim, half, pace, rng)
    return np.asarray(
        np.where(time < turn, start + (aim - start) * time / turn, aim + (second - aim) * (time - turn) / (1 - turn))
    )


def _aim(start: Array, half: Array, pace: float, rng: np.random.Generator) -> Array:
    """A point about `pace` away that keeps to the view, mostly along an axis."""
    best, room = start, -np.inf
    for _ in range(6):
        if rng.random() < 0.75:
            direction = np.array(AXES[int(rng.integers(4))]) + rng.normal(0, 0.12, 2)
        else:
            angle = rng.uniform(0, 2 * np.pi)
            direction = np.array([np.cos(angle), np.sin(angle)])
        aim = start + direction * pace * rng.uniform(0.7, 1.3)
        inside = float((half - np.abs(aim)).min())
        if inside > 0.06:
            return np.asarray(aim)
        if inside > room:
            best, room = aim, inside
    return np.asarray(np.clip(best, -half + 0.06, half - 0.06))


def _crossing(kind: MotionKind, time: Array, start: Array, half: Array, size: float, rng: np.random.Generator) -> Array:
    """Out of the view through a side, into it, or out and back."""
    axis = int(rng.integers(2))
    side = 1.0 if rng.random() < 0.5 else -1.0
    outside = start + rng.normal(0, 0.05, 2)
    outside[axis] = side * (half[axis] + size * 0.85 + 0.3)
    if kind == "leaving":
        return np.asarray(start + (outside - start) * np.clip(time * 1.25, 0, 1))
    if kind == "entering":
        return np.asarray(start + (outside - start) * np.clip((1 - time) * 1.25, 0, 1))
    there = np.clip(1.35 - np.abs(time - rng.uniform(0.42, 0.58)) * 3.2, 0, 1)
    return np.asarray(start + (outside - start) * there)

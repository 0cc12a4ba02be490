"""A hand-composed scene of the kind that the bundled model is trained on; it is not in the training set.

A small red ring among distractors, a blue square with one object left of it, a mug that passes behind a post and back,
and a green star beside another star. World units are shorter sides of the image from its middle.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.worlds.clip import Clip, ObjectSpec
from vitron_ros.worlds.degrade import Degradation
from vitron_ros.worlds.render import draw_scene
from vitron_ros.worlds.scene import CameraPath, Post, Scene, SceneObject

SIDE, FPS, FRAMES = 480, 30, 375
SEED = 40_415
OCCLUDED_AT_S = (6.6, 9.6)  # middles of the two occlusions by the post
OCCLUSION_S = 1.9  # from one side of the post to the other
POST_X, POST_WIDTH = 0.11, 0.26
LENS_BLUR = 1.2  # px, sigma
SHUTTER = 0.3  # share of the frame time that it is open

Array = NDArray[np.float64]
Waypoints = tuple[tuple[float, float, float], ...]  # time in s, x, y


@dataclass(frozen=True)
class ScriptedObject:
    """An object and its path: it rests before the first and after the last waypoint."""

    id: int
    spec: ObjectSpec
    side: float
    waypoints: Waypoints
    angle: float = 0.0
    turn: float = 0.0  # radians over the clip


OBJECTS = (
    ScriptedObject(1, ObjectSpec("ring", "red", "small", "plain"), 0.150,
          ((0.0, 0.09, -0.20), (2.5, 0.09, -0.06), (5.4, 0.04, 0.17), (8.4, -0.26, 0.27), (12.5, -0.33, 0.38))),
    ScriptedObject(2, ObjectSpec("ring", "red", "large", "plain"), 0.325, ((0.0, 0.325, 0.325),)),
    ScriptedObject(3, ObjectSpec("ring", "blue", "small", "plain"), 0.148, ((0.0, 0.37, -0.17), (12.0, 0.40, -0.17))),
    ScriptedObject(4, ObjectSpec("square", "blue", "medium", "plain"), 0.215, ((0.0, -0.13, 0.03),), angle=0.06),
    ScriptedObject(5, ObjectSpec("heart", "yellow", "medium", "plain"), 0.220, ((0.0, -0.36, 0.01),), angle=-0.08),
    ScriptedObject(6, ObjectSpec("mug", "purple", "small", "plain"), 0.150, ()),
    ScriptedObject(7, ObjectSpec("star", "green", "medium", "plain"), 0.225, ((0.0, -0.02, 0.36),), turn=0.15),
    ScriptedObject(8, ObjectSpec("star", "orange", "medium", "striped"), 0.215, ((0.0, 0.36, 0.03),), angle=0.1,
                   turn=-0.12),
)  # fmt: skip
OCCLUDED_ID = 6
NEAREST_FIRST = (1, 3, 8, 7, 2, 4, 5, 6)  # ids; all but the occluded one are nearer than the post
OCCLUDED_RIGHT, OCCLUDED_LEFT, OCCLUDED_Y = 0.385, -0.165, -0.36


def compose() -> Scene:
    """The scene of all frames."""
    time_s = np.arange(FRAMES) / FPS
    objects = tuple(
        SceneObject(
            spec=item.spec,
            centres=_occluded_path(time_s) if item.id == OCCLUDED_ID else _path(item.waypoints, time_s),
            side=item.side,
            angles=item.angle + item.turn * time_s / time_s[-1],
            is_mirrored=False,
        )
        for item in OBJECTS
    )
    pan = 0.018 * np.stack([np.sin(2 * np.pi * time_s / 7.3), np.sin(2 * np.pi * time_s / 5.1)], axis=-1)
    camera = CameraPath(pan, np.full(FRAMES, 0.99), np.full(FRAMES, 0.01), np.zeros(2))
    post = Post(POST_X - POST_WIDTH / 2, POST_X + POST_WIDTH / 2, nearer_objects=len(OBJECTS) - 1)
    return Scene(objects, tuple(number - 1 for number in NEAREST_FIRST), camera, post)


def draw() -> Clip:
    """The rendered scene with its exact ground truth; the same on every run."""
    light = 1 + 0.04 * np.sin(2 * np.pi * np.arange(FRAMES) / FPS / 9)
    tables = np.clip(np.round(np.arange(256)[:, None] * light[:, None, None]), 0, 255)
    tables = np.repeat(tables[:, None], 3, axis=-1).astype(np.uint8)  # (T, 1, 256, 3)
    camera = Degradation(tables, shade=None, blur=LENS_BLUR, noise=0.0, jpeg=0, shutter=SHUTTER)
    return draw_scene(compose(), camera, size=(SIDE, SIDE), split="val", seed=SEED)


def _path(waypoints: Waypoints, time_s: Array) -> Array:
    """Through the waypoints, slowing down at each. (T, 2)."""
    times, points = (
        np.array([waypoint[0] for waypoint in waypoints]),
        np.array([waypoint[1:] for waypoint in waypoints]),
    )
    if len(waypoints) == 1:
        return np.repeat(points, len(time_s), axis=0)
    leg = np.clip(np.searchsorted(times, time_s, side="right") - 1, 0, len(waypoints) - 2)
    share = np.clip((time_s - times[leg]) / (times[leg + 1] - times[leg]), 0, 1)
    eased = (0.5 * share + 0.5 * share**2 * (3 - 2 * share))[:, None]
    return np.asarray(points[leg] * (1 - eased) + points[leg + 1] * eased)


def _occluded_path(time_s: Array) -> Array:
    """To the other side of the post and back, dwelling behind it, as in the training clips. (T, 2)."""
    there, back = (np.clip((time_s - middle) / OCCLUSION_S * 2 * 1.35, -1, 1) for middle in OCCLUDED_AT_S)
    along = np.where(time_s < sum(OCCLUDED_AT_S) / 2, there, -back)  # -1 right, 1 left
    reach = np.where(along < 0, OCCLUDED_RIGHT, OCCLUDED_LEFT) - POST_X
    x = POST_X + reach * np.abs(along) ** 1.6
    return np.stack([x, OCCLUDED_Y + 0.02 * np.sin(time_s)], axis=-1)

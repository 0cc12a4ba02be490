"""Scenes: objects, camera and their motion, before rendering.

World units: shorter sides of the image, from the view's centre.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.worlds.clip import ObjectSpec

Array = NDArray[np.float64]

SIZE_RANGES = {"small": (0.130, 0.158), "medium": (0.202, 0.240), "large": (0.315, 0.385)}
"""Side of an object (square root of its box's area) in shorter sides of the image, at zoom 1."""


@dataclass(frozen=True, slots=True, eq=False)
class SceneObject:
    """One object: centres (T, 2) and side in world units, angle (T,) in radians, mirrored or not."""

    spec: ObjectSpec
    centres: Array
    side: float
    angles: Array
    is_mirrored: bool


@dataclass(frozen=True, slots=True, eq=False)
class CameraPath:
    """Where the camera looks: pan (T, 2) in world units, zoom (T,), roll (T,) radians, tilt (2,)."""

    pan: Array
    zoom: Array
    roll: Array
    tilt: Array

    def matrices(self, width: int, height: int) -> Array:
        """(T, 3, 3), world to pixel centres."""
        side = min(width, height)
        to_pixels = np.array([[side, 0, (width - 1) / 2], [0, side, (height - 1) / 2], [0, 0, 1]], np.float64)
        lean = np.eye(3)
        lean[2, :2] = self.tilt
        result = np.empty((len(self.zoom), 3, 3))
        for index, (pan, zoom, roll) in enumerate(zip(self.pan, self.zoom, self.roll, strict=True)):
            turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
            turn[:2] *= zoom
            shift = np.array([[1, 0, -pan[0]], [0, 1, -pan[1]], [0, 0, 1]])
            result[index] = to_pixels @ lean @ turn @ shift
        return result


@dataclass(frozen=True, slots=True)
class Post:
    """A tall foreground occluder: world x of its edges, how many objects are nearer."""

    left: float
    right: float
    nearer_objects: int


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Objects, nearest first in `order` (indices), the camera, and a post or none."""

    objects: tuple[SceneObject, ...]
    order: tuple[int, ...]
    camera: CameraPath
    post: Post | None

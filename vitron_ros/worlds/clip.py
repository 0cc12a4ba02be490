"""A drawn clip with its exact ground truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.worlds.vocabulary import Split


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """The attributes of an object, constant over a clip. Every value is a word of the vocabulary."""

    shape: str
    colour: str
    size: str
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """A rendered clip of N objects with its exact ground truth. Shapes: T frames, N objects, H and W pixels.

    Attributes:
        frames: (T, H, W, 3) uint8, RGB.
        objects: the N objects.
        instances: (T, H, W) uint8, 1 + the index of the object that a pixel shows; 0 for everything else.
        boxes_xyxy: (T, N, 4) px, the tight box of the visible part; NaN where the object is invisible.
        full_boxes_xyxy: (T, N, 4) px, the tight box of the whole object, occluded or outside parts included.
        visible: (T, N) in [0, 1], the share of the whole object's pixels that is visible.
        depth: (N,) rank of each object, 0 nearest to the camera; a nearer object occludes a farther one.
        scales: (T, N) px, the apparent size: side of the square with the area of the upright object's box.
        world_centers: (T, N, 2) in shorter sides of the image, position against the background (camera motion removed).
        split: training or validation.
        seed: the seed that made it.
    """

    frames: NDArray[np.uint8]
    objects: tuple[ObjectSpec, ...]
    instances: NDArray[np.uint8]
    boxes_xyxy: Boxes
    full_boxes_xyxy: Boxes
    visible: NDArray[np.float64]
    depth: NDArray[np.int64]
    scales: NDArray[np.float64]
    world_centers: NDArray[np.float64]
    split: Split
    seed: int

    @property
    def masks(self) -> NDArray[np.bool_]:
        """(T, N, H, W) bool, the visible pixels of every object; computed on every call."""
        numbers = np.arange(1, len(self.objects) + 1, dtype=np.uint8)
        return np.equal(self.instances[:, None], numbers[None, :, None, None])

    @property
    def height(self) -> int:
        return int(self.frames.shape[1])

    @property
    def width(self) -> int:
        return int(self.frames.shape[2])

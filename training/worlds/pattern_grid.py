"""Pattern grids: images of a 2 x 2 grid of large patterned objects.

In ordinary scenes patterns cover too few pixels for a vision encoder to learn them; here each object shows one over
many pixels.
"""

import numpy as np

from training.worlds.motion import camera_path
from training.worlds.scene_sampling import sample_pair
from vitron_ros.worlds.clip import Clip, ObjectSpec
from vitron_ros.worlds.degrade import sample_degradation
from vitron_ros.worlds.render import draw_scene
from vitron_ros.worlds.scene import SIZE_RANGES, Scene, SceneObject
from vitron_ros.worlds.shapes import silhouette
from vitron_ros.worlds.vocabulary import PATTERNS, SIZES

PATTERN_GRID_SEED = 1 << 43  # shares no surface or shade with other clips
SIDE = 2  # objects per row, and rows
STRENGTH = 0.5  # of blur, noise and lighting
ROTATED = 0.3  # share of objects at any angle


def make_pattern_grid(seed: int, size: tuple[int, int]) -> Clip:
    """The grid of a seed: a training image of (height, width) px, four objects, medium or large, none plain."""
    height, width = size
    rng = np.random.Generator(np.random.PCG64([PATTERN_GRID_SEED, seed]))
    cell = np.array([width, height]) / min(width, height) / SIDE
    objects = []
    for index in range(SIDE * SIDE):
        colour, shape = sample_pair("train", 0.0, rng)
        name = SIZES[int(rng.integers(1, len(SIZES)))]
        spec = ObjectSpec(shape, colour, name, PATTERNS[int(rng.integers(1, len(PATTERNS)))])
        side = float(rng.uniform(*SIZE_RANGES[name]))
        middle = (np.array([index % SIDE, index // SIDE]) - (SIDE - 1) / 2) * cell
        room = np.maximum(cell / 2 - side * 0.55, 0)
        angle = rng.uniform(-np.pi, np.pi) if rng.random() < ROTATED else rng.normal(0, 0.14)
        centre = middle + rng.uniform(-room, room)
        mirrored = silhouette(shape).mirrored and bool(rng.random() < 0.5)
        objects.append(SceneObject(spec, centre[None], side, np.full(1, angle), mirrored))
    camera = camera_path(1, False, STRENGTH, rng)
    scene = Scene(tuple(objects), tuple(range(len(objects))), camera, None)
    degradation = sample_degradation(1, width, height, STRENGTH, 0.2, rng)
    return draw_scene(scene, degradation, size=size, split="train", seed=PATTERN_GRID_SEED + seed)

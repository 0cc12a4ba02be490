"""The clips of the worlds: a seed to a scene, and the scene to frames and exact ground truth."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.worlds.config import WorldConfig
from training.worlds.scene_sampling import sample_scene
from vitron_ros.errors import ConfigError
from vitron_ros.worlds.clip import Clip
from vitron_ros.worlds.degrade import sample_degradation
from vitron_ros.worlds.render import Image, draw_scene
from vitron_ros.worlds.vocabulary import Split


def make_clip(
    seed: int,
    *,
    frames: int = 8,
    size: int | tuple[int, int] = 128,
    split: Split = "train",
    config: WorldConfig | None = None,
    background: Sequence[Image] | None = None,
) -> Clip:
    """The clip of a seed: the same seed and settings give the same clip.

    Args:
        seed: 0 or above. Training and validation draw from different worlds even with equal seeds.
        frames: T; 1 is a single image.
        size: side in pixels, or (height, width); at least 32.
        split: "train" never shows a held-out colour-shape pair; "val" shows both.
        config: what the clip may contain.
        background: real frames (h, w, 3) uint8 to draw the objects into, cut to the middle and resized: one that the
            camera moves over, or as many as T, in which case the camera rests and motion refers to the image.
            None: a generated background.

    Raises:
        ConfigError: a size, number of frames, seed or background does not fit.
    """
    config = config or WorldConfig()
    height, width = (size, size) if isinstance(size, int) else size
    if seed < 0 or frames < 1 or min(height, width) < 32:
        raise ConfigError(f"a clip needs a seed >= 0, frames >= 1 and a size >= 32, not {seed}, {frames}, {size}")
    if background is not None and len(background) not in (1, frames):
        raise ConfigError(f"a clip of {frames} frames needs 1 or {frames} background frames, not {len(background)}")
    if background is not None and len(background) > 1:
        config = replace(config, camera_motion=0.0)  # the real camera moves, by an unknown amount
    scene_rng, look_rng = (
        np.random.Generator(np.random.PCG64([seed, 0 if split == "train" else 1, stream])) for stream in range(2)
    )
    scene = sample_scene(frames, width, height, split, config, scene_rng)
    degradation = sample_degradation(frames, width, height, config.degrade, config.jpeg, look_rng)
    return draw_scene(
        scene, degradation, size=(height, width), split=split, seed=seed, background=background, rng=look_rng
    )

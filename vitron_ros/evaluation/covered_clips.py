"""Clips of which the background behind an object is known: footage with something drawn over it, and drawn scenes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.frame import Image
from vitron_ros.modules.generation.layout import lay_out
from vitron_ros.modules.generation.scene_plan import Motion, ScenePlan, Thing
from vitron_ros.worlds.degrade import no_degradation
from vitron_ros.worlds.render import draw_scene
from vitron_ros.worlds.scene import CameraPath, Scene
from vitron_ros.worlds.vocabulary import COLOURS, SHAPES

Mask = NDArray[np.uint8]

FOOTAGE_SIZE = 427, 240  # px, width and height
FOOTAGE_FRAMES = 32
DRAWN_SIZE = 320, 240
DRAWN_FRAMES = 24
NOISE = 20.0  # grey levels
OUTSIDE = 100.0  # world units: out of every view
DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoveredClip:
    """A clip and what it would show without its object. T images (H, W, 3) uint8, T masks (H, W) uint8 of 0 and 255."""

    name: str
    images: tuple[Image, ...]
    masks: tuple[Mask, ...]
    backgrounds: tuple[Image, ...]


def footage_clip(name: str, frames: Sequence[Image]) -> CoveredClip:
    """Real frames at `FOOTAGE_SIZE`, over which an opaque, noisy, red ellipse goes from left to right."""
    backgrounds = tuple(
        np.asarray(cv2.resize(frame, FOOTAGE_SIZE, interpolation=cv2.INTER_AREA), np.uint8) for frame in frames
    )
    width, height = FOOTAGE_SIZE
    rng = np.random.Generator(np.random.PCG64(0))
    images, masks = [], []
    for index, background in enumerate(backgrounds):
        mask = np.zeros((height, width), np.uint8)
        x = width * (0.1 + 0.8 * index / max(1, len(backgrounds) - 1))
        cv2.ellipse(mask, (round(x), height // 2), (width // 14, height // 8), 0, 0, 360, 255, cv2.FILLED)
        image = background.copy()
        noise = rng.normal(0, NOISE, (int((mask > 0).sum()), 3))
        image[mask > 0] = np.clip(np.array([200, 40, 40]) + noise, 0, 255).astype(np.uint8)
        images.append(image)
        masks.append(mask)
    return CoveredClip(name=name, images=tuple(images), masks=tuple(masks), backgrounds=backgrounds)


def drawn_clip(seed: int, *, still: bool = False) -> CoveredClip:
    """A drawn scene of up to four things, the first of which is to vanish; every other camera pans.

    Args:
        still: nothing moves and no frame shows what the first thing hides.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    motion = Motion() if still else Motion(DIRECTIONS[seed % 4])
    things = [Thing(str(rng.choice(SHAPES)), str(rng.choice(COLOURS)), "medium", motion=motion)]
    things += [Thing(str(rng.choice(SHAPES)), str(rng.choice(COLOURS)), "small") for _ in range(int(rng.integers(4)))]
    width, height = DRAWN_SIZE
    scene = lay_out(ScenePlan(tuple(things)), DRAWN_FRAMES, width, height, rng)
    if seed % 2 and not still:
        scene = replace(scene, camera=_panning(scene.camera, rng))
    first = scene.objects[0]
    away = replace(first, centres=np.full_like(first.centres, OUTSIDE))
    without = Scene((away, *scene.objects[1:]), scene.order, scene.camera, None)
    clean = no_degradation(DRAWN_FRAMES)
    clip, bare = (draw_scene(one, clean, size=(height, width), split="val", seed=seed) for one in (scene, without))
    # What the object changes, its soft edge and shadow included, is what is to be removed.
    changed = (np.abs(clip.frames.astype(np.int16) - bare.frames).max(axis=-1) > 0).astype(np.uint8) * np.uint8(255)
    name = f"drawn {seed}" + (" still" if still else "")
    return CoveredClip(name=name, images=tuple(clip.frames), masks=tuple(changed), backgrounds=tuple(bare.frames))


def _panning(camera: CameraPath, rng: np.random.Generator) -> CameraPath:
    angle = rng.uniform(0, 2 * np.pi)
    pan = 0.2 * np.outer(np.linspace(0, 1, DRAWN_FRAMES), [np.cos(angle), np.sin(angle)])
    return replace(camera, pan=pan)

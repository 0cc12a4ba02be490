"""Generation without weights: the things that a text names are laid out and drawn.

What is asked for is drawn where it is asked for, or the text is refused with what is known.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from vitron_ros.config import ModelRun
from vitron_ros.frame import Image
from vitron_ros.module_registry import REGISTRY, Action, Module
from vitron_ros.modules.colours import COLOURS
from vitron_ros.modules.editing.compositing import as_mask
from vitron_ros.modules.generation.animation import Animation
from vitron_ros.modules.generation.grammar import parse_motion, parse_scene
from vitron_ros.modules.generation.layout import lay_out
from vitron_ros.modules.generation.scene_plan import STILL, ScenePlan
from vitron_ros.modules.module import (
    EMBEDDED,
    BackendDescription,
    BadJob,
    JobSettings,
    Mask,
    ModuleBackend,
    ModuleJob,
    ModuleResult,
    Progress,
)
from vitron_ros.modules.object_masks import object_masks
from vitron_ros.modules.segmentation.embedded import EmbeddedSegmentation
from vitron_ros.worlds.clip import Clip
from vitron_ros.worlds.degrade import no_degradation
from vitron_ros.worlds.render import draw_scene
from vitron_ros.worlds.textures import draw_surface

MIN_SIDE = 32  # px


class EmbeddedGeneration:
    """Draws images and clips from text, and sets the object of an image in motion."""

    def __init__(self, segmentation: ModuleBackend | None = None) -> None:
        """segmentation: cuts out what is to be animated, where the job has no mask of it (embedded)."""
        self._segmentation = segmentation or EmbeddedSegmentation()

    @classmethod
    def load(cls, source: str | Path, run: ModelRun) -> "EmbeddedGeneration":
        return cls(EmbeddedSegmentation.load(source, run))

    def describe(self) -> BackendDescription:
        modules = (Module.IMAGE_GENERATION, Module.VIDEO_GENERATION, Module.IMAGE_TO_VIDEO)
        actions: dict[Module, frozenset[Action]] = {module: REGISTRY[module].actions for module in modules}
        return BackendDescription(name=EMBEDDED, licence="Apache-2.0", actions=actions)

    def run(self, job: ModuleJob, progress: Progress) -> ModuleResult:
        if job.module is Module.IMAGE_TO_VIDEO:
            return self._animate(job, progress)
        is_clip = job.module is Module.VIDEO_GENERATION
        plan = parse_scene(job.text)
        if not is_clip and any(thing.motion != STILL for thing in plan.things):
            raise BadJob("an image shows no motion; ask for a video, or leave the motion out")
        count = job.settings.frame_count if is_clip else 1
        clip = draw_plan(plan, job.settings, count, job.seed, lambda index: progress.report(index / count))
        boxes = tuple(box if np.isfinite(box).all() else None for box in clip.boxes_xyxy[:, 0])
        masks = tuple((instances == 1).astype(np.uint8) * np.uint8(255) for instances in clip.instances)
        progress.report(1, clip.frames[-1])
        rate = job.settings.frame_rate if is_clip else 0.0
        return ModuleResult(images=tuple(clip.frames), masks=masks, boxes=boxes, frame_rate=rate)

    def _animate(self, job: ModuleJob, progress: Progress) -> ModuleResult:
        motion = parse_motion(job.text)
        mask = object_masks(job, self._segmentation, progress.part(0, 0.3))[0]
        animation = Animation(job.frames[0].rgb, mask, motion)
        count = job.settings.frame_count
        images: list[Image] = []
        masks: list[Mask] = []
        for index in range(count):
            progress.report(0.3 + 0.7 * index / count, images[-1] if images else None)
            image, alpha = animation.frame(index / max(1, count - 1))
            images.append(image)
            masks.append(as_mask(alpha))
        rects = [cv2.boundingRect((mask > 127).astype(np.uint8)) for mask in masks]
        boxes = tuple(np.array([x, y, x + w, y + h], np.float64) if w else None for x, y, w, h in rects)
        is_stuck = any(motion.direction) and np.abs(animation.travel).max() < 1
        return ModuleResult(
            images=tuple(images),
            masks=tuple(masks),
            boxes=boxes,
            frame_rate=job.settings.frame_rate,
            message="the object is already at the edge that it should move to" if is_stuck else "",
        )


def draw_plan(
    plan: ScenePlan,
    settings: JobSettings,
    frames: int,
    seed: int,
    on_frame: Callable[[int], None] = lambda index: None,
) -> Clip:
    """The clip of a plan, with its exact masks and boxes in the order of the plan's things.

    `on_frame` is called before each frame with its index.

    Raises:
        BadJob: the image is too small, or the things do not fit into it.
    """
    width, height = settings.width, settings.height
    if min(width, height) < MIN_SIDE:
        raise BadJob(f"an image has at least {MIN_SIDE} px a side, this is to have {width}x{height}")
    rng = np.random.Generator(np.random.PCG64(seed))
    scene = lay_out(plan, frames, width, height, rng)
    backdrop = None
    if plan.background in COLOURS:
        backdrop = [np.full((height, width, 3), COLOURS[plan.background], np.uint8)]
    elif plan.background is not None:
        surface = draw_surface(width, height, rng, plan.background)
        backdrop = [np.clip(surface, 0, 255).astype(np.uint8)]
    return draw_scene(
        scene,
        no_degradation(frames),
        size=(height, width),
        split="train",
        seed=seed,
        background=backdrop,
        rng=rng,
        on_frame=on_frame,
    )

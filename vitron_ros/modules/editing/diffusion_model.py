"""Editing by a pipeline of diffusers: what it draws is laid over the images with a soft mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vitron_ros.config import ModelRun
from vitron_ros.frame import Image
from vitron_ros.module_registry import Action
from vitron_ros.modules.diffusion.pipeline import Pipeline, as_pil, frames_to_draw, resized, working_size
from vitron_ros.modules.diffusion.pipeline_kinds import PipelineKind
from vitron_ros.modules.editing.compositing import Alpha, as_mask, blend, edge_width, grown, soft_mask
from vitron_ros.modules.editing.instruction import after_last, replacement
from vitron_ros.modules.module import (
    BackendDescription,
    BadJob,
    Mask,
    ModuleBackend,
    ModuleJob,
    ModuleResult,
    Progress,
    TooLarge,
    Unsupported,
)
from vitron_ros.modules.object_masks import has_object, object_masks
from vitron_ros.modules.segmentation.embedded import EmbeddedSegmentation
from vitron_ros.modules.words import words_of

SEGMENTATION_SHARE = 0.2  # of the progress, where the object must be cut out first
CONTEXT = 1.0  # of the object's mean side: how far around it the model sees
GREY = 128  # of what WanVACE is to draw
EMPTY = "an empty background, nothing there"
INSTRUCTIONS: dict[Action, str] = {
    "remove": "remove the {}", "replace": "replace the {}", "recolour": "change the colour of the {}",
    "background": "change the {}", "style": "make the whole picture look {}",
}  # fmt: skip


class DiffusionEditing:
    """Edits what a mask marks, by what a pipeline draws; elsewhere a result is the source, bit for bit."""

    def __init__(self, pipeline: Pipeline, segmentation: ModuleBackend) -> None:
        """segmentation: cuts the object out, where the job has no mask of it."""
        self._pipeline = pipeline
        self._segmentation = segmentation

    @classmethod
    def load(cls, source: str | Path, run: ModelRun) -> "DiffusionEditing":
        return cls(Pipeline.load(Path(source), run), EmbeddedSegmentation())

    def describe(self) -> BackendDescription:
        return self._pipeline.description

    def run(self, job: ModuleJob, progress: Progress) -> ModuleResult:
        kind, name = self._pipeline.kind, self._pipeline.description.name
        if job.action not in self._pipeline.description.actions.get(job.module, ()):
            raise Unsupported(f"{name} cannot {job.action} here")
        if job.reference is not None:
            raise Unsupported(f"{name} takes no reference image; describe in words what it shows")
        if len(job.frames) > kind.max_frames:
            raise TooLarge(f"{name} edits clips of at most {kind.max_frames} images, these are {len(job.frames)}")
        prompt = _prompt(job, kind)
        is_whole = job.action == "style" and not has_object(job)
        share = 0.0 if is_whole or job.masks else SEGMENTATION_SHARE
        images = [frame.rgb for frame in job.frames]
        if is_whole:
            alphas = [np.ones(image.shape[:2], np.float32) for image in images]
        else:
            masks = object_masks(job, self._segmentation, progress.part(0, share))
            alphas = [_alpha(job.action, image, mask) for image, mask in zip(images, masks, strict=True)]
        view = _view(alphas)
        canvas = Canvas(
            [image[view] for image in images], [alpha[view] for alpha in alphas], kind, self._pipeline.square_px
        )
        inputs = canvas.inputs(prompt, job)
        drawn, message = self._pipeline.draw(progress.part(share, 1), seed=job.seed, steps=job.settings.steps, **inputs)
        edited = []
        for image, alpha, picture in zip(images, alphas, drawn, strict=False):
            over = image.copy()
            part = over[view]
            over[view] = resized(picture, (part.shape[1], part.shape[0]))
            edited.append(blend(image, over, alpha))
        progress.report(1.0, edited[0])
        return ModuleResult(images=tuple(edited), masks=tuple(map(as_mask, alphas)), message=message)


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """The part of the images that a pipeline sees.

    Attributes:
        images: (h, w, 3) uint8, in order of time.
        alphas: (h, w), above 0 where something is to be drawn.
        square_px: side of the images that the pipeline's VAE was trained on.
    """

    images: Sequence[Image]
    alphas: Sequence[Alpha]
    kind: PipelineKind
    square_px: int

    def inputs(self, prompt: str, job: ModuleJob) -> dict[str, Any]:
        """The arguments of the pipeline's call."""
        kind = self.kind
        height, width = self.alphas[0].shape
        # GLIGEN would cut another size to this one by itself, and lose the places of its boxes.
        size = (self.square_px,) * 2 if "boxes" in kind.inputs else working_size(width, height, kind)
        images = [resized(image, size) for image in self.images]
        masks = [resized((alpha > 0).astype(np.uint8) * np.uint8(255), size) for alpha in self.alphas]
        masks = [np.where(mask > 0, np.uint8(255), np.uint8(0)) for mask in masks]
        inputs: dict[str, Any] = {"prompt": prompt}
        if kind.takes_size:
            inputs |= {"width": size[0], "height": size[1]}
        if "boxes" in kind.inputs:
            box = _corners(masks[0]) / np.tile(size, 2)
            return inputs | {
                "gligen_phrases": [prompt],
                "gligen_boxes": [box.tolist()],
                "gligen_inpaint_image": as_pil(images)[0],
                "gligen_scheduled_sampling_beta": 1.0,
            }
        if "clip" in kind.inputs:
            grey = [
                np.where(mask[..., None] > 0, np.uint8(GREY), image) for image, mask in zip(images, masks, strict=True)
            ]
            more = frames_to_draw(len(images), kind) - len(images)
            return inputs | {
                "video": as_pil([*grey, *[grey[-1]] * more]),
                "mask": as_pil([*masks, *[masks[-1]] * more]),
                "num_frames": len(images) + more,
            }
        inputs["image"] = as_pil(images)[0]
        if "mask" in kind.inputs:
            inputs["mask_image"] = as_pil(masks)[0]
        return inputs


def _prompt(job: ModuleJob, kind: PipelineKind) -> str:
    """What a pipeline is told for an edit, in the way that it was trained on."""
    if kind.prompt == "instruction":
        return INSTRUCTIONS[job.action].format(job.text.strip().removeprefix("the "))
    if job.action == "remove":
        return EMPTY
    if job.action == "replace":
        return replacement(job.text)
    asked = " ".join(after_last(words_of(job.text), "to", "into", "with", "by", "as"))
    if not asked:
        raise BadJob(f"{job.text!r} does not say what the {job.action} is to be")
    return asked


def _alpha(action: Action, image: Image, mask: Mask) -> Alpha:
    """Where an action draws, (H, W) in [0, 1]: what takes an object's place may have another outline."""
    if action == "background":
        return np.asarray(1 - soft_mask(image, mask), np.float32)
    if action in ("remove", "replace") and mask.any():
        mask = grown(mask, 2 * edge_width(mask)).astype(np.uint8) * np.uint8(255)
    return soft_mask(image, mask)


def _view(alphas: Sequence[Alpha]) -> tuple[slice, slice]:
    """The rows and columns around all that is to be drawn."""
    height, width = alphas[0].shape
    x_min, y_min, x_max, y_max = _corners((np.maximum.reduce(list(alphas)) > 0).astype(np.uint8))
    margin = CONTEXT * np.sqrt((x_max - x_min) * (y_max - y_min))
    rows = slice(max(0, int(y_min - margin)), min(height, int(y_max + margin) + 1))
    columns = slice(max(0, int(x_min - margin)), min(width, int(x_max + margin) + 1))
    return rows, columns


def _corners(mask: Mask) -> np.ndarray:
    """The box (4,) px of what is not 0 in a mask (H, W)."""
    x, y, width, height = cv2.boundingRect(mask)
    return np.array([x, y, x + width, y + height], np.float64)

"""Generation by a pipeline of diffusers: images and clips from text, and clips from an image."""

from pathlib import Path
from typing import Any

from vitron_ros.config import ModelRun
from vitron_ros.module_registry import REGISTRY, Module
from vitron_ros.modules.diffusion.pipeline import Pipeline, as_pil, frames_to_draw, resized, working_size
from vitron_ros.modules.generation.phrase_boxes import phrase_boxes
from vitron_ros.modules.module import BackendDescription, BadJob, ModuleJob, ModuleResult, Progress, TooLarge

ANYWHERE = ((0.0, 0.0, 1.0, 1.0),)
GROUNDED_SHARE = 0.3  # of the denoising steps, in which phrases are bound to their boxes: GLIGEN's default


class DiffusionGeneration:
    """Draws what a text says. Sizes that the model was not trained for are resized from one that it was."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    @classmethod
    def load(cls, source: str | Path, run: ModelRun) -> "DiffusionGeneration":
        return cls(Pipeline.load(Path(source), run))

    def describe(self) -> BackendDescription:
        return self._pipeline.description

    def run(self, job: ModuleJob, progress: Progress) -> ModuleResult:
        kind, settings, name = self._pipeline.kind, job.settings, self._pipeline.description.name
        is_clip = REGISTRY[job.module].makes_clip
        if not job.text.strip() and job.module is not Module.IMAGE_TO_VIDEO:
            raise BadJob("there is no text that says what to generate")
        if is_clip and settings.frame_count > kind.max_frames:
            raise TooLarge(f"{name} makes clips of at most {kind.max_frames} images, not {settings.frame_count}")
        size = (job.frames[0].width, job.frames[0].height) if job.frames else (settings.width, settings.height)
        drawn_size = working_size(*size, kind)
        inputs: dict[str, Any] = {"prompt": job.text, "width": drawn_size[0], "height": drawn_size[1]}
        notes = [] if drawn_size == size else [f"drawn with {drawn_size[0]}x{drawn_size[1]} px, then resized"]
        if is_clip:
            inputs["num_frames"] = frames_to_draw(settings.frame_count, kind)
        if job.frames:
            inputs["image"] = as_pil([resized(job.frames[0].rgb, drawn_size)])[0]
            if job.region is not None:
                notes.append("the model takes no region: say in words what is to move")
        if "boxes" in kind.inputs:
            inputs |= _grounded(job, drawn_size, notes)
        images, said = self._pipeline.draw(progress, seed=job.seed, steps=settings.steps, **inputs)
        progress.report(1.0)
        count = settings.frame_count if is_clip else 1
        return ModuleResult(
            images=tuple(resized(image, size) for image in images[:count]),
            frame_rate=settings.frame_rate if is_clip else 0.0,
            message="; ".join(filter(None, [*notes, said])),
        )


def _grounded(job: ModuleJob, size: tuple[int, int], notes: list[str]) -> dict[str, Any]:
    """Phrases and their boxes; those of a text that is not understood are left to the model, which is noted."""
    try:
        phrases, boxes = phrase_boxes(job.text, *size, job.seed)
    except BadJob as error:
        notes.append(f"the model chose the places: {error}")
        return {"gligen_phrases": [job.text], "gligen_boxes": ANYWHERE, "gligen_scheduled_sampling_beta": 0.0}
    share = {"gligen_scheduled_sampling_beta": GROUNDED_SHARE}
    return {"gligen_phrases": phrases, "gligen_boxes": boxes.tolist(), **share}

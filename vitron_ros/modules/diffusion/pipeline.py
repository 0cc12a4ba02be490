"""A pipeline of diffusers from its directory, and what it draws. The only file that imports diffusers."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
import transformers

from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.frame import Image
from vitron_ros.model.device import find_device
from vitron_ros.model.files import quoted, read_json, shortened
from vitron_ros.model.model_card import licence_of, name_of
from vitron_ros.model.pipeline_layout import MODEL_INDEX, parts_of, stored_weights
from vitron_ros.model.transformers_directory import LOCAL, check_stored, load_pretrained, read_part
from vitron_ros.modules.diffusion.pipeline_kinds import PipelineKind, kind_of
from vitron_ros.modules.diffusion.step_progress import step_progress
from vitron_ros.modules.module import BackendDescription, BadJob, Progress

PACKAGES = ("diffusers", "accelerate", "ftfy")
EXTRA = "pip install 'vitron_ros[diffusers]', with Python 3.11 or later"
LIBRARIES = ("diffusers", "transformers", "stable_diffusion")  # the last has the safety checker
MAX_ASPECT = 8.0
MAX_STEPS = 500  # schedules have 1000 timesteps, and some cannot take every one
GLIGEN_INPAINTING_CHANNELS = 9  # of the input of its network: latents, masked latents, mask


class Pipeline:
    """A loaded pipeline. Used by one thread at a time.

    Attributes:
        kind: what it takes.
        description: what it is, and the actions that its weights are for.
    """

    def __init__(self, loaded: Any, kind: PipelineKind, description: BackendDescription) -> None:
        self._loaded = loaded
        self.kind = kind
        self.description = description

    @classmethod
    def load(cls, directory: Path, run: ModelRun) -> "Pipeline":
        """
        Raises:
            ModelError: a file is missing, damaged, a pickle, or of another pipeline; diffusers is missing; or the
                device cannot hold it.
        """
        index = read_json(directory / MODEL_INDEX)
        class_name = index.get("_class_name")
        kind = kind_of(class_name, str(directory))
        if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
            raise ModelError(f"{class_name} in {directory} needs {' and '.join(missing)}; run: {EXTRA}")
        device = find_device(run.device)
        dtype = torch.float32 if device.type == "cpu" else getattr(torch, kind.dtype)
        check_stored(stored_weights(directory), directory, device, dtype)
        loaded = _loaded(index, directory, device, dtype)
        actions = dict(kind.actions)
        if "boxes" in kind.inputs:  # one class for two kinds of weights, each of which can do one thing alone
            repaints = loaded.unet.config.in_channels == GLIGEN_INPAINTING_CHANNELS
            actions = {module: can for module, can in actions.items() if ("replace" in can) == repaints}
        licence = licence_of(directory) or "unknown, see the model's page"
        return cls(loaded, kind, BackendDescription(name=name_of(directory), licence=licence, actions=actions))

    def draw(self, progress: Progress, *, seed: int, steps: int, **inputs: Any) -> tuple[list[Image], str]:
        """Images (h, w, 3) uint8 in order of time, and what is to be said about them.

        Args:
            steps: denoising steps; 0: as many as the pipeline needs.
            inputs: of its call, but for those that are the same for all.

        Raises:
            BadJob: more steps than a schedule has, or what was drawn is no image.
            Cancelled: `progress` was cancelled.
        """
        if steps > MAX_STEPS:
            raise BadJob(f"{steps} denoising steps were asked for, at most {MAX_STEPS} are taken")
        pipeline = self._loaded
        if "gligen_phrases" in inputs:
            inputs["gligen_phrases"] = [self._fitted(phrase) for phrase in inputs["gligen_phrases"]]
        on_gpu = [pipeline.device] if pipeline.device.type == "cuda" else []
        # Some pipelines draw from torch's own generator, whatever generator they are given.
        with torch.random.fork_rng(on_gpu), step_progress(pipeline, progress):
            torch.manual_seed(seed)
            output = pipeline(
                num_inference_steps=steps or self.kind.steps,
                generator=torch.Generator("cpu").manual_seed(seed),
                output_type="np",
                **self.kind.arguments,
                **inputs,
            )
        drawn = output.frames[0] if "frames" in output else output.images
        if not np.isfinite(drawn).all():
            raise BadJob(f"{self.description.name} drew values that are not numbers; try another seed or other words")
        images = [np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8) for image in np.asarray(drawn)]
        is_withheld = any(output.get("nsfw_content_detected") or [])
        return images, "the model's safety checker blackened what it drew" if is_withheld else ""

    def _fitted(self, phrase: str) -> str:
        """As much of a phrase as the text encoder takes: GLIGEN cuts prompts by itself, and no phrases."""
        tokenizer = self._loaded.tokenizer
        return str(tokenizer.decode(tokenizer(phrase, truncation=True)["input_ids"], skip_special_tokens=True))

    @property
    def square_px(self) -> int:
        """The side of the images that the VAE was trained on; 0: its config.json does not say."""
        return int(self._loaded.vae.config.get("sample_size", 0))


def working_size(width: int, height: int, kind: PipelineKind) -> tuple[int, int]:
    """The size at which a pipeline draws an image of width x height px: near to what it was trained on.

    A very long image is made broader, since no pipeline was trained on such.
    """
    sides = np.maximum((width, height), max(width, height) / MAX_ASPECT)
    area = float(sides.prod())
    scale = np.sqrt(np.clip(area, kind.pixels / 2, kind.pixels) / area)
    across, down = (max(1, round(side * scale / kind.multiple)) * kind.multiple for side in sides)
    return across, down


def frames_to_draw(count: int, kind: PipelineKind) -> int:
    """How many frames a pipeline draws for a clip of `count`: as many, or the next number that it can."""
    step = kind.frame_step
    return count if not step else -(-(count - 1) // step) * step + 1


def resized(image: Image, size: tuple[int, int]) -> Image:
    """An image (H, W, 3) or mask (H, W) uint8 at a size (width, height) px."""
    if image.shape[1::-1] == size:
        return image
    is_smaller = size[0] * size[1] < image.shape[0] * image.shape[1]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC))


def as_pil(images: Sequence[Image]) -> list[Any]:
    """Images (H, W, 3) or masks (H, W) uint8 as the pipelines take them."""
    import PIL.Image  # comes with diffusers

    return [PIL.Image.fromarray(np.ascontiguousarray(image)) for image in images]


def _loaded(index: Mapping[str, Any], directory: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """The pipeline of a model_index.json."""
    import diffusers

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    classes = _part_classes(index, directory)
    try:
        parts = {
            part: _encoder(name, directory / part, device).to(dtype)
            for part, (library, name) in classes.items()
            if library == "transformers" and list((directory / part).glob("*.safetensors"))
        }
        pipeline: Any = read_part(
            "pipeline",
            directory,
            lambda: getattr(diffusers, index["_class_name"]).from_pretrained(
                directory, use_safetensors=True, dtype=dtype, **parts, **LOCAL
            ),
        )
        _check_weights(pipeline, directory)
        pipeline.to(device)
    except torch.OutOfMemoryError as error:
        raise ModelError(f"{directory} does not fit into the free memory of {device}; use a smaller model") from error
    pipeline.set_progress_bar_config(disable=True)
    _adapt(pipeline)
    return pipeline


def _part_classes(index: Mapping[str, Any], directory: Path) -> dict[str, tuple[str, str]]:
    """Library and class of each part of a pipeline.

    Raises:
        ModelError: a part is of a library that no pipeline has, whose code is never run.
    """
    parts = parts_of(index)
    for part, value in parts.items():
        if len(value) != 2 or value[0] not in LIBRARIES or not isinstance(value[1], str):
            raise ModelError(
                f"the part {quoted(part)} of {directory} is {quoted(value)}; parts are of {', '.join(LIBRARIES)}, and "
                "code of anything else is not run"
            )
    return {part: (library, name) for part, (library, name) in parts.items()}


def _encoder(name: str, directory: Path, device: torch.device) -> Any:
    """A part that is a model of transformers; read here, since diffusers makes up for weights that are missing."""
    found = getattr(transformers, name, None)
    if not (isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)):
        raise ModelError(f"{directory} holds a part of class {quoted(name)}, which is no model of transformers")
    return load_pretrained(found, directory, device)


def _check_weights(pipeline: Any, directory: Path) -> None:
    """Raises ModelError for weights that no file has."""
    parts = {part: module for part, module in pipeline.components.items() if isinstance(module, torch.nn.Module)}
    missing = [
        f"{part}.{name}"
        for part, module in parts.items()
        for name, weight in module.named_parameters()
        if weight.is_meta
    ]
    if missing:
        raise ModelError(f"{directory} lacks {len(missing)} weights, {shortened(missing)}; fetch it again")


def _adapt(pipeline: Any) -> None:
    """Give the text encoder the attribute that I2VGen-XL asks for, and that transformers 5 no longer has.

    Past torch's own attribute setter: no module is registered, and what is saved stays the same.
    """
    encoder = pipeline.text_encoder
    if type(encoder).__name__ == "CLIPTextModel" and not hasattr(encoder, "text_model"):
        object.__setattr__(encoder, "text_model", SimpleNamespace(final_layer_norm=encoder.final_layer_norm))

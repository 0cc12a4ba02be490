"""The pipelines of diffusers that do jobs, as data: by the `_class_name` of a directory's model_index.json."""

from dataclasses import dataclass, field
from typing import Any, Literal

from vitron_ros.errors import ModelError
from vitron_ros.model.files import quoted
from vitron_ros.module_registry import EDITS, Action, Module

HD, SD = 1024 * 1024, 512 * 512  # px


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineKind:
    """What one pipeline takes, and does.

    Attributes:
        actions: what it does in each module.
        inputs: what it is given beside the text. "boxes" are places for phrases.
        prompt: whether the text of an edit says what is to be seen, or what is to be done.
        multiple: of the sides of an image, px.
        pixels: of one image, as in its training; larger ones are made smaller for it.
        frame_step: a clip has a multiple of so many frames, and one more; 0: any number.
        max_frames: of a clip.
        steps: denoising steps, where the job leaves them open.
        dtype: torch's name for the type of its weights on a GPU.
        takes_size: its call has a width and a height; else the given image says them.
        arguments: further ones of its call.
    """

    actions: dict[Module, frozenset[Action]]
    inputs: frozenset[Literal["image", "mask", "boxes", "clip"]] = frozenset()
    prompt: Literal["caption", "instruction"] = "caption"
    multiple: int = 8
    pixels: int = SD
    frame_step: int = 0
    max_frames: int = 1
    steps: int = 30
    dtype: Literal["float16", "bfloat16"] = "float16"
    takes_size: bool = True
    arguments: dict[str, Any] = field(default_factory=dict)


_GENERATE: frozenset[Action] = frozenset(["generate"])
_ANIMATE: frozenset[Action] = frozenset(["animate"])
_REPAINTED: frozenset[Action] = frozenset(["remove", "replace", "background"])
_WAN: dict[str, Any] = {
    "multiple": 32, "pixels": 832 * 480, "frame_step": 4, "max_frames": 81, "steps": 50, "dtype": "bfloat16",
}  # fmt: skip

KINDS: dict[str, PipelineKind] = {
    "StableDiffusionPipeline": PipelineKind(actions={Module.IMAGE_GENERATION: _GENERATE}),
    "StableDiffusionGLIGENPipeline": PipelineKind(
        actions={Module.IMAGE_GENERATION: _GENERATE, Module.IMAGE_EDITING: frozenset(["replace"])},
        inputs=frozenset(["boxes"]),
        steps=50,
    ),
    "StableDiffusionInpaintPipeline": PipelineKind(
        actions={Module.IMAGE_EDITING: _REPAINTED}, inputs=frozenset(["image", "mask"])
    ),
    "StableDiffusionInstructPix2PixPipeline": PipelineKind(
        actions={Module.IMAGE_EDITING: EDITS - {"move"}},
        inputs=frozenset(["image"]),
        prompt="instruction",
        takes_size=False,
    ),
    "Flux2KleinPipeline": PipelineKind(
        actions={Module.IMAGE_GENERATION: _GENERATE, Module.IMAGE_EDITING: EDITS - {"move"}},
        inputs=frozenset(["image"]),
        prompt="instruction",
        multiple=16,
        pixels=HD,
        steps=4,
        dtype="bfloat16",
    ),
    "TextToVideoSDPipeline": PipelineKind(  # ZeroScope
        actions={Module.VIDEO_GENERATION: _GENERATE}, pixels=576 * 320, max_frames=36, steps=40
    ),
    "I2VGenXLPipeline": PipelineKind(
        actions={Module.IMAGE_TO_VIDEO: _ANIMATE},
        inputs=frozenset(["image"]),
        pixels=1280 * 704,
        max_frames=32,
        steps=50,
    ),
    "WanPipeline": PipelineKind(actions={Module.VIDEO_GENERATION: _GENERATE}, **_WAN),
    "WanImageToVideoPipeline": PipelineKind(
        actions={Module.IMAGE_TO_VIDEO: _ANIMATE}, inputs=frozenset(["image"]), **_WAN
    ),
    "WanVACEPipeline": PipelineKind(
        actions={Module.VIDEO_EDITING: _REPAINTED}, inputs=frozenset(["clip", "mask"]), **_WAN
    ),
}


def kind_of(class_name: object, where: str) -> PipelineKind:
    """The kind of a pipeline's class.

    Raises:
        ModelError: it is of another class; `where` is what a person knows it by.
    """
    if not isinstance(class_name, str) or class_name not in KINDS:
        raise ModelError(
            f"{where} holds a pipeline of class {quoted(class_name)}; those that run are {', '.join(KINDS)}"
        )
    return KINDS[class_name]

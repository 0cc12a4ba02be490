"""The output types of the generator: a clip with its exact ground truth, and samples of language about it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.worlds.vocabulary import Split
from vitron_ros.boxes import Boxes

Task = Literal[
    "rec", "reg", "rsot", "sot", "video_reg", "caption", "grounded_caption", "vqa", "video_qa", "invocation"
]  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class DialogueTurn:
    """An earlier turn of a conversation: the user's text, the reply, and the object it is about."""

    user: str
    reply: str
    target: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One task about a clip, as pure data. `training.questions` makes the prompt.

    Attributes:
        task: the task.
        kind: finer than the task, such as "attribute", "ordinal" or "count"; for analysis.
        frames: indices of the frames that the task shows, one for an image task.
        expression: the referring expression (REC, RSOT), or the true description (REG, Video-REG).
        target: index of the referent; None where the answer is "none" or there is no referent.
        absent: whether the expression matches no object.
        region: index of the object that the request marks with a box or mask; None without a mark.
        question, answer: of a question, a caption (empty question) or an invocation (request and reply text).
        attributes: the words that a correct description contains (REG, Video-REG).
        spans: grounded captions and answers: (start, end, object) for every phrase of the answer that names an object.
        module, instructions: letter and instructions of an invocation.
        chain: intermediate objects of a multi-step reference, each with a frame of the clip that shows it.
        history: earlier turns, for pronouns.
        template: the template, not filled.
        held_out_template: whether training never uses this template.
    """

    task: Task
    kind: str
    frames: tuple[int, ...]
    expression: str = ""
    target: int | None = None
    absent: bool = False
    region: int | None = None
    question: str = ""
    answer: str = ""
    attributes: tuple[str, ...] = ()
    spans: tuple[tuple[int, int, int], ...] = ()
    module: str = ""
    instructions: tuple[str, ...] = ()
    chain: tuple[tuple[int, int], ...] = ()
    history: tuple[DialogueTurn, ...] = ()
    template: str = ""
    held_out_template: bool = False

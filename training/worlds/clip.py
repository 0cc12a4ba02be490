"""The data types that leave the generator: a clip with its exact truth, and the samples spoken about it."""

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
    """What an object is for the whole clip. Every value is a word of the vocabulary."""

    shape: str
    colour: str
    size: str
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """A rendered clip of N objects with its exact truth. Letters: T frames, N objects, H and W pixels.

    Attributes:
        frames: (T, H, W, 3) uint8, RGB.
        objects: the N objects.
        instances: (T, H, W) uint8, 1 + the index of the object that a pixel shows; 0 for everything else.
        boxes_xyxy: (T, N, 4) px, the tight box of the visible part; NaN where nothing of the object is seen.
        full_boxes_xyxy: (T, N, 4) px, the tight box of the whole object, with what is hidden or outside the image.
        visible: (T, N) in [0, 1], the share of the whole object's pixels that is seen.
        depth: (N,) rank of each object, 0 nearest to the camera; a nearer object hides a farther one.
        scales: (T, N) px, the apparent size: side of the square with the area of the upright object's box.
        world_centers: (T, N, 2) in shorter sides of the image, position against the background (camera motion removed).
        split: what the clip was made for.
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
        """(T, N, H, W) bool, the visible pixels of every object; made anew on every call."""
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
    """An earlier exchange of a conversation: what was said, the answer, and the object it was about."""

    user: str
    reply: str
    target: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One task about a clip, as pure data. Prompts are worded elsewhere.

    Attributes:
        task: the task.
        kind: what is asked for, such as "attribute", "ordinal" or "count"; for break-downs.
        frames: indices of the frames that the task shows, one for an image task.
        expression: the phrase to be found (REC, RSOT), or the right description (REG, Video-REG).
        target: index of the object that is meant; None where the right answer is "none" or no object is meant.
        absent: whether the expression is known to fit no object.
        region: index of the object that the request marks with a box or mask; None without a mark.
        question, answer: of a question, a caption (empty question) or an invocation (request and reply text).
        attributes: the words that a description must hold to be right (REG, Video-REG).
        spans: grounded captions and answers: (start, end, object) for every phrase of the answer that names an object.
        module, instructions: letter and instructions of an invocation.
        way: objects that one comes by on the way to the target, each with a frame of the clip that shows it.
        history: earlier turns, for pronouns.
        template: the template in use, before filling.
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
    way: tuple[tuple[int, int], ...] = ()
    history: tuple[DialogueTurn, ...] = ()
    template: str = ""
    held_out_template: bool = False

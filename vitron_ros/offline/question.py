"""A question or command about a recording, and the model's answer in pixels of the image that it speaks of."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from vitron_ros.boxes import Boxes, xyxy_from_norm
from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import (
    Grounded,
    LanguageVision,
    ModelReply,
    ModelRequest,
    ReplyStatus,
    Task,
    text_problem,
)
from vitron_ros.model.answers import NAMES, NONE
from vitron_ros.module_registry import Module
from vitron_ros.recordings.sources import Source
from vitron_ros.region import Region
from vitron_ros.streaming.answering import answers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModuleCall:
    """What the model wants an expert module to do.

    Attributes:
        instructions: in the model's words, such as "segmentation: the red mug"; at least one.
        box_xyxy: (4,) px, what to do it to; None: the whole image.
    """

    module: Module
    instructions: tuple[str, ...]
    box_xyxy: Boxes | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Answer:
    """The model's answer about the last of the images that it was given.

    Attributes:
        text: the model's words; "none" where it says that what it was asked about is not there.
        status: OK or ABSENT, or why there is no answer.
        message: one sentence for a person where the status is not OK.
        score: probability that the model gave its own answer, 0..1.
        grounded: what the answer names, each with `label` and `box_xyxy` (4,) px.
        invocation: the module that the model calls; None: it calls none.
        frames: the images that it was given, the newest last.
        seconds: that the model took.
    """

    text: str
    status: ReplyStatus
    message: str
    score: float
    grounded: tuple[Grounded, ...]
    invocation: ModuleCall | None
    frames: tuple[Frame, ...]
    seconds: float

    @property
    def is_answered(self) -> bool:
        """Whether the model has answered; that something is not there is an answer."""
        return self.status in (ReplyStatus.OK, ReplyStatus.ABSENT)

    @property
    def boxes(self) -> Boxes:
        """Of what the answer names, (N, 4) xyxy, px."""
        return np.array([item.box_xyxy for item in self.grounded], np.float64).reshape(-1, 4)

    def __repr__(self) -> str:
        return "\n".join(self._lines() if self.is_answered else [f"{self.status.value}: {self.message}"])

    def _lines(self) -> Iterator[str]:
        yield self.text
        yield from (f"{item.label or 'box'}: {_rounded(item.box_xyxy)}" for item in self.grounded)
        if self.invocation is not None:
            yield f"module: {NAMES[self.invocation.module].lower()}"
            yield from (f"instruction: {text}" for text in self.invocation.instructions)
            box = self.invocation.box_xyxy
            yield "region: the whole image" if box is None else f"region: {_rounded(box)}"
        yield f"score: {self.score:.2f}"


def ask_about(
    source: Source,
    text: str,
    model: LanguageVision,
    *,
    at_s: float | None = None,
    regions: tuple[Region, ...] = (),
    max_frames: int | None = None,
    min_score: float = PipelineConfig().model_min_score,
) -> Answer:
    """The model's answer to a question or command about a recording.

    Of an image the model is given that image. Of anything that moves it is given up to 8, a quarter of a second apart
    as the node's are, the last of them at `at_s` or the last of all; of a webcam, the first that make such a clip. With
    regions it is given the last image alone.

    Args:
        at_s: time of the last image, from the first; None: the end.
        regions: what "this" means in the last image, in the order of the text.
        max_frames: images that the model is given at most; None: as above.
        min_score: below which the answer's status is UNSURE, 0 to 1.

    Raises:
        ConfigError: the text is empty or too long, `at_s` is not a valid time, `min_score` not a probability, or the
            model does not take so many frames.
        RegionError: a region lies outside the image that it is about.
        SourceError: the source cannot be read, or ends before `at_s`.
    """
    if not text.strip():
        raise ConfigError("the text is empty; give a question or a command")
    if problem := text_problem(text):
        raise ConfigError(problem)
    if at_s is not None and not 0 <= at_s < float("inf"):
        raise ConfigError(f"the time is {at_s}; give seconds from the start, 0 or more")
    if not 0 <= min_score <= 1:
        raise ConfigError(f"the least score is {min_score}; give a probability, 0 to 1")
    count = (1 if regions else model.max_frames) if max_frames is None else max_frames
    if not 1 <= count <= model.max_frames:
        raise ConfigError(f"{count} frames: this model takes from 1 to {model.max_frames}")
    frames = frames_of(source, count, at_s)
    for region in regions:
        region.bounding_box(frames[-1].width, frames[-1].height)
    request = ModelRequest(id="ask", task=Task.ASK, frames=frames, text=text, regions=regions, min_score=min_score)
    return _answer(answers(model, [request])[0], frames)


def frames_of(source: Source, count: int, at_s: float | None = None) -> tuple[Frame, ...]:
    """An image, or at most `count` frames of what moves, as `last_frames`.

    Raises:
        SourceError: the source cannot be read, or ends before.
    """
    spacing_ns = round(PipelineConfig().keyframe_period * SECOND_NS)
    at_ns = None if at_s is None else round(at_s * SECOND_NS)
    if source.is_live and at_ns is None:
        at_ns = (count - 1) * spacing_ns
    return last_frames(source, count, spacing_ns, at_ns)


def last_frames(frames: Iterable[Frame], count: int, spacing_ns: int, at_ns: int | None = None) -> tuple[Frame, ...]:
    """At most `count` frames in order of time; the last is the one seen at `at_ns` after the first, or the last of all.

    The others lie about `spacing_ns` apart before it. No more frames are held than are given back, and one.

    Raises:
        SourceError: there is no frame, or none so late.
    """
    kept: deque[Frame] = deque(maxlen=count)
    newest: Frame | None = None
    first_ns, is_reached = 0, False
    for frame in frames:
        first_ns = first_ns if newest else frame.stamp_ns
        if at_ns is not None and newest and frame.stamp_ns - first_ns > at_ns:
            is_reached = True
            break
        if not kept or frame.stamp_ns - kept[-1].stamp_ns >= spacing_ns:
            kept.append(frame)
        newest = frame
        if at_ns is not None and frame.stamp_ns - first_ns == at_ns:
            is_reached = True
            break
    if newest is None:
        raise SourceError("the source has no image that can be decoded")
    seconds = (newest.stamp_ns - first_ns) / SECOND_NS
    if at_ns is not None and not is_reached:
        raise SourceError(f"the last image is at {seconds:.3f} s, before {at_ns / SECOND_NS:g} s; give an earlier time")
    if kept[-1] is not newest:
        if newest.stamp_ns - kept[-1].stamp_ns < spacing_ns / 2:
            kept.pop()
        kept.append(newest)
    return tuple(kept)


def _answer(reply: ModelReply, frames: tuple[Frame, ...]) -> Answer:
    return Answer(
        text=(reply.text or NONE) if reply.status is ReplyStatus.ABSENT else reply.text,
        status=reply.status,
        message=reply.message,
        score=reply.score,
        grounded=reply.grounded,
        invocation=_module_call(reply, frames[-1]),
        frames=frames,
        seconds=reply.seconds,
    )


def _module_call(reply: ModelReply, newest: Frame) -> ModuleCall | None:
    called = reply.invocation
    if called is None:
        return None
    box = None if called.region is None else xyxy_from_norm(called.region, newest.width, newest.height)
    return ModuleCall(module=called.module, instructions=called.instructions, box_xyxy=box)


def _rounded(box_xyxy: Boxes) -> str:
    return ",".join(f"{value:.0f}" for value in box_xyxy)

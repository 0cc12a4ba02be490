"""Questions: samples of the worlds to prompts and answers, with the templates of a prompt profile."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.worlds import Clip, Sample
from training.worlds.facts import UNSEEN
from vitron_ros.boxes import Boxes, norm_from_xyxy
from vitron_ros.model.answers import (
    LETTERS,
    Box,
    Invocation,
    grounded_text,
    invocation_text,
    one_box_text,
    track_text,
)
from vitron_ros.model.prompt_profile import PromptProfile
from vitron_ros.model.prompts import Turn
from vitron_ros.model.region import MarkedRegion
from vitron_ros.region import Region

MARKED_TASKS = ("reg", "sot", "video_reg")  # their templates take a box as text or a marked region


@dataclass(frozen=True, eq=False)
class Question:
    """A prompt with its answer.

    Attributes:
        turns: the conversation; the last turn is to be answered.
        regions: marked regions, their frames counted within the clip's.
        answer: the ground-truth reply.
    """

    turns: tuple[Turn, ...]
    regions: tuple[MarkedRegion, ...]
    answer: str


@dataclass(frozen=True, eq=False)
class WorldQuestion(Question):
    """A question that was made from a sample of a generated clip."""

    sample: Sample


def box_in(clip: Clip, target: int, frame: int) -> Box | None:
    """The visible box of an object in a frame, as fractions; None where the object counts as invisible."""
    if clip.visible[frame, target] <= UNSEEN:
        return None
    x1, y1, x2, y2 = norm_from_xyxy(clip.boxes_xyxy[frame, target], clip.width, clip.height).tolist()
    return x1, y1, x2, y2


def true_boxes(clip: Clip, sample: Sample) -> Boxes:
    """The target's box in every frame of a sample, (T, 4) px; NaN where it counts as invisible."""
    if sample.target is None:
        return np.full((len(sample.frames), 4), np.nan)
    frames = list(sample.frames)
    is_seen = clip.visible[frames, sample.target] > UNSEEN
    return np.asarray(np.where(is_seen[:, None], clip.boxes_xyxy[frames, sample.target], np.nan))


def answer_text(clip: Clip, sample: Sample) -> str | None:
    """The ground-truth reply to a sample; None where the reply format cannot express it."""
    first = sample.frames[0]
    if sample.task == "rec":
        return one_box_text(None if sample.target is None else box_in(clip, sample.target, first))
    if sample.task in ("rsot", "sot"):
        target = sample.target
        boxes = {n + 1: None if target is None else box_in(clip, target, f) for n, f in enumerate(sample.frames)}
        return track_text(boxes)
    if sample.task in ("reg", "video_reg"):
        return sample.expression
    if sample.task == "grounded_caption":
        named = {sample.answer[start:end].lower(): box_in(clip, index, first) for start, end, index in sample.spans}
        boxes_of = {label: box for label, box in named.items() if box is not None}
        # Two things of one name cannot be told apart by labels.
        return grounded_text(sample.answer, boxes_of, "integers") if len(boxes_of) == len(sample.spans) else None
    if sample.task == "invocation" and sample.module:
        region = None if sample.target is None else box_in(clip, sample.target, first)
        invocation = Invocation(LETTERS[sample.module], sample.instructions, region)
        return invocation_text(sample.answer, invocation, dialect="integers")
    return sample.answer


def make_question(
    clip: Clip, sample: Sample, profile: PromptProfile, rng: np.random.Generator | None, *, takes_regions: bool
) -> WorldQuestion | None:
    """A sample as a conversation; None where the model takes no regions and the sample needs one.

    Earlier turns come before the images, with the box of their object as the answer: a long conversation keeps its
    text, and shows the present view only.

    Args:
        rng: draws the template and whether a box is marked or written as text; None: the first template, as text.
    """
    answer = answer_text(clip, sample)
    if answer is None:
        return None
    first = sample.frames[0]
    paraphrase = 0 if rng is None else int(rng.integers(len(profile.templates[sample.task])))
    turn = Turn(
        task=sample.task, text=sample.expression or sample.question, images=len(sample.frames), paraphrase=paraphrase
    )
    regions: tuple[MarkedRegion, ...] = ()
    if sample.region is not None:
        is_marked = sample.task not in MARKED_TASKS or (takes_regions and rng is not None and rng.random() < 0.5)
        if is_marked and not takes_regions:
            return None
        if is_marked:
            drawn = _drawn(clip, sample.region, first, rng)
            regions = (MarkedRegion(region=drawn, width=clip.width, height=clip.height),)
            turn = replace(turn, regions=1)
        else:
            turn = replace(turn, box=box_in(clip, sample.region, first))
    history = tuple(
        Turn(
            task="conversation",
            text=earlier.user,
            answer=one_box_text(None if earlier.target is None else box_in(clip, earlier.target, first)),
        )
        for earlier in sample.history
    )
    return WorldQuestion((*history, turn), regions, answer, sample)


def _drawn(clip: Clip, index: int, frame: int, rng: np.random.Generator | None) -> Region:
    if rng is None or rng.random() < 0.5:
        return Region.from_box(_whole_pixels(clip.boxes_xyxy[frame, index]))
    return Region.from_mask(clip.instances[frame] == index + 1)


def _whole_pixels(box_xyxy: Boxes) -> NDArray[np.float64]:
    return np.concatenate([np.floor(box_xyxy[:2]), np.ceil(box_xyxy[2:])])

"""Records: questions about images and clips, drawn from what is annotated about them.

Every visit draws the frames, the tasks, and which of the captions, phrases, questions or objects they are about.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from training.annotations import AnnotatedMedia, Captions, Conversation, Questions, Regions, Sentence, Tracks
from training.config import READER_TASKS, RecordsConfig
from training.errors import RecordError
from training.media import Media, is_video
from vitron_ros.boxes import Boxes
from vitron_ros.model.answers import Box

Rng = np.random.Generator
T = TypeVar("T")
READERS = {
    Conversation: "conversations",
    Questions: "conversations",
    Captions: "captions",
    Regions: "regions",
    Tracks: "tracks",
}  # whose tasks each form of annotation has
LABEL = re.compile(r"[^,;:.\n\[\]()]{1,80}")  # a phrase that can stand before its box in a reply


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTurn:
    """A question with its answer.

    Attributes:
        task: a key of `vitron_ros.model.prompt_profile.TASKS`.
        text: the phrase or question.
        box: what the question marks in the first frame; None: nothing.
        answer: in words; empty: the boxes are the answer.
        boxes: of the answer, one a frame; None where the object is not there.
        labels: parts of the answer in words, with the box of each.
    """

    task: str
    text: str = ""
    box: Box | None = None
    answer: str = ""
    boxes: tuple[Box | None, ...] = ()
    labels: tuple[tuple[str, Box], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Questions about an image or a clip.

    Attributes:
        media: image files, one a frame; or one video file.
        frames: how many are shown; those of a video file lie evenly over it.
        turns: the questions, in order.
        is_conversation: whether each has those before it as its history; else each is asked on its own.
    """

    media: tuple[Media, ...]
    frames: int
    turns: tuple[RecordTurn, ...]
    is_conversation: bool = False


def draw_record(given: AnnotatedMedia, config: RecordsConfig, rng: Rng) -> Record:
    """A record about annotated media.

    Raises:
        RecordError: the clip is too short, or nothing is annotated that a task of the set could ask for.
    """
    reader = READERS[type(given.annotation)]
    tasks = [task for task in config.tasks if task in READER_TASKS[reader]]
    if not tasks:
        raise RecordError(f"it is of {reader}, which can be asked for {', '.join(READER_TASKS[reader])}")
    match given.annotation:
        case Tracks():
            return _tracked(given.media, given.annotation, config, _drawn(tasks, rng), rng)
        case Conversation(said, mark):
            names = [_drawn(tasks, rng), *["conversation"] * (len(said) - 1)]
            turns = [
                RecordTurn(task=name, text=text, box=mark if place == 0 else None, answer=answer)
                for place, (name, (text, answer)) in enumerate(zip(names, said, strict=True))
            ]
        case Questions(pairs):
            turns = [
                RecordTurn(task=_drawn(tasks, rng), text=question, answer=answer)
                for question, answer in _some(pairs, config.max_questions, rng)
            ]
        case Captions(texts):
            turns = [RecordTurn(task=_drawn(tasks, rng), answer=_drawn(texts, rng))]
        case Regions():
            turns = _region_turns(given.annotation, tasks, config.max_questions, rng)
    frames = _frame_count(config, rng) if is_video(given.media[0]) else len(given.media)
    is_conversation = isinstance(given.annotation, Conversation)
    return Record(media=given.media, frames=frames, turns=tuple(turns), is_conversation=is_conversation)


def _region_turns(regions: Regions, asked: Sequence[str], most: int, rng: Rng) -> list[RecordTurn]:
    phrases = [phrase for phrase in regions.phrases if len(phrase.boxes) == 1]
    sentences = [(sentence, labels) for sentence in regions.sentences if (labels := _labels(sentence))]
    tasks = [task for task in asked if (sentences if task == "grounded_caption" else phrases)]
    if not tasks:
        raise RecordError(f"it has nothing to ask for by {', '.join(asked)}")
    turns: list[RecordTurn] = []
    drawn = _some(phrases, most, rng)
    for place in range(min(most, max(len(phrases), len(sentences)))):
        task = _drawn(tasks, rng)
        if task == "grounded_caption":
            sentence, labels = sentences.pop(int(rng.integers(len(sentences))))
            turns.append(RecordTurn(task=task, answer=sentence.text, labels=labels))
            if not sentences:
                tasks.remove(task)
        elif place < len(drawn):
            phrase = drawn[place]
            if task == "rec":
                turns.append(RecordTurn(task=task, text=phrase.text, boxes=phrase.boxes))
            else:
                turns.append(RecordTurn(task=task, box=phrase.boxes[0], answer=phrase.text))
        if not tasks:
            break
    return turns


def _labels(sentence: Sentence) -> tuple[tuple[str, Box], ...]:
    """Phrases that can be told apart in a reply; several boxes of one are merged, as grounding is usually scored."""
    texts = [phrase.text for phrase in sentence.phrases]
    return tuple(
        (phrase.text, phrase.hull)
        for phrase in sentence.phrases
        if texts.count(phrase.text) == 1 and LABEL.fullmatch(phrase.text)
    )


def _tracked(media: tuple[Media, ...], tracks: Tracks, config: RecordsConfig, task: str, rng: Rng) -> Record:
    length = len(media)
    if length < (least := min(2, config.min_frames)):
        raise RecordError(f"it has {length} frames, and {least} or more are asked for")
    # Where a clip is too short the interval is shortened; where that is not enough, all of it is shown.
    shown = min(_frame_count(config, rng), length)
    longest = min(config.max_interval, (length - 1) // max(1, shown - 1))
    interval = int(rng.integers(1, longest + 1)) if longest > 1 else 1
    starts = length - interval * (shown - 1)
    has_box = np.array([np.isfinite(one.boxes[:starts]).all(axis=1) for one in tracks.objects])  # (objects, starts)
    can_start = np.ones_like(has_box) if task == "rsot" else has_box
    if task != "sot":
        can_start = can_start & np.array([[bool(one.text.strip())] for one in tracks.objects])
    if not can_start.any():
        reason = "that is described" if has_box.any() else "in a frame that a clip could start with"
        raise RecordError(f"it has no object {reason}")
    start = int(rng.choice(np.flatnonzero(can_start.any(axis=0))))
    chosen = tracks.objects[int(rng.choice(np.flatnonzero(can_start[:, start])))]
    places = range(start, start + interval * shown, interval)
    boxes = tuple(_box(chosen.boxes[place]) for place in places)
    if task == "rsot":
        turn = RecordTurn(task=task, text=chosen.text.strip(), boxes=boxes)
    elif task == "sot":
        turn = RecordTurn(task=task, box=boxes[0], boxes=boxes)
    else:
        turn = RecordTurn(task=task, box=boxes[0], answer=chosen.text.strip())
    return Record(media=tuple(media[place] for place in places), frames=shown, turns=(turn,))


def _box(box: Boxes) -> Box | None:
    if np.isnan(box).any():
        return None
    x_min, y_min, x_max, y_max = box.tolist()
    return x_min, y_min, x_max, y_max


def _frame_count(config: RecordsConfig, rng: Rng) -> int:
    return int(rng.integers(config.min_frames, config.max_frames + 1))


def _drawn(values: Sequence[T], rng: Rng) -> T:
    return values[int(rng.integers(len(values)))]


def _some(values: Sequence[T], most: int, rng: Rng) -> list[T]:
    """Up to so many of them, in random order."""
    return [values[int(place)] for place in rng.permutation(len(values))[:most]]

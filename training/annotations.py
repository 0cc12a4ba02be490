"""What is annotated about an image or a clip, in one of five forms, each with its form in JSON.

    Conversation  {"conversations": [{"from": "human", "value": ...}, {"from": "gpt", "value": ...}, ...]}, as LLaVA's,
                  and perhaps "box": what the first question marks
    Questions     {"questions": [[question, answer], ...]}, or {"QA": [{"i": instruction, "q": ..., "a": ...}, ...]}, as
                  VideoChat's
    Captions      {"captions": [...]}, or {"caption": ...}
    Regions       {"phrases": [{"text": ..., "boxes": [[x_min, y_min, x_max, y_max], ...]}, ...],
                   "sentences": [{"text": ..., "phrases": [...]}, ...]}, or {"box": [...], "caption": ...}
    Tracks        {"objects": [{"text": ..., "boxes": [[...] or null, one for each frame]}, ...]}

Boxes are fractions of the image. Every source of training data gives these, see `training/sources/`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from training.errors import RecordError
from training.media import Media
from vitron_ros.boxes import Boxes, clip, norm_from_xyxy
from vitron_ros.model.answers import Box
from vitron_ros.model.files import quoted
from vitron_ros.model.parsing import ParseStatus, parse_reply

IMAGE_SIGN = "<image>"  # where LLaVA's text has its image
VIDEO_SIGN = "<video>"
MODULE_SIGN = "<module>"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Questions and answers, each after those before it. An invocation in an answer can be parsed.

    Attributes:
        mark: what the first question marks, in the first image; None: nothing.
    """

    turns: tuple[tuple[str, str], ...]
    mark: Box | None = None

    def __post_init__(self) -> None:
        _check_some(self.turns, "turn")
        if self.mark is not None:
            check_box(self.mark)
        for question, answer in self.turns:
            _check_text(question, "question")
            _check_text(answer, "answer")
            if MODULE_SIGN in answer:
                reply = parse_reply(answer)
                if reply.status is not ParseStatus.OK or reply.invocation is None:
                    raise RecordError(f"its invocation cannot be read: {'; '.join(reply.problems)}")


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions with their answers, none of which needs another."""

    pairs: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        _check_some(self.pairs, "question")
        for question, answer in self.pairs:
            _check_text(question, "question")
            _check_text(answer, "answer")


@dataclass(frozen=True, slots=True)
class Captions:
    """Descriptions of the whole."""

    texts: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_some(self.texts, "caption")
        for text in self.texts:
            _check_text(text, "caption")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words and the boxes of what they mean, one at least."""

    text: str
    boxes: tuple[Box, ...]

    def __post_init__(self) -> None:
        _check_text(self.text, "phrase")
        _check_some(self.boxes, "box")
        for box in self.boxes:
            check_box(box)

    @property
    def hull(self) -> Box:
        """The box around all of them."""
        x_min, y_min, x_max, y_max = zip(*self.boxes, strict=True)
        return min(x_min), min(y_min), max(x_max), max(y_max)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A description and the phrases in it that have boxes."""

    text: str
    phrases: tuple[Phrase, ...]

    def __post_init__(self) -> None:
        _check_text(self.text, "sentence")
        _check_some(self.phrases, "phrase")


@dataclass(frozen=True, slots=True)
class Regions:
    """Phrases about an image, and sentences that join some of them."""

    phrases: tuple[Phrase, ...]
    sentences: tuple[Sentence, ...] = ()

    def __post_init__(self) -> None:
        _check_some(self.phrases, "phrase")


@dataclass(frozen=True, slots=True, eq=False)
class TrackedObject:
    """An object of a clip.

    Attributes:
        text: what it is; empty: nobody says.
        boxes: (T, 4), nan where it is not in the frame.
    """

    text: str
    boxes: Boxes


@dataclass(frozen=True, slots=True)
class Tracks:
    """The objects of a clip, with their boxes in every frame."""

    objects: tuple[TrackedObject, ...]

    def __post_init__(self) -> None:
        _check_some(self.objects, "object")


Annotation = Conversation | Questions | Captions | Regions | Tracks


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedMedia:
    """Images or a video, and what is annotated about them.

    Attributes:
        id: of its data set.
        media: image files, one a frame; or one video file.
    """

    id: str
    media: tuple[Media, ...]
    annotation: Annotation

    def __post_init__(self) -> None:
        _check_some(self.media, "image")
        if isinstance(self.annotation, Tracks):
            for one in self.annotation.objects:
                if len(one.boxes) != len(self.media):
                    raise RecordError(f"it has {len(self.media)} frames and {len(one.boxes)} boxes")


def check_box(box: Box) -> None:
    """Raises RecordError if a box is not inside the image, or has no area."""
    x_min, y_min, x_max, y_max = box
    if not (0 <= x_min < x_max <= 1 and 0 <= y_min < y_max <= 1):
        raise RecordError(f"{quoted(list(box))} is no box x_min, y_min, x_max, y_max in fractions of the image")


def fractions(boxes_xyxy: ArrayLike, width: int, height: int) -> Boxes:
    """Boxes in px as fractions, as far as they are inside the image; nan for less than a pixel of width or height.

    (..., 4). Annotations of people who leave the image end in such slivers.
    """
    inside = clip(boxes_xyxy, width, height)
    is_seen = (inside[..., 2:] - inside[..., :2] >= 1).all(axis=-1, keepdims=True)
    return np.asarray(np.where(is_seen, norm_from_xyxy(inside, width, height), np.nan))


def to_json(annotation: Annotation) -> dict[str, Any]:
    """An annotation in its form in JSON."""
    match annotation:
        case Conversation(turns, mark):
            said = [(who, value) for turn in turns for who, value in zip(("human", "gpt"), turn, strict=True)]
            spoken = {"conversations": [{"from": who, "value": value} for who, value in said]}
            return spoken if mark is None else {**spoken, "box": mark}
        case Questions(pairs):
            return {"questions": pairs}
        case Captions(texts):
            return {"captions": texts}
        case Regions(phrases, sentences):
            written = [{"text": one.text, "phrases": _phrases_to_json(one.phrases)} for one in sentences]
            return {"phrases": _phrases_to_json(phrases), "sentences": written}
        case Tracks(objects):
            return {"objects": [{"text": one.text, "boxes": _boxes_to_json(one.boxes)} for one in objects]}


def from_json(entry: Mapping[str, Any]) -> Annotation:
    """The annotation of an entry, in whichever form it has.

    Raises:
        RecordError: it has none of them, or what it says cannot be used.
    """
    try:
        return _read(entry)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise RecordError(f"it has no {error}" if isinstance(error, KeyError) else str(error)) from error


def _read(entry: Mapping[str, Any]) -> Annotation:
    if "conversations" in entry:
        return _conversation(entry["conversations"], entry.get("box"))
    if "questions" in entry:
        return Questions(tuple((question, answer) for question, answer in entry["questions"]))
    if "QA" in entry:
        if "start" in entry or "end" in entry:
            raise ValueError("it is about a part of its video, and whole videos are shown")
        asked = [(f"{one.get('i', '')} {one['q']}".strip(), one["a"]) for one in entry["QA"]]
        return Questions(tuple(asked))
    if "phrases" in entry:
        sentences = (Sentence(one["text"], _phrases(one["phrases"])) for one in entry.get("sentences", ()))
        return Regions(_phrases(entry["phrases"]), tuple(sentences))
    if "box" in entry:
        return Regions((Phrase(_text(entry["caption"]), (_box(entry["box"]),)),))
    if "objects" in entry:
        objects = (TrackedObject(one["text"], _track_boxes(one["boxes"])) for one in entry["objects"])
        return Tracks(tuple(objects))
    texts = entry["captions"] if "captions" in entry else [entry["caption"]]
    return Captions(tuple(_text(text) for text in texts))


def _conversation(said: list[Any], mark: Any) -> Conversation:
    turns = []
    for human, model in zip(said[::2], said[1::2], strict=True):
        if (human["from"], model["from"]) != ("human", "gpt"):
            raise ValueError("its turns do not alternate between human and gpt")
        question = human["value"].replace(IMAGE_SIGN, "").replace(VIDEO_SIGN, "").strip()
        turns.append((question, model["value"]))
    return Conversation(tuple(turns), None if mark is None else _box(mark))


def _phrases(given: list[Any]) -> tuple[Phrase, ...]:
    return tuple(Phrase(one["text"], tuple(_box(box) for box in one["boxes"])) for one in given)


def _box(values: Any) -> Box:
    x_min, y_min, x_max, y_max = (float(value) for value in values)
    return x_min, y_min, x_max, y_max


def _track_boxes(given: list[Any]) -> Boxes:
    boxes = [None if box is None else _box(box) for box in given]
    for box in boxes:
        if box is not None:
            check_box(box)
    return np.array([(np.nan,) * 4 if box is None else box for box in boxes]).reshape(-1, 4)


def _phrases_to_json(phrases: tuple[Phrase, ...]) -> list[dict[str, Any]]:
    return [{"text": phrase.text, "boxes": phrase.boxes} for phrase in phrases]


def _boxes_to_json(boxes: Boxes) -> list[list[float] | None]:
    return [None if np.isnan(box).any() else box.tolist() for box in boxes]


def _text(value: Any) -> str:
    _check_text(value, "caption")
    return str(value).strip()


def _check_text(value: Any, what: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise RecordError(f"its {what} is {quoted(value)}; it must be text")
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        raise RecordError(f"its {what} {quoted(value)} has half of a character; write it in UTF-8")


def _check_some(values: Iterable[Any], what: str) -> None:
    if not values:
        raise RecordError(f"it has no {what}")

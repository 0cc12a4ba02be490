"""Data sets in their official layouts, through the readers of `vitron_ros.evaluation.datasets`."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np

from training.annotations import (
    AnnotatedMedia,
    Captions,
    Phrase,
    Questions,
    Regions,
    Sentence,
    TrackedObject,
    Tracks,
    fractions,
)
from training.config import RecordsConfig
from training.errors import RecordError
from training.media import image_size
from training.sources.visual_genome import visual_genome
from vitron_ros.boxes import Boxes
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.evaluation.datasets.captions import Captioned, captioned_coco, read_msrvtt
from vitron_ros.evaluation.datasets.catalogue import Entries
from vitron_ros.evaluation.datasets.expression import Expression
from vitron_ros.evaluation.datasets.flickr30k import flickr30k_entries
from vitron_ros.evaluation.datasets.got10k import got10k_entries
from vitron_ros.evaluation.datasets.image_questions import OK_VQA_HOW, VQA_V2_HOW, coco_vqa_entries, gqa_entries
from vitron_ros.evaluation.datasets.lasot import lasot_entries
from vitron_ros.evaluation.datasets.mot import MultiObjectSequence, dancetrack_entries, mot_entries
from vitron_ros.evaluation.datasets.question import Question
from vitron_ros.evaluation.datasets.refcoco import refcoco_entries
from vitron_ros.evaluation.datasets.sequence import Sequence
from vitron_ros.evaluation.datasets.video_questions import (
    activitynet_qa_entries,
    msrvtt_qa_entries,
    msvd_qa_entries,
    tgif_qa_entries,
)
from vitron_ros.model.answers import Box

CACHED = 64  # sequences have thousands of lines of text; MOT16 has 7 of them for training, and DanceTrack 40
Found = TypeVar("Found")
Load = Callable[[], AnnotatedMedia]


@dataclass(frozen=True, slots=True)
class Layout:
    """An official layout.

    Attributes:
        title: of the data set, in print.
        splits: that may be trained on; the first is the default.
        open: the records of a split in a folder, each read when it is called; raises SourceError.
    """

    title: str
    splits: tuple[str, ...]
    open: Callable[[Path, str], list[Load]]


class LayoutFolder:
    """The records of a split."""

    def __init__(self, config: RecordsConfig) -> None:
        """
        Raises:
            ConfigError: there is no such split.
            SourceError: something is missing or damaged.
        """
        layout, root = LAYOUTS[config.reader], Path(config.path)
        split = config.split or layout.splits[0]
        if split not in layout.splits:
            raise ConfigError(f"split is {split!r}; {layout.title} is trained on {', '.join(layout.splits)}")
        self._loads = layout.open(root, split)
        self._load = lru_cache(maxsize=CACHED)(self._load_one)
        if not self._loads:
            raise SourceError(f"{root} holds no record of the split {split} of {layout.title}")

    def __len__(self) -> int:
        return len(self._loads)

    def __getitem__(self, index: int) -> AnnotatedMedia:
        """
        Raises:
            RecordError: the record cannot be used.
        """
        return self._load(index)

    def _load_one(self, index: int) -> AnnotatedMedia:
        try:
            return self._loads[index]()
        except SourceError as error:
            raise RecordError(str(error)) from error


def _sequences(entries: Callable[[Path, str], Entries[Sequence]], root: Path, split: str) -> list[Load]:
    return [partial(_sequence, read) for read in entries(root, split)]


def _sequence(read: Callable[[], Sequence]) -> AnnotatedMedia:
    sequence = read()
    if not sequence.has_truth:
        raise RecordError(f"the truth of {sequence.name} is with a server")
    text = sequence.language.strip() or sequence.category
    boxes = fractions(sequence.boxes_xyxy, *image_size(sequence.paths[0]))
    return AnnotatedMedia(id=sequence.name, media=sequence.paths, annotation=Tracks((TrackedObject(text, boxes),)))


def _multi_object(entries: Callable[[Path, str], Entries[MultiObjectSequence]], root: Path, split: str) -> list[Load]:
    return [partial(_objects, read) for read in entries(root, split)]


def _objects(read: Callable[[], MultiObjectSequence]) -> AnnotatedMedia:
    """A sequence with the objects that count in its evaluation; nobody says what they are."""
    sequence = read()
    if sequence.truth is None:
        raise RecordError(f"the truth of {sequence.name} is with a server")
    boxes: dict[int, Boxes] = defaultdict(lambda: np.full((len(sequence), 4), np.nan))
    for frame, true in enumerate(sequence.truth):
        for number in np.flatnonzero(true.counts):
            boxes[int(true.objects.ids[number])][frame] = true.objects.boxes_xyxy[number]
    objects = tuple(TrackedObject("", fractions(boxes[key], *sequence.size)) for key in sorted(boxes))
    return AnnotatedMedia(id=sequence.name, media=sequence.paths, annotation=Tracks(objects))


def _refcoco(name: str, split_by: str, root: Path, split: str) -> list[Load]:
    """One record an image: RefCOCO has two or three references in each."""
    read, broken = _read_all(refcoco_entries(name, split_by, root, split))
    by_image = defaultdict(list)
    for expression in (expression for expressions in read for expression in expressions):
        by_image[expression.image].append(expression)
    return [*(partial(_phrases, found) for found in by_image.values()), *broken]


def _phrases(expressions: list[Expression]) -> AnnotatedMedia:
    """An image with its expressions; those of one sentence stay together."""
    image = expressions[0].image
    size = expressions[0].size or image_size(image)
    phrases = {one.name: Phrase(one.text, _boxes(one, size)) for one in expressions}
    sentences = [
        Sentence(text, tuple(phrases[one.name] for one in group))
        for text, group in groupby(expressions, lambda one: one.sentence)
        if text
    ]
    return AnnotatedMedia(id=image.stem, media=(image,), annotation=Regions(tuple(phrases.values()), tuple(sentences)))


def _boxes(expression: Expression, size: tuple[int, int]) -> tuple[Box, ...]:
    boxes = fractions(expression.boxes_xyxy, *size)
    if np.isnan(boxes).any():
        raise RecordError(f"a box of {expression.text!r} is outside the image of {size[0]}x{size[1]}")
    return tuple((x_min, y_min, x_max, y_max) for x_min, y_min, x_max, y_max in boxes.tolist())


def _flickr30k(root: Path, split: str) -> list[Load]:
    return [partial(_described, read) for read in flickr30k_entries(root, split)]


def _described(read: Callable[[], list[Expression]]) -> AnnotatedMedia:
    if not (expressions := read()):
        raise RecordError("it has no phrase with a box")
    return _phrases(expressions)


def _questions(entries: Callable[[Path, str], Entries[Question]], root: Path, split: str) -> list[Load]:
    """One record an image or video, with all questions about it."""
    read, broken = _read_all(entries(root, split))
    by_media = defaultdict(list)
    for question in read:
        by_media[question.media].append(question)
    return [*(partial(_asked, media, found) for media, found in by_media.items()), *broken]


def _asked(media: Path, questions: list[Question]) -> AnnotatedMedia:
    pairs = tuple((question.text, _usual(question.answers)) for question in questions)
    return AnnotatedMedia(id=media.stem, media=(media,), annotation=Questions(pairs))


def _usual(answers: tuple[str, ...]) -> str:
    """The answer of most annotators, the first of them."""
    return max(answers, key=answers.count, default="")


def _captioned(read: Callable[[Path, str], list[Captioned]], root: Path, split: str) -> list[Load]:
    return [partial(_caption, found) for found in read(root, split)]


def _caption(found: Captioned) -> AnnotatedMedia:
    return AnnotatedMedia(id=found.name, media=(found.media,), annotation=Captions(found.captions))


def _read_all(entries: Iterable[Callable[[], Found]]) -> tuple[list[Found], list[Load]]:
    """What can be read, and of what cannot, its error again for whoever asks."""
    read: list[Found] = []
    broken: list[Load] = []
    for each in entries:
        try:
            read.append(each())
        except SourceError as error:
            broken.append(partial(_refuse, str(error)))
    return read, broken


def _refuse(reason: str) -> AnnotatedMedia:
    raise RecordError(reason)


_TRAIN_VAL = ("train", "val")
_COCO_2014 = ("train2014", "val2014")
LAYOUTS: dict[str, Layout] = {
    "refcoco": Layout("RefCOCO", _TRAIN_VAL, partial(_refcoco, "refcoco", "unc")),
    "refcoco+": Layout("RefCOCO+", _TRAIN_VAL, partial(_refcoco, "refcoco+", "unc")),
    "refcocog": Layout("RefCOCOg", _TRAIN_VAL, partial(_refcoco, "refcocog", "umd")),
    "flickr30k": Layout("Flickr30k Entities", _TRAIN_VAL, _flickr30k),
    "visual-genome": Layout("Visual Genome", ("train",), visual_genome),
    "lasot": Layout("LaSOT", ("train",), partial(_sequences, lasot_entries)),
    "got10k": Layout("GOT-10k", _TRAIN_VAL, partial(_sequences, got10k_entries)),
    "dancetrack": Layout("DanceTrack", _TRAIN_VAL, partial(_multi_object, dancetrack_entries)),
    "mot16": Layout("MOT16", ("train",), partial(_multi_object, mot_entries)),
    "vqa-v2": Layout("VQA v2", _COCO_2014, partial(_questions, partial(coco_vqa_entries, "v2_", VQA_V2_HOW))),
    "ok-vqa": Layout("OK-VQA", _COCO_2014, partial(_questions, partial(coco_vqa_entries, "", OK_VQA_HOW))),
    "gqa": Layout("GQA", _TRAIN_VAL, partial(_questions, gqa_entries)),
    "msvd-qa": Layout("MSVD-QA", _TRAIN_VAL, partial(_questions, msvd_qa_entries)),
    "msrvtt-qa": Layout("MSRVTT-QA", _TRAIN_VAL, partial(_questions, msrvtt_qa_entries)),
    "activitynet-qa": Layout("ActivityNet-QA", _TRAIN_VAL, partial(_questions, activitynet_qa_entries)),
    "tgif-qa": Layout("TGIF-QA, frames", ("train",), partial(_questions, partial(tgif_qa_entries, "frameqa"))),
    "coco-captions": Layout(
        "COCO captions", (*_COCO_2014, "train2017", "val2017"), partial(_captioned, captioned_coco)
    ),
    "msrvtt": Layout("MSR-VTT", ("train", "validate"), partial(_captioned, read_msrvtt)),
}

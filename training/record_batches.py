"""Batches of records: their frames, and questions about them.

A batch depends on the seed and its number alone. A record that cannot be used is left out of its batch, which names it.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import Dataset

from training.config import TrainConfig
from training.data import Batch, resized_square
from training.dense import unknown_targets
from training.errors import RecordError
from training.media import read_frames
from training.mixing import Mixture
from training.packing import Packer, PackSizes
from training.questions import MARKED_TASKS, Question
from training.records import Record, RecordTurn, Rng, draw_record
from training.sources import open_source
from vitron_ros.boxes import check_box, xyxy_from_norm
from vitron_ros.errors import ConfigError, RegionError
from vitron_ros.frame import Image
from vitron_ros.model.answers import grounded_text, one_box_text, track_text
from vitron_ros.model.config import ModelConfig
from vitron_ros.model.prompts import PromptBuilder, Turn
from vitron_ros.model.region import MarkedRegion
from vitron_ros.region import Region

TRACK_TASKS = ("rsot", "sot")


class RecordBatches(Dataset[Batch]):
    """The batches of a stage on records, by number."""

    def __init__(self, config: TrainConfig, model: ModelConfig, builder: PromptBuilder, tokens_per_region: int) -> None:
        """
        Raises:
            ConfigError: the model takes images that are not stretched to its square, or a set has no such split.
            SourceError: a set is missing or damaged.
        """
        if model.vision.fit != "stretch":
            raise ConfigError(f"{model.name} fits images by {model.vision.fit}; records need one that stretches them")
        self._config, self._vision, self._builder = config, model.vision, builder
        self._sizes = PackSizes(model.tokens_per_frame, tokens_per_region, model.language.max_positions)
        self._sources = [open_source(each) for each in config.records]
        self._mixture = Mixture(
            [each.share for each in config.records], [len(each) for each in self._sources], config.seed
        )

    def __getitem__(self, number: int) -> Batch:
        """A batch without any record that can be used is one black frame, of which nothing is asked."""
        count, packer, images, broken = self._config.records_per_batch, Packer(self._builder, self._sizes), [], []
        size, frames = self._vision.image_size, 0
        for place in range(number * count, (number + 1) * count):
            rng = np.random.Generator(np.random.PCG64([self._config.seed, place]))
            chosen = self._mixture[place]
            config = self._config.records[chosen.set]
            try:
                record = draw_record(self._sources[chosen.set][chosen.record], config, rng)
                shown = read_frames(record.media, record.frames)
                questions = self._questions(record, shown, rng)
            except RecordError as error:
                broken.append(f"record {chosen.record} of {config.path}: {error}")
                continue
            packer.add_clip(questions, frames)
            images += [resized_square(np.asarray(image)[None], size)[0] for image in shown]
            frames += len(shown)
        pixels = np.stack(images or [np.zeros((size, size, 3), np.uint8)])
        dense = unknown_targets(len(pixels), self._vision.num_patches)
        channels_first = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        return Batch(channels_first, dense, packer.packs() if images else None, tuple(broken), count)

    def _questions(self, record: Record, images: Sequence[Image], rng: Rng) -> list[Question]:
        """Raises RecordError where a question does not fit the context of the model."""
        questions = record_questions(
            record, images, self._builder, rng, takes_regions=self._sizes.tokens_per_region > 0
        )
        for question in questions:
            prompt = self._builder.build(question.turns)
            length = prompt.length(self._sizes.tokens_per_frame, self._sizes.tokens_per_region)
            length += 1 + len(self._builder.tokenizer.encode_answer(question.answer))
            if length > self._sizes.max_positions:
                raise RecordError(f"it takes {length} tokens, more than the {self._sizes.max_positions} of this model")
        return questions


def record_questions(
    record: Record, images: Sequence[Image], builder: PromptBuilder, rng: Rng, *, takes_regions: bool
) -> list[Question]:
    """A question for each turn of a record. In a conversation the turns before it are its history, and all images are
    in the first.

    Args:
        rng: draws the template, and whether a box is marked or written as text; where no template has a place for it,
            it is marked.

    Raises:
        RecordError: the model takes no regions, and a question needs one.
    """
    dialect = builder.profile.dialect
    history: tuple[Turn, ...] = ()
    found = []
    for said in record.turns:
        answer = said.answer
        if said.labels:
            answer = grounded_text(answer, dict(said.labels), dialect)
        elif not answer and said.task in TRACK_TASKS:
            answer = track_text(dict(enumerate(said.boxes, 1)), dialect)
        elif not answer:
            answer = one_box_text(said.boxes[0], dialect)
        turn = Turn(
            task=said.task,
            text=said.text,
            images=0 if history else record.frames,
            paraphrase=int(rng.integers(len(builder.profile.templates[said.task]))),
        )
        turn, regions = _marked(turn, said, images[0], rng, takes_regions=takes_regions)
        found.append(Question((*history, turn), regions, answer))
        if record.is_conversation:
            history = (*history, replace(turn, answer=answer))
    return found


def _marked(
    turn: Turn, said: RecordTurn, image: Image, rng: Rng, *, takes_regions: bool
) -> tuple[Turn, tuple[MarkedRegion, ...]]:
    if said.box is None:
        return turn, ()
    if said.task not in MARKED_TASKS and not takes_regions:
        raise RecordError(f"a question of {said.task} marks a region, and this model takes none")
    height, width = image.shape[:2]
    try:
        box_xyxy = check_box(xyxy_from_norm(np.array(said.box), width, height), width, height)
    except RegionError as error:
        raise RecordError(f"its marked box cannot be seen: {error}") from error
    if takes_regions and (said.task not in MARKED_TASKS or rng.random() < 0.5):
        marked = MarkedRegion(region=Region.from_box(box_xyxy), width=width, height=height)
        return replace(turn, regions=1), (marked,)
    return replace(turn, box=said.box), ()

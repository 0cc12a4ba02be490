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
from training.mixing import Mixture
from training.packing import Packer, PackSizes
from training.questions import MARKED_TASKS, Question
from training.records import Record, RecordSet, RecordTurn, Rng, read_frames
from vitron_ros.boxes import xyxy_from_norm
from vitron_ros.errors import ConfigError
from vitron_ros.frame import Image
from vitron_ros.model.answers import one_box_text, track_text
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
            ConfigError: a set cannot be read, or the model takes images that are not stretched to its square.
        """
        if model.vision.fit != "stretch":
            raise ConfigError(f"{model.name} fits images by {model.vision.fit}; records need one that stretches them")
        self._config, self._vision, self._builder = config, model.vision, builder
        self._sizes = PackSizes(model.tokens_per_frame, tokens_per_region, model.language.max_positions)
        self._sets = [RecordSet(each) for each in config.records]
        self._mixture = Mixture(
            [each.share for each in config.records], [len(each) for each in self._sets], config.seed
        )

    def __getitem__(self, number: int) -> Batch:
        """
        Raises:
            ConfigError: no record of the batch can be used.
        """
        count, packer, images, broken = self._config.records_per_batch, Packer(self._builder, self._sizes), [], []
        frames = 0
        for place in range(number * count, (number + 1) * count):
            rng = np.random.Generator(np.random.PCG64([self._config.seed, place]))
            chosen = self._mixture[place]
            try:
                record = self._sets[chosen.set].read(chosen.record, rng)
                shown = read_frames(record)
                questions = self._questions(record, shown, rng)
            except RecordError as error:
                broken.append(str(error))
                continue
            packer.add_clip(questions, frames)
            size = self._vision.image_size
            images += [resized_square(np.asarray(image)[None], size)[0] for image in shown]
            frames += len(shown)
        if not images:
            raise ConfigError(f"no record of batch {number} can be used; the first: {broken[0]}")
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
        dense = unknown_targets(frames, self._vision.num_patches)
        return Batch(pixels, dense, packer.packs(), tuple(broken))

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
                raise RecordError(
                    f"record {record.id!r} of {record.source} takes {length} tokens, more than the "
                    f"{self._sizes.max_positions} of this model"
                )
        return questions


def record_questions(
    record: Record, images: Sequence[Image], builder: PromptBuilder, rng: Rng, *, takes_regions: bool
) -> list[Question]:
    """A question for each turn of a record, with the turns before it as its history. All images are in the first turn.

    Args:
        rng: draws the template, and whether a box is marked or written as text.
    """
    dialect = builder.profile.dialect
    history: tuple[Turn, ...] = ()
    found = []
    for number, said in enumerate(record.turns):
        answer = said.answer
        if not answer and said.task in TRACK_TASKS:
            answer = track_text(dict(enumerate(said.boxes, 1)), dialect)
        elif not answer:
            answer = one_box_text(said.boxes[0], dialect)
        turn = Turn(
            task=said.task,
            text=said.text,
            images=0 if number else record.frames,
            paraphrase=int(rng.integers(len(builder.profile.templates[said.task]))),
        )
        turn, regions = _marked(turn, said, images[0], rng, takes_regions=takes_regions)
        found.append(Question((*history, turn), regions, answer))
        history = (*history, replace(turn, answer=answer))
    return found


def _marked(
    turn: Turn, said: RecordTurn, image: Image, rng: Rng, *, takes_regions: bool
) -> tuple[Turn, tuple[MarkedRegion, ...]]:
    if said.box is None:
        return turn, ()
    if said.task in MARKED_TASKS and takes_regions and rng.random() < 0.5:
        height, width = image.shape[:2]
        region = Region.from_box(xyxy_from_norm(np.array(said.box), width, height))
        return replace(turn, regions=1), (MarkedRegion(region=region, width=width, height=height),)
    return replace(turn, box=said.box), ()

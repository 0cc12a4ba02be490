"""Sequence packing: several questions about one clip in one sequence; each attends to the images and itself alone.

The vision encoder and the visual tokens, most of the cost, are then shared by all of them. A row is

    prefix (text and images) | question 1 and its answer | question 2 and its answer | ...

where every question's positions continue from the prefix, so that its logits are those of the question alone.
Shapes: R rows, S sequence, N patches of a frame, K tokens of a frame, P pointers.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from training.questions import Question, WorldQuestion
from vitron_ros.errors import ConfigError
from vitron_ros.model.prompts import ImageSegment, PromptBuilder, RegionSegment, Segment, TextSegment
from vitron_ros.model.region import MarkedRegion
from vitron_ros.model.vitron import VitronModel

IGNORE = -100
BOX = re.compile(r"\[\d+,\d+,\d+,\d+\]")
FRAME = re.compile(r"Frame (\d+): $")
CORRELATION = 0.8  # of the noise of successive boxes
OUTLIER_SCALE, OUTLIER_PROBABILITY = 4.0, 0.1  # standard deviation of rare large errors, in usual ones, and how rare
BoxNoise = Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""True boxes (B, 4), whole numbers 0..100, to noisy ones."""


@dataclass(frozen=True)
class PackSizes:
    """Sizes of a model: tokens per frame, tokens per region, and the longest context."""

    tokens_per_frame: int
    tokens_per_region: int
    max_positions: int


@dataclass(frozen=True, eq=False)
class PackedQuestions:
    """The packed questions of several clips.

    Attributes:
        token_ids: (R, S) int64; padding where there is an image or a region.
        visual: (R, S) int64, index into the batch's visual tokens, frame after frame; -1 elsewhere.
        region: (R, S) int64, index into the batch's region tokens; -1 elsewhere.
        segments: (R, S) int64, 0 prefix, 1, 2, ... the question; -1 padding.
        positions: (R, S) int64.
        labels: (R, S) int64, the next token; -100 where there is no loss.
        is_number: (R, S) bool, whether the label is a box coordinate in one token.
        pointers: (P, 3) int64, row, column and frame of the batch: this position refers to an object of that frame.
        pointer_targets: (P, N) float32, the share of each patch in the object; rows sum to 1.
        chain: (W, 5) int64, row, column and frame of the batch, index and count: an intermediate object of a multi-step
            reference, such as the first star on the way to the third one.
        chain_targets: (W, N) float32, as pointer_targets.
        absent: (A, 2) int64, row and column where an answer about an absent object begins.
        regions: marked regions, their frames counted in the batch.
    """

    token_ids: Tensor
    visual: Tensor
    region: Tensor
    segments: Tensor
    positions: Tensor
    labels: Tensor
    is_number: Tensor
    pointers: Tensor
    pointer_targets: Tensor
    chain: Tensor
    chain_targets: Tensor
    absent: Tensor
    regions: tuple[MarkedRegion, ...]

    def to(self, device: torch.device) -> "PackedQuestions":
        moved: dict[str, Any] = {
            name: value.to(device, non_blocking=True) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, **moved)

    @property
    def counts(self) -> dict[str, int]:
        """Positions of each loss that is a mean over them."""
        labels, numbers = int((self.labels != IGNORE).sum()), int(self.is_number.sum())
        return {"text": labels - numbers, "coordinate": numbers, "pointer": len(self.pointers)}


@dataclass
class _Row:
    token_ids: list[int] = field(default_factory=list)
    visual: list[int] = field(default_factory=list)
    region: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    is_number: list[bool] = field(default_factory=list)

    def add(self, segment: int, position: int, token: int = 0, visual: int = -1, region: int = -1) -> None:
        self.token_ids.append(token)
        self.visual.append(visual)
        self.region.append(region)
        self.segments.append(segment)
        self.positions.append(position)
        self.labels.append(IGNORE)
        self.is_number.append(False)


def no_questions(device: torch.device) -> PackedQuestions:
    """One visual token of which nothing is asked, which passes through all parts of a model."""
    one, none = torch.ones(1, 1, dtype=torch.long, device=device), torch.zeros(0, 0, device=device)
    return PackedQuestions(
        token_ids=0 * one,
        visual=0 * one,
        region=-one,
        segments=0 * one,
        positions=0 * one,
        labels=IGNORE * one,
        is_number=one < 0,
        pointers=one.new_zeros(0, 3),
        pointer_targets=none,
        chain=one.new_zeros(0, 5),
        chain_targets=none,
        absent=one.new_zeros(0, 2),
        regions=(),
    )


class Packer:
    """Collects the questions of a batch, clip by clip."""

    def __init__(self, builder: PromptBuilder, sizes: PackSizes) -> None:
        self._builder, self._sizes = builder, sizes
        # One token a number, or the numbers of boxes are text like any other.
        self._scale = builder.tokenizer.number_scale()
        self._rows: list[_Row] = []
        self._regions: list[MarkedRegion] = []
        self._pointers: list[tuple[int, int, int]] = []
        self._targets: list[NDArray[np.float32]] = []
        self._chain: list[tuple[int, int, int, int, int]] = []
        self._chain_targets: list[NDArray[np.float32]] = []
        self._absent: list[tuple[int, int]] = []

    def add_clip(
        self,
        questions: Iterable[Question],
        first_frame: int,
        shares: NDArray[np.float32] | None = None,
        box_noise: BoxNoise | None = None,
    ) -> None:
        """Adds questions about one clip, every one of them about all of its frames.

        Args:
            first_frame: place of the clip's first frame in the batch.
            shares: (T, objects, N), of each patch that an object covers; None: not known.
            box_noise: noise on the boxes of an answer where teacher forcing feeds them back; labels stay true.

        Raises:
            ConfigError: a question exceeds the context of the model.
        """
        rows: dict[tuple[Segment, ...], int] = {}
        for question in questions:
            segments = self._builder.build(question.turns).segments
            last = max(index for index, part in enumerate(segments) if isinstance(part, ImageSegment))
            prefix = segments[: last + 1]
            if prefix not in rows:
                rows[prefix] = len(self._rows)
                self._rows.append(_Row())
                self._write(self._rows[-1], prefix, 0, first_frame)
            self._add(rows[prefix], segments[last + 1 :], question, first_frame, shares, box_noise)

    def packs(self) -> PackedQuestions | None:
        """All that was added; None without any question."""
        if not self._rows:
            return None

        def padded(values: Sequence[Sequence[int]], fill: int, dtype: torch.dtype = torch.long) -> Tensor:
            rows = [torch.tensor(row, dtype=dtype) for row in values]
            return pad_sequence(rows, batch_first=True, padding_value=fill)

        rows = self._rows
        return PackedQuestions(
            token_ids=padded([row.token_ids for row in rows], self._builder.tokenizer.pad_id),
            visual=padded([row.visual for row in rows], -1),
            region=padded([row.region for row in rows], -1),
            segments=padded([row.segments for row in rows], -1),
            positions=padded([row.positions for row in rows], 0),
            labels=padded([row.labels for row in rows], IGNORE),
            is_number=padded([row.is_number for row in rows], False, torch.bool),
            pointers=torch.tensor(self._pointers, dtype=torch.long).reshape(-1, 3),
            pointer_targets=_stacked(self._targets),
            chain=torch.tensor(self._chain, dtype=torch.long).reshape(-1, 5),
            chain_targets=_stacked(self._chain_targets),
            absent=torch.tensor(self._absent, dtype=torch.long).reshape(-1, 2),
            regions=tuple(self._regions),
        )

    def _write(self, row: _Row, parts: Sequence[Segment], segment: int, first_frame: int) -> None:
        """Appends parts of a prompt to a row."""
        count, first_region = self._sizes.tokens_per_region, len(self._regions) * self._sizes.tokens_per_region
        place = _next_position(row, segment)
        for part in parts:
            start = len(row.token_ids)
            if isinstance(part, TextSegment):
                for token in part.token_ids:
                    row.add(segment, place + len(row.token_ids) - start, token=token)
            elif isinstance(part, ImageSegment):
                first = (first_frame + part.index) * self._sizes.tokens_per_frame
                for index in range(self._sizes.tokens_per_frame):
                    row.add(segment, place + index, visual=first + index)
            elif isinstance(part, RegionSegment):
                for index in range(count):
                    row.add(segment, place + index, region=first_region + part.index * count + index)
            place += len(row.token_ids) - start

    def _add(
        self,
        number: int,
        parts: Sequence[Segment],
        question: Question,
        first: int,
        shares: NDArray[np.float32] | None,
        box_noise: BoxNoise | None,
    ) -> None:
        row, tokenizer = self._rows[number], self._builder.tokenizer
        segment = row.segments[-1] + 1
        self._write(row, parts, segment, first)
        self._regions += [replace(region, frame=first + region.frame) for region in question.regions]
        begin = len(row.token_ids) - 1  # the prompt's last token, after which the answer begins
        answer = [*tokenizer.encode_answer(question.answer), tokenizer.eos_id]
        row.labels[begin] = answer[0]
        for index, token in enumerate(answer[:-1]):
            row.add(segment, row.positions[-1] + 1, token=token)
            row.labels[-1] = answer[index + 1]
        if row.positions[-1] >= self._sizes.max_positions:
            frames = sum(turn.images for turn in question.turns)
            raise ConfigError(
                f"a {question.turns[-1].task} over {frames} frames takes {row.positions[-1] + 1} tokens, more than the "
                f"{self._sizes.max_positions} of this model; show fewer frames"
            )
        boxes = [
            (begin + len(tokenizer.encode_answer(question.answer[: match.start() + 1])), match)
            for match in BOX.finditer(question.answer)
        ]
        # Columns whose label is a coordinate.
        numbers = [start + offset for start, _ in boxes for offset in (0, 2, 4, 6)] if self._scale else []
        for column in numbers:
            row.is_number[column] = True
        if box_noise is not None and numbers:
            true = np.array([self._scale.index(row.labels[column]) for column in numbers]).reshape(-1, 4)
            for column, value in zip(numbers, box_noise(true).ravel().tolist(), strict=True):
                row.token_ids[column + 1] = self._scale[value]
        if isinstance(question, WorldQuestion) and shares is not None:
            self._add_referents(number, begin, question, boxes, first, shares)

    def _add_referents(
        self,
        number: int,
        begin: int,
        question: WorldQuestion,
        boxes: Sequence[tuple[int, "re.Match[str]"]],
        first: int,
        shares: NDArray[np.float32],
    ) -> None:
        """Notes which positions of a question refer to which objects.

        Args:
            boxes: of the answer, each with the column of its first label.
        """
        sample, labels = question.sample, self._rows[number].labels
        if sample.absent:
            self._absent.append((number, begin))
        if sample.target is not None or sample.region is not None:
            referent = sample.target if sample.target is not None else sample.region
            seen = [frame for frame in range(len(shares)) if shares[frame, referent].any()]
            if seen:
                # In a description every word refers to the object; else the answer's first position does.
                in_words = not boxes
                for column in range(begin, len(labels) if in_words else begin + 1):
                    for frame in sorted({seen[0], seen[-1]}) if in_words else seen[:1]:
                        self._add_pointer(number, column, first + frame, shares[frame, referent])
                    self._add_chain(number, column, sample.chain, first, shares)
        if sample.target is None:
            return
        for order, (start, match) in enumerate(boxes):
            listed = FRAME.search(question.answer[: match.start()])
            frame = int(listed[1]) - 1 if listed else 0
            if shares[frame, sample.target].any():
                for offset in (0, 2, 4, 6) if self._scale else (0,):
                    self._add_pointer(number, start + offset, first + frame, shares[frame, sample.target])
                    if order == 0:  # further boxes continue from the first
                        self._add_chain(number, start + offset, sample.chain, first, shares)

    def _add_pointer(self, row: int, column: int, frame: int, share: NDArray[np.float32]) -> None:
        self._pointers.append((row, column, frame))
        self._targets.append(share / share.sum())

    def _add_chain(
        self, row: int, column: int, chain: Sequence[tuple[int, int]], first: int, shares: NDArray[np.float32]
    ) -> None:
        for index, (object_, frame) in enumerate(chain):
            share = shares[frame, object_]
            if share.any():
                self._chain.append((row, column, first + frame, index, len(chain)))
                self._chain_targets.append(share / share.sum())


def _stacked(shares: Sequence[NDArray[np.float32]]) -> Tensor:
    return torch.from_numpy(np.stack(shares)) if shares else torch.zeros(0, 0)


def add_box_noise(boxes: NDArray[np.int64], error: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """The boxes (B, 4) of one answer, whole numbers 0..100, with the errors of an uncertain model.

    The centre drifts (an AR(1) process with rare outliers), and the sides are noisy, too. Against exposure bias: with
    teacher forcing on true boxes alone, a model copies the last box, and its error with it, instead of using the frame.

    Args:
        error: largest standard deviation of the drift, in hundredths; that of an answer is uniform below it.
    """
    deviation = error * rng.random()
    outliers = OUTLIER_SCALE * (rng.random((len(boxes), 1)) < OUTLIER_PROBABILITY)
    steps = deviation * rng.normal(0.0, np.hypot(math.sqrt(1 - CORRELATION**2), outliers), (len(boxes), 2))
    moves = np.zeros((len(boxes), 2))
    move = np.zeros(2)
    for index, step in enumerate(steps):
        moves[index] = move = CORRELATION * move + step
    sides = rng.normal(0.0, deviation / 2, boxes.shape)
    return np.clip(np.rint(boxes + np.tile(moves, 2) + sides), 0, 100).astype(np.int64)


def _next_position(row: _Row, segment: int) -> int:
    """The position after a row's end, or after its prefix for a question that begins."""
    if row.segments and row.segments[-1] == segment:
        return row.positions[-1] + 1
    return row.segments.count(0)


def embed(model: VitronModel, packs: PackedQuestions, visual: Tensor, regions: Tensor | None) -> Tensor:
    """Embeddings (R, S, D) of packed questions.

    Args:
        visual: (frames, K, D) of the batch.
        regions: (regions, tokens a region, D) of the batch; None: there are none.
    """
    embeds = model.language.embed(packs.token_ids)
    for places, tokens in ((packs.visual, visual), (packs.region, regions)):
        if tokens is not None:
            flat = tokens.flatten(0, 1).to(embeds.dtype)
            embeds = torch.where((places >= 0)[..., None], flat[places.clamp(min=0)], embeds)
    return embeds

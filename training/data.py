"""Training batches, generated on the fly: clips of the worlds with packed questions and dense targets.

A batch depends on the seed and its number alone, not on which process makes it or where a run was resumed.
"""

import logging
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.config import ClipsConfig, TrainConfig
from training.dense import DenseTargets, dense_targets, patch_shares
from training.packing import PackedQuestions, Packer, PackSizes, add_box_noise
from training.questions import make_question
from training.worlds import Clip, Sample, Task, WorldConfig, draw_clutter, make_clip, make_pattern_grid, make_samples
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.model.config import ModelConfig, VisionConfig
from vitron_ros.model.preprocess import CLIP_MEAN, CLIP_STD
from vitron_ros.model.prompts import PromptBuilder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips with their targets.

    Attributes:
        images: (F, 3, S, S) uint8, the frames of all clips one after another.
        dense: targets of their patches.
        packs: questions about them; None: none.
        broken: what is wrong with each record that was left out.
        records: how many there would be with those; 0: it is of generated clips.
    """

    images: Tensor
    dense: DenseTargets
    packs: PackedQuestions | None
    broken: tuple[str, ...] = ()
    records: int = 0

    def to(self, device: torch.device) -> "Batch":
        packs = None if self.packs is None else self.packs.to(device)
        images = self.images.to(device, non_blocking=True)
        return replace(self, images=images, dense=self.dense.to(device), packs=packs)


WIDE_ASPECT = 4 / 3
CLUTTER_MARGIN = 1.3  # size of a cluttered background relative to the image, so that the camera can move over it
NAMED_BROKEN = 20  # broken records
BATCHES_BEFORE_DOUBT, MAX_BROKEN = 100, 0.05  # of all records
EMPTY_BATCHES = 10  # at the beginning, after which a run ends
DENSE_FIELDS = tuple(field.name for field in fields(DenseTargets))


def normalise(images: Tensor) -> Tensor:
    """Pixels (F, 3, S, S) float32 of rgb images uint8 that have the model's size already, as `pixels_from_images`.

    On the device, so that a quarter of the bytes travels between processes.
    """
    mean, std = (torch.tensor(values, device=images.device)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    return (images.float() / 255 - mean) / std


class Batches(Dataset[Batch]):
    """The batches of a stage by number."""

    def __init__(self, config: TrainConfig, model: ModelConfig, builder: PromptBuilder, tokens_per_region: int) -> None:
        self._config, self._vision, self._builder = config, model.vision, builder
        self._sizes = PackSizes(model.tokens_per_frame, tokens_per_region, model.language.max_positions)

    def __getitem__(self, number: int) -> Batch:
        return make_batch(self._config, self._vision, self._builder, self._sizes, number)


class _Loadable(Dataset["Batch | ConfigError"]):
    """Batches whose errors are values: raised in a worker, they would carry its whole traceback as their text."""

    def __init__(self, batches: Dataset[Batch]) -> None:
        self._batches = batches

    def __getitem__(self, number: int) -> "Batch | ConfigError":
        try:
            return self._batches[number]
        except ConfigError as error:
            return error


def make_batch(
    config: TrainConfig, vision: VisionConfig, builder: PromptBuilder, sizes: PackSizes, number: int
) -> Batch:
    """The batch of a number: clips of every group with their questions."""
    images, dense, packer, frames = [], [], Packer(builder, sizes), 0
    for place, kind in enumerate(config.clips):
        for index in range(kind.count):
            rng = np.random.Generator(np.random.PCG64([config.seed, number, place, index]))
            seed_of_clip = int(rng.integers(2**62))
            height = vision.image_size
            width = round(WIDE_ASPECT * height) if kind.wide and rng.random() < kind.wide else height
            clip = _make_clip(kind, seed_of_clip, (height, width), rng)
            shares = patch_shares(clip, vision.grid)
            # Questions about one frame of several belong to clips of one frame; here they would see all of them.
            samples = _make_samples(clip, kind) if kind.tasks else []
            questions = [
                make_question(clip, sample, builder.profile, rng, takes_regions=sizes.tokens_per_region > 0)
                for sample in samples
                if len(sample.frames) == kind.frames
            ]
            box_noise = partial(add_box_noise, error=kind.box_noise, rng=rng) if kind.box_noise else None
            packer.add_clip([question for question in questions if question], frames, shares, box_noise)
            images.append(torch.from_numpy(resized_square(clip.frames, height)).permute(0, 3, 1, 2))
            dense.append(dense_targets(clip, shares))
            frames += len(clip.frames)
    joined = (torch.cat([getattr(d, name) for d in dense]) for name in DENSE_FIELDS)
    return Batch(torch.cat(images).contiguous(), DenseTargets(*joined), packer.packs())


def _make_clip(kind: ClipsConfig, seed: int, size: tuple[int, int], rng: np.random.Generator) -> Clip:
    """A clip of (height, width) px of a kind."""
    if kind.pattern_grid:
        return make_pattern_grid(seed, size)
    background = None
    if kind.cluttered and rng.random() < kind.cluttered:
        height, width = (round(CLUTTER_MARGIN * side) for side in size)
        background = [draw_clutter(width, height, rng)]
    default = WorldConfig()
    config = replace(default, out_of_view=kind.disappearance, post=max(default.post, kind.disappearance))
    return make_clip(seed, frames=kind.frames, size=size, config=config, background=background)


def _make_samples(clip: Clip, kind: ClipsConfig) -> list[Sample]:
    tasks = cast("tuple[Task, ...]", kind.tasks)
    return make_samples(clip, clip.seed, per_task=kind.per_task, tasks=tasks, relational=kind.relational)


def resized_square(frames: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Frames (T, H, W, 3) resized to squares of that size, as `pixels_from_images` does."""
    if frames.shape[1:3] == (size, size):
        return frames
    return np.stack([cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA) for frame in frames])


def load_batches(batches: Dataset[Batch], numbers: range, workers: int) -> Iterator[Batch]:
    """The batches of these numbers, in order, made by worker processes or (0) by this one.

    Raises:
        ConfigError: a question does not fit the model.
        SourceError: too many records cannot be used.
    """
    broken = BrokenRecords()
    options: dict[str, Any] = {}
    if workers:
        # Batches cannot be pickled, and a fork shares the memory of their sources.
        options = {"prefetch_factor": 2, "worker_init_fn": _start_worker, "multiprocessing_context": "fork"}
        # Every tensor of a queued batch is an open file; many workers exceed the usual limit of 1024.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loader: DataLoader[Batch | ConfigError] = DataLoader(
        _Loadable(batches),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        collate_fn=_same,
        **options,
    )
    for batch in loader:
        if isinstance(batch, ConfigError):
            raise batch
        broken.add(batch.broken, records=batch.records, is_empty=batch.packs is None)
        yield batch
    broken.report()


class BrokenRecords:
    """Counts records that were left out of batches. The first of them are named in the log."""

    def __init__(self) -> None:
        self._count = self._batches = self._records = self._empty = 0

    def add(self, reasons: Sequence[str], *, records: int, is_empty: bool) -> None:
        """Notes those of a batch.

        Args:
            records: of the batch, with those.
            is_empty: whether nothing is left of it.

        Raises:
            SourceError: all of the first ten batches are empty, or after a hundred one record in twenty is broken.
        """
        for reason in reasons[: max(0, NAMED_BROKEN - self._count)]:
            logger.warning("left out: %s", reason)
        self._count += len(reasons)
        self._batches += 1
        self._records += records
        self._empty += bool(reasons) and is_empty
        if self._empty == self._batches == EMPTY_BATCHES:
            raise SourceError(f"no record of the first {EMPTY_BATCHES} batches can be used; the last: {reasons[-1]}")
        if reasons and self._batches >= BATCHES_BEFORE_DOUBT and self._count > MAX_BROKEN * self._records:
            raise SourceError(
                f"{self._count} of {self._records} records cannot be used, the last of them: {reasons[-1]}; "
                "mend the data, or take the set out"
            )

    def report(self) -> None:
        """Says at the end how many there were."""
        if self._count:
            logger.warning("%d records of %d batches were left out", self._count, self._batches)


def _same(batch: Any) -> Any:
    return batch


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)  # one process a core is enough

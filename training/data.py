"""Training batches, drawn on the fly: worlds to packed questions and dense targets.

A batch depends on the seed and its number alone, not on which process makes it or where a run was resumed.
"""

import resource
from collections.abc import Iterator
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
from training.packing import Packer, Packs, PackSizes, misread_boxes
from training.questions import word_question
from training.worlds import Clip, Sample, Task, WorldConfig, draw_clutter, make_clip, make_close_up, make_samples
from vitron_ros.errors import ConfigError
from vitron_ros.model.config import ModelConfig, VisionConfig
from vitron_ros.model.preprocess import CLIP_MEAN, CLIP_STD
from vitron_ros.model.prompts import PromptBuilder


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips and what is asked about them.

    Attributes:
        images: (F, 3, S, S) uint8, the frames of all clips one after another.
        dense: what their patches show.
        packs: questions about them; None: none are asked.
    """

    images: Tensor
    dense: DenseTargets
    packs: Packs | None

    def to(self, device: torch.device) -> "Batch":
        packs = None if self.packs is None else self.packs.to(device)
        return Batch(self.images.to(device, non_blocking=True), self.dense.to(device), packs)


WIDE = 4 / 3
CLUTTER_MARGIN = 1.3  # sides of a cluttered background in sides of the image, which sees its middle or moves over it
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

    def __len__(self) -> int:
        return self._config.steps * self._config.accumulation

    def __getitem__(self, number: int) -> Batch:
        return make_batch(self._config, self._vision, self._builder, self._sizes, number)


class _Loadable(Dataset["Batch | ConfigError"]):
    """Batches whose errors are values: raised in a worker, they would come with its whole traceback as their text."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __getitem__(self, number: int) -> "Batch | ConfigError":
        try:
            return self._batches[number]
        except ConfigError as error:
            return error


def make_batch(
    config: TrainConfig, vision: VisionConfig, builder: PromptBuilder, sizes: PackSizes, number: int
) -> Batch:
    """The batch of a number: clips of every kind with their questions."""
    images, dense, packer, frames = [], [], Packer(builder, sizes), 0
    for place, kind in enumerate(config.clips):
        for index in range(kind.count):
            rng = np.random.Generator(np.random.PCG64([config.seed, number, place, index]))
            seed_of_clip = int(rng.integers(2**62))
            height = vision.image_size
            width = round(WIDE * height) if kind.wide and rng.random() < kind.wide else height
            clip = _make_clip(kind, seed_of_clip, (height, width), rng)
            shares = patch_shares(clip, vision.grid)
            # Questions about one frame of several belong to clips of one frame; here they would see all of them.
            samples = _make_samples(clip, kind) if kind.tasks else []
            worded = [
                word_question(clip, sample, builder.profile, rng, takes_regions=sizes.tokens_per_region > 0)
                for sample in samples
                if len(sample.frames) == kind.frames
            ]
            misread = partial(misread_boxes, error=kind.misread, rng=rng) if kind.misread else None
            packer.add_clip([question for question in worded if question], frames, shares, misread)
            images.append(torch.from_numpy(stretched(clip.frames, height)).permute(0, 3, 1, 2))
            dense.append(dense_targets(clip, shares))
            frames += len(clip.frames)
    joined = (torch.cat([getattr(d, name) for d in dense]) for name in DENSE_FIELDS)
    return Batch(torch.cat(images).contiguous(), DenseTargets(*joined), packer.packs())


def _make_clip(kind: ClipsConfig, seed: int, size: tuple[int, int], rng: np.random.Generator) -> Clip:
    """A clip of (height, width) px of a kind."""
    if kind.close_up:
        return make_close_up(seed, size)
    background = None
    if kind.cluttered and rng.random() < kind.cluttered:
        height, width = (round(CLUTTER_MARGIN * side) for side in size)
        background = [draw_clutter(width, height, rng)]
    usual = WorldConfig()
    config = replace(usual, comings=kind.eventful, post=max(usual.post, kind.eventful))
    return make_clip(seed, frames=kind.frames, size=size, config=config, background=background)


def _make_samples(clip: Clip, kind: ClipsConfig) -> list[Sample]:
    tasks = cast("tuple[Task, ...]", kind.tasks)
    return make_samples(clip, clip.seed, per_task=kind.per_task, tasks=tasks, comparing=kind.comparing)


def stretched(frames: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Frames (T, H, W, 3) as squares of that size, as `pixels_from_images` fits them."""
    if frames.shape[1:3] == (size, size):
        return frames
    return np.stack([cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA) for frame in frames])


def load_batches(batches: Batches, first: int, workers: int) -> Iterator[Batch]:
    """Batches from number `first` on, in order, made by worker processes or (0) by this one.

    Raises:
        ConfigError: a question does not fit the model.
    """
    options: dict[str, Any] = {}
    if workers:
        options = {"prefetch_factor": 2, "worker_init_fn": _start_worker}
        # Every tensor of a batch that waits is an open file; many workers exceed the usual 1024.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loader: DataLoader[Batch | ConfigError] = DataLoader(
        _Loadable(batches),
        batch_size=None,
        sampler=range(first, len(batches)),
        num_workers=workers,
        collate_fn=_same,
        **options,
    )
    for batch in loader:
        if isinstance(batch, ConfigError):
            raise batch
        yield batch


def _same(batch: Any) -> Any:
    return batch


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)  # one process a core is enough

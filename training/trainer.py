"""One trainer for all stages, in one process or in many; resumes to the step."""

import logging
import math
import os
import time
from pathlib import Path
from typing import Any, cast

import torch
from torch.nn import BatchNorm2d
from torch.utils.data import Dataset
from tqdm import tqdm

from training.adapters import add_adapters
from training.checkpointing import (
    CheckpointWriter,
    checkpoints,
    find_start,
    latest,
    read_record,
    remove_unfinished,
    restore,
    restore_heads,
    step_of,
)
from training.config import TrainConfig
from training.data import Batch, Batches, load_batches
from training.distributed import join, whole
from training.errors import DamagedError, TrainingError
from training.gradient_coverage import GradientCoverage, check_gradient_coverage, reached_groups
from training.log import TrainingLog
from training.optimizers import Optimizers
from training.placement import place
from training.record_batches import RecordBatches
from training.run_record import environment, plain
from training.start import load_start
from training.throughput import Throughput
from training.training_module import TERM_NAMES, Losses, TrainingModule, loss_counts
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.model.region import RegionEncoder
from vitron_ros.recordings.output import make_folder

PATIENCE = 100  # steps without a gradient

logger = logging.getLogger(__name__)


class Trainer:
    """Runs one stage, from its newest checkpoint that is whole if it has one.

    `stop` may be set at any time, by a signal handler too: the run then ends after its step, with a checkpoint.
    """

    def __init__(self, config: TrainConfig, device: str | None = None) -> None:
        """
        Raises:
            ConfigError: the stage cannot start or trains nothing, or its directory holds a run of another config.
            ModelError: the device is not there, or the model to start from cannot be loaded.
            DamagedError: every checkpoint of the run is damaged.
            SourceError: the directory cannot be written to.
        """
        self.config = config
        self.world = join(device, config.shards)
        self.stop = False
        self.batches_per_step = config.batches_per_step(self.world.size)
        if self.world.mesh is not None and config.optimizer == "muon":
            raise ConfigError("optimizer is muon, which takes one process; start one, or choose adamw")
        self.out = Path(config.out)
        make_folder(self.out)
        if not os.access(self.out, os.W_OK):
            raise SourceError(f"{self.out} cannot be written to; choose another out")
        if self.world.is_first:
            remove_unfinished(self.out)
        saved = checkpoints(self.out)
        for path in saved:
            damage: DamagedError | None = None
            try:
                self._build(path)
            except DamagedError as error:
                damage = error
            if not self.world.any(damage is not None):
                return
            logger.warning("%s; falling back to the checkpoint before it", damage or f"{path} is damaged elsewhere")
        if saved:
            raise DamagedError(f"no checkpoint in {self.out} is whole; remove them to restart the stage")
        self._build(None)

    def _build(self, resumed: Path | None) -> None:
        """Model, optimisers and counters at the step of a checkpoint; None: before the first step."""
        config, is_sharded = self.config, self.world.mesh is not None
        self.checkpoint, weights, self.previous_stages = load_start(config, resumed, sharded=is_sharded)
        model = self.checkpoint.model.config
        check_gradient_coverage(config, model)
        frames = config.max_frames
        most = min(model.max_frames, (model.language.max_positions - 1) // model.tokens_per_frame)
        if frames > most:
            raise ConfigError(f"clips have {frames} frames; the model {model.name} takes {most} at most")
        if config.lora_rank:
            add_adapters(self.checkpoint.model, config.lora_rank, config.lora_dropout)
        torch.manual_seed(config.seed)  # of the auxiliary heads
        self.module = TrainingModule(self.checkpoint.model, self.checkpoint.tokenizer, config)
        self.module.freeze_all_but(set(config.trainable) & reached_groups(config, model))
        self.uses_bfloat16 = config.precision == "bfloat16" or (
            config.precision == "auto" and has_fast_bfloat16(self.world.device)
        )
        place(self.module, config, self.world, weights, bfloat16=self.uses_bfloat16)
        self.module.train()
        if is_sharded and any(isinstance(part, BatchNorm2d) and part.training for part in self.module.modules()):
            raise ConfigError("batch norms are trained, which takes one process; start one")
        self.optimizers = Optimizers(self.module, config)
        self.coverage = GradientCoverage(self.optimizers.weights, config, model)
        self.step = self._first = 0
        self.seconds = 0.0
        if resumed is not None:
            restore(resumed, self.module, self.optimizers)
            self.step = self._first = step_of(resumed)
            stage = read_record(resumed)["stages"][-1]
            self._check_same_steps(stage.get("batches_per_step", self.batches_per_step))
            self.seconds = stage["seconds"]
            logger.info("resuming at %s", resumed)
        elif config.start:
            restore_heads(find_start(config.start), self.module)

    def _check_same_steps(self, before: int) -> None:
        if before != self.batches_per_step:
            raise ConfigError(
                f"{self.out} has steps of {before} batches, and {self.batches_per_step} would follow: where "
                f"global_batch is 0 each process adds one; start {before} processes, or another out with a global_batch"
            )

    def run(self, minutes: float | None = None) -> Path:
        """Trains to the last step, or until the time is up; gives the directory of the last checkpoint.

        Raises:
            TrainingError: the loss is not a number, or no trainable weight got a gradient.
            SourceError: the disk is full.
        """
        config, world, begin, already = self.config, self.world, time.monotonic(), self.seconds
        stream = load_batches(self._batches(), self._numbers(), config.workers)
        if config.warmup_steps >= config.steps:
            logger.warning(
                "warmup_steps is %d and there are %d steps: the learning rate never reaches its peak",
                config.warmup_steps, config.steps,
            )  # fmt: skip
        log = TrainingLog(self.out, self.step, tensorboard=config.tensorboard) if world.is_first else None
        throughput = Throughput(config, self.checkpoint.model.config, world.device)
        writer = CheckpointWriter(self.out, self.checkpoint, self.module, self.optimizers, world)
        with tqdm(total=config.steps, initial=self.step, desc=config.name, disable=None if log else True) as bar:
            while self.step < config.steps:
                asked = time.monotonic()
                batches = [next(stream) for _ in range(self.batches_per_step // world.size)]
                throughput.waited(time.monotonic() - asked)
                terms = self._update(batches)
                for batch in batches:
                    throughput.add(batch)
                self.step += 1
                self.seconds = already + time.monotonic() - begin
                bar.update()
                if log is not None:
                    log.add(terms)
                    if self.step % config.log_every == 0 or self.step == config.steps:
                        log.add(throughput.read())
                        means = log.write(self.step, self.seconds, self._rate(self.step - 1))
                        bar.set_postfix({name: f"{value:.3f}" for name, value in means.items()})
                is_late = minutes is not None and time.monotonic() - begin > 60 * minutes
                is_over = world.any(self.stop or (is_late and world.is_first)) or self.step == config.steps
                if is_over or self.step % config.save_every == 0:
                    if log is not None:
                        log.flush()
                    self._check_learning()
                    writer.write(self.step, self._record(log.last if log else {}), is_last=is_over)
                if is_over:
                    break
        if log is not None:
            log.close()
        written = writer.wait() or latest(self.out)
        assert written is not None
        return written

    def _batches(self) -> Dataset[Batch]:
        region = self.checkpoint.model.region
        tokens_per_region = 0 if region is None else cast(RegionEncoder, region).tokens_per_region
        batches = RecordBatches if self.config.records else Batches
        return batches(self.config, self.checkpoint.model.config, self.checkpoint.prompts, tokens_per_region)

    def _numbers(self) -> range:
        """Numbers of this process's batches, so that any number of processes trains a step on the same ones."""
        last = self.config.steps * self.batches_per_step
        return range(self.step * self.batches_per_step + self.world.rank, last, self.world.size)

    def _update(self, batches: list[Batch]) -> dict[str, float]:
        """One optimiser step; gives the losses of all processes' batches.

        Raises:
            TrainingError: the loss or its gradient is not finite.
        """
        config, world = self.config, self.world
        counts = loss_counts(batches)
        if world.size > 1:
            counts = dict(zip(counts, world.total(torch.tensor([*counts.values()])).tolist(), strict=True))
        sums = dict.fromkeys(("loss", *TERM_NAMES), torch.zeros((), device=world.device))
        found = set()
        for number, batch in zip(self._numbers(), batches, strict=False):
            # Noise of the batch alone: a resumed run draws the same without any saved state.
            torch.manual_seed(config.seed * 1_000_003 + number)
            losses = self._losses(batch, counts)
            if losses.total.requires_grad:  # not where a batch has no loss for what is trained
                torch.autograd.backward(losses.total * world.size)  # of which sharding takes the mean
            for name, value in {"loss": losses.total.detach(), **losses.terms}.items():
                sums[name] = sums[name] + value
                found.add(name)
        values = world.total(torch.stack([*sums.values()])).tolist()
        terms = {name: value for name, value in zip(sums, values, strict=True) if name in found or value}
        norm = float(whole(torch.nn.utils.clip_grad_norm_(self.optimizers.weights.values(), config.max_grad_norm)))
        for what, size in (("loss", terms["loss"]), ("gradient", norm)):
            if not math.isfinite(size):
                raise TrainingError(
                    f"the {what} of step {self.step + 1} is {size}; begin in another out with a learning_rate below "
                    f"{config.learning_rate:g}"
                )
        self.coverage.update()
        self.optimizers.step(self._rate(self.step))
        return {**terms, "grad_norm": norm}

    def _check_learning(self) -> None:
        """Warns of groups that got no gradient since the run began; raises TrainingError if none did.

        Not before its end or many steps: a batch may have no loss for a group.
        """
        steps = self.step - self._first
        if self.step == self.config.steps or steps >= PATIENCE:
            self.coverage.check(steps, self.world)

    def _losses(self, batch: Batch, counts: dict[str, int] | None = None) -> Losses:
        # Where state is sharded, weights are gathered in bfloat16 instead.
        enabled = self.uses_bfloat16 and self.world.mesh is None
        with torch.autocast(self.world.device.type, torch.bfloat16, enabled=enabled):
            losses: Losses = self.module(batch.to(self.world.device), counts)
        return losses

    def _rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0: linear warm-up, then a cosine."""
        config = self.config
        if step < config.warmup_steps:
            return config.learning_rate * (step + 1) / config.warmup_steps
        done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
        share = config.min_lr_ratio + (1 - config.min_lr_ratio) * 0.5 * (1 + math.cos(math.pi * done))
        return config.learning_rate * share

    def _record(self, terms: dict[str, float]) -> dict[str, Any]:
        run = {"config": plain(self.config.to_dict()), "step": self.step, "seconds": round(self.seconds, 1)}
        run |= {"batches_per_step": self.batches_per_step}
        where = environment(self.world.device, self.world.size)
        return {"stages": [*self.previous_stages, {**run, **where, "losses": terms}]}


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether matrix products are faster in bfloat16: on GPUs, and on CPUs with AMX. On others they are slower."""
    return device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_amx_tile_supported())

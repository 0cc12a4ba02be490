"""One trainer for all stages. Plain torch: one process, one device; resumes to the step."""

import csv
import logging
import math
import os
import platform
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, cast

import torch
from tqdm import tqdm

from training.adapters import add_adapters
from training.averaging import load_mean
from training.checkpointing import (
    checkpoints,
    find_start,
    latest,
    read_record,
    remove_unfinished,
    restore,
    restore_heads,
    save,
    step_of,
)
from training.config import TrainConfig
from training.data import Batch, Batches, load_batches
from training.errors import DamagedError, TrainingError
from training.gradient_coverage import check_gradient_coverage, reached_groups, trainable_groups
from training.optimizers import Optimizers
from training.tiny import new_checkpoint
from training.training_module import Losses, TrainingModule, group_of
from vitron_ros.errors import ConfigError, ModelError, SourceError
from vitron_ros.model.checkpoint import Checkpoint, load_checkpoint
from vitron_ros.model.device import find_device
from vitron_ros.model.region import RegionEncoder
from vitron_ros.recordings.output import make_folder

LOG = "log.csv"
PATIENCE = 100  # steps without a gradient
CHANGEABLE = ("workers", "save_every", "log_every")  # on resuming

logger = logging.getLogger(__name__)


class Trainer:
    """Runs one stage, from its newest checkpoint that is whole if it has one."""

    def __init__(self, config: TrainConfig, device: str | None = None) -> None:
        """
        Raises:
            ConfigError: the stage cannot start or trains nothing, or its directory holds a run of another config.
            ModelError: the device is not there, or the model to start from cannot be loaded.
            DamagedError: every checkpoint of the run is damaged.
            SourceError: the directory cannot be written to.
        """
        self.config = config
        self.device = find_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.out = Path(config.out)
        make_folder(self.out)
        if not os.access(self.out, os.W_OK):
            raise SourceError(f"{self.out} cannot be written to; choose another out")
        remove_unfinished(self.out)
        saved = checkpoints(self.out)
        for path in saved:
            try:
                self._build(path)
                return
            except DamagedError as error:
                logger.warning("%s; falling back to the checkpoint before it", error)
        if saved:
            raise DamagedError(f"no checkpoint in {self.out} is whole; remove them to restart the stage")
        self._build(None)

    def _build(self, resumed: Path | None) -> None:
        """Model, optimisers and counters at the step of a checkpoint; None: before the first step."""
        config = self.config
        self.checkpoint, self.previous_stages = self._load(resumed)
        model = self.checkpoint.model.config
        check_gradient_coverage(config, model)
        frames = max(clips.frames for clips in config.clips)
        most = min(model.max_frames, (model.language.max_positions - 1) // model.tokens_per_frame)
        if frames > most:
            raise ConfigError(f"clips have {frames} frames; the model {model.name} takes {most} at most")
        if config.lora_rank:
            torch.manual_seed(config.seed)
            add_adapters(self.checkpoint.model, config.lora_rank)
        torch.manual_seed(config.seed)  # of the auxiliary heads
        self.module = TrainingModule(self.checkpoint.model, self.checkpoint.tokenizer, config).to(self.device)
        self.module.freeze_all_but(config.trainable)
        self.module.train()
        self.use_bfloat16 = has_fast_bfloat16(self.device)
        self.optimizers = Optimizers(self.module, config)
        self.step = self._first = 0
        self.seconds = 0.0
        self._unreached = {
            group: [
                weight
                for name, weight in self.module.named_parameters()
                if weight.requires_grad and group_of(name.removeprefix("model.")) == group
            ]
            for group in trainable_groups(config) & reached_groups(config, model)
        }
        self._is_stuck = True
        if resumed is not None:
            restore(resumed, self.module, self.optimizers)
            self.step = self._first = step_of(resumed)
            self.seconds = read_record(resumed)["stages"][-1]["seconds"]
            logger.info("resuming at %s", resumed)
        elif config.start:
            restore_heads(find_start(config.start), self.module)

    def run(self, minutes: float | None = None) -> Path:
        """Trains to the last step, or until the time is up; gives the directory of the last checkpoint.

        Raises:
            TrainingError: the loss is not a number, or no trainable weight got a gradient.
            SourceError: the disk is full.
        """
        config, begin = self.config, time.monotonic()
        already = self.seconds
        region = self.checkpoint.model.region
        tokens_per_region = 0 if region is None else cast(RegionEncoder, region).tokens_per_region
        batches = Batches(config, self.checkpoint.model.config, self.checkpoint.prompts, tokens_per_region)
        stream = load_batches(batches, self.step * config.gradient_accumulation, config.workers)
        if config.warmup_steps >= config.steps:
            logger.warning(
                "warmup_steps is %d and there are %d steps: the learning rate never reaches its peak",
                config.warmup_steps, config.steps,
            )  # fmt: skip
        log = _TrainingLog(self.out / LOG, self.step)
        written = latest(self.out)
        with tqdm(total=config.steps, initial=self.step, desc=config.name, disable=None) as bar:
            while self.step < config.steps:
                terms = self._update([next(stream) for _ in range(config.gradient_accumulation)])
                self.step += 1
                self.seconds = already + time.monotonic() - begin
                bar.update()
                log.add(terms)
                if self.step % config.log_every == 0 or self.step == config.steps:
                    terms = log.write(self.step, self.seconds, self._rate(self.step - 1))
                    bar.set_postfix({name: f"{value:.3f}" for name, value in terms.items()})
                is_over = self.step == config.steps or (minutes is not None and time.monotonic() - begin > 60 * minutes)
                if is_over or self.step % config.save_every == 0:
                    log.flush()
                    self._check_learning()
                    written = save(
                        self.out, self.step, self.checkpoint, self.module, self.optimizers, self._record(log.last)
                    )
                if is_over:
                    break
        assert written is not None
        return written

    def _update(self, batches: list[Batch]) -> dict[str, float]:
        """One optimiser step; gives the mean losses.

        Raises:
            TrainingError: the loss or its gradient is not finite.
        """
        config = self.config
        # Noise of the step alone: a resumed run draws the same without any saved state.
        torch.manual_seed(config.seed * 1_000_003 + self.step)
        sums: dict[str, float] = defaultdict(float)
        for batch in batches:
            losses = self._losses(batch)
            if losses.total.requires_grad:  # not where a batch has no loss for what is trained
                torch.autograd.backward(losses.total / len(batches))
            for name, value in {"loss": losses.total.detach(), **losses.terms}.items():
                sums[name] += float(value) / len(batches)
        norm = float(torch.nn.utils.clip_grad_norm_(self.module.parameters(), config.max_grad_norm))
        for what, size in (("loss", sums["loss"]), ("gradient", norm)):
            if not math.isfinite(size):
                raise TrainingError(
                    f"the {what} of step {self.step + 1} is {size}; begin in another out with a learning_rate below "
                    f"{config.learning_rate:g}"
                )
        for group in [group for group, weights in self._unreached.items() if any(map(_has_gradient, weights))]:
            del self._unreached[group]
            self._is_stuck = False
        self.optimizers.step(self._rate(self.step))
        return {**sums, "grad_norm": norm}

    def _check_learning(self) -> None:
        """Warns of groups that got no gradient since the run began; raises TrainingError if none did.

        Not before its end or many steps: a batch may have no loss for a group.
        """
        if self.step < self.config.steps and self.step - self._first < PATIENCE:
            return
        names = ", ".join(sorted(self._unreached))
        if self._is_stuck:
            raise TrainingError(f"nothing was trained in {self.step - self._first} steps: no gradient reached {names}")
        if names:
            logger.warning("no gradient has reached %s in %d steps", names, self.step - self._first)
            self._unreached.clear()

    def _losses(self, batch: Batch) -> Losses:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.use_bfloat16):
            losses: Losses = self.module(batch.to(self.device))
        return losses

    def _rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0: linear warm-up, then a cosine."""
        config = self.config
        if step < config.warmup_steps:
            return config.learning_rate * (step + 1) / config.warmup_steps
        done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
        share = config.min_lr_ratio + (1 - config.min_lr_ratio) * 0.5 * (1 + math.cos(math.pi * done))
        return config.learning_rate * share

    def _load(self, resumed: Path | None) -> tuple[Checkpoint, list[dict[str, Any]]]:
        """The model to start from, and the records of the stages before this one."""
        config = self.config
        if resumed is not None:
            stages = read_record(resumed)["stages"]
            if not stages:
                raise DamagedError(f"{resumed} has no record of its run")
            changed = [
                key
                for key, value in _plain(config.to_dict()).items()
                if key not in CHANGEABLE and stages[-1]["config"].get(key) != value
            ]
            if changed:
                raise ConfigError(
                    f"{self.out} holds a run with other {', '.join(changed)}; give another out, or remove it"
                )
            # Adapters are merged in a checkpoint; to continue, they go back on the weights of the start.
            return self._start() if config.lora_rank else _load_saved(resumed), stages[:-1]
        if config.start:
            before = read_record(find_start(config.start))["stages"]
            if before and before[-1]["step"] < before[-1]["config"].get("steps", 0):
                logger.warning("%s starts from a stage that stopped before its end", config.name)
            return self._start(), before
        return new_checkpoint(config.model, seed=config.seed, tokenizer_clips=config.tokenizer_clips), []

    def _start(self) -> Checkpoint:
        return load_mean(find_start(self.config.start), [find_start(path) for path in self.config.average])

    def _record(self, terms: dict[str, float]) -> dict[str, Any]:
        stage = {
            "config": _plain(self.config.to_dict()),
            "commit": _commit(),
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "hardware": _hardware(self.device),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
            "losses": terms,
        }
        return {"stages": [*self.previous_stages, stage]}


class _TrainingLog:
    """Mean losses in a CSV file, a row every few steps. Rows after the step of a resumption are dropped."""

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        self._sums: dict[str, list[float]] = defaultdict(list)
        self._rows = _rows_until(path, step)
        self.last: dict[str, float] = {}

    def add(self, terms: dict[str, float]) -> None:
        for name, value in terms.items():
            self._sums[name].append(value)

    def write(self, step: int, seconds: float, rate: float) -> dict[str, float]:
        """Ends a row; gives its means."""
        self.last = {name: sum(values) / len(values) for name, values in self._sums.items()}
        self._sums.clear()
        values = {name: f"{value:.6g}" for name, value in self.last.items()}
        self._rows.append({"step": str(step), "seconds": f"{seconds:.1f}", "learning_rate": f"{rate:.3e}", **values})
        self.flush()
        return self.last

    def flush(self) -> None:
        """Rewrites the file atomically. Raises SourceError if that cannot be done."""
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        partial = self._path.with_name(f".{self._path.name}")
        try:
            with partial.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, names or ["step"])
                writer.writeheader()
                writer.writerows(self._rows)
            partial.replace(self._path)
        except OSError as error:
            raise SourceError(f"{self._path} cannot be written: {error.strerror}; make room and start again") from error
        finally:
            partial.unlink(missing_ok=True)


def _rows_until(path: Path, step: int) -> list[dict[str, str]]:
    """The rows of a log up to a step; none of a damaged log, which the run does not need."""
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file, restval="") if int(row["step"]) <= step]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        logger.warning("%s is damaged (%s); starting a new one", path, error)
        return []


def _load_saved(path: Path) -> Checkpoint:
    """The model of a run's own checkpoint. Raises DamagedError if it cannot be loaded."""
    try:
        return load_checkpoint(path, dtype=torch.float32)
    except (ModelError, ConfigError) as error:
        raise DamagedError(f"{path} is damaged: {error}") from error


def _has_gradient(weight: torch.Tensor) -> bool:
    return weight.grad is not None and bool(weight.grad.any())


def _plain(values: Any) -> Any:
    """Tuples as lists, as JSON gives them back."""
    if isinstance(values, dict):
        return {key: _plain(value) for key, value in values.items()}
    return [_plain(value) for value in values] if isinstance(values, list | tuple) else values


def _commit() -> str:
    """The commit of the checkout, "+" where it has changes; "unknown" outside one."""
    folder = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether matrix products are faster in bfloat16: on GPUs, and on CPUs with AMX. On others they are slower."""
    return device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_amx_tile_supported())


def _hardware(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"

"""Checkpoints of a run: the model as anyone loads it, and beside it all that is needed to resume the run. No pickles.

    out/step-0000500/                 a checkpoint of vitron_ros: config.json, model.safetensors, tokenizer.json, ...
    out/step-0000500/training.json    record: stages so far with config, seed, commit, steps, hardware, time, losses
    out/step-0000500/run/state.safetensors    optimiser, auxiliary heads, adapters

With adapters the model itself, with them merged, is in the last checkpoint alone. Each of several processes writes
files of its own, model-00001-of-00008.safetensors and so on. They hold whole tensors, so that any number of processes
reads them. Tensors are copied at once and written in the background.

A checkpoint is written under another name and renamed when whole and on the disk, so that a run killed at any moment,
or a power failure, leaves none that is half written. One that cannot be written is removed.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from training.adapters import merged_weights
from training.distributed import World, sharded_parameters, whole
from training.errors import DamagedError, TrainingError
from training.optimizers import Optimizers
from training.tensor_files import TensorFiles, part_name
from training.training_module import AUXILIARY_HEADS, TrainingModule
from vitron_ros.errors import ConfigError, ModelError, SourceError
from vitron_ros.model.checkpoint import CONFIG, Checkpoint, save_settings
from vitron_ros.model.files import is_file, quoted, read_json
from vitron_ros.model.weights import INDEX, is_finite

RECORD, RUN, STATE, MODEL = "training.json", "run", "state", "model"
RECORDED = (int, int | float, str, str, int)  # of a stage: step, seconds, hardware, and its name and seed
KEEP_LAST = 2  # checkpoints of a run


def checkpoints(out: Path) -> list[Path]:
    """The checkpoints of a run's directory, the newest first."""
    try:
        names = [path.name for path in out.iterdir() if path.is_dir()]
    except (OSError, ValueError):  # there is no such directory, or cannot be
        return []
    found = [out / name for name in names if name.startswith("step-") and name.removeprefix("step-").isdecimal()]
    return sorted(found, key=step_of, reverse=True)


def latest(out: Path) -> Path | None:
    """The newest checkpoint of a run's directory; None if it has none."""
    return next(iter(checkpoints(out)), None)


def find_start(source: str) -> Path:
    """The checkpoint that a stage starts from: a directory with a model, or the newest in a run's directory.

    Raises:
        ConfigError: there is none.
    """
    path = Path(source)
    if is_file(path / CONFIG):
        return path
    found = latest(path)
    if found is None:
        raise ConfigError(f"{source} holds no checkpoint; run the stage that writes it, or name another")
    if not is_file(found / CONFIG):
        raise ConfigError(
            f"{found} holds adapters without their model, as before the end of a stage; run that to its end"
        )
    return found


def step_of(checkpoint: Path) -> int:
    """The step at which a run's checkpoint was written."""
    return int(checkpoint.name.removeprefix("step-"))


def run_weights(weights: Mapping[str, torch.nn.Parameter]) -> dict[str, torch.nn.Parameter]:
    """Weights that are saved beside the model's own file: auxiliary heads and, with adapters, all that is trained.

    Adapters are merged in the model's file, so a run with adapters resumes from the weights of its start.
    """
    has_adapters = any("lora_" in name for name in weights)
    return {
        name: weight
        for name, weight in weights.items()
        if name.startswith(AUXILIARY_HEADS) or (has_adapters and weight.requires_grad)
    }


Share = tuple[dict[str, Tensor], dict[str, int]]
"""The tensors that this process writes, on the CPU, and the process that writes each."""


class CheckpointWriter:
    """Writes the checkpoints of a run, one at a time, while it goes on."""

    def __init__(
        self, out: Path, checkpoint: Checkpoint, module: TrainingModule, optimizers: Optimizers, world: World
    ) -> None:
        self._out, self._checkpoint, self._module = out, checkpoint, module
        self._optimizers, self._world = optimizers, world
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._pending: Future[Path] | None = None

    def write(self, step: int, record: Mapping[str, Any], *, is_last: bool) -> None:
        """Begins to write the checkpoint of a step, after the one before is done, whose errors are raised.

        Raises:
            TrainingError: the weights are not finite any more.
            SourceError: the one before could not be written; what was begun is removed, those before stay.
        """
        self.wait()
        if self._world.is_first:
            remove_unfinished(self._out)
        weights = sharded_parameters(self._module)
        has_model = is_last or not any("lora_" in name for name in weights)
        model = self._share(merged_weights(self._module.model), step) if has_model else None
        state = self._share(self._state(weights), step)
        self._pending = self._thread.submit(self._write, step, record, model, state)

    def wait(self) -> Path | None:
        """Waits until the last checkpoint is written; gives its directory, None where none was begun.

        Raises:
            SourceError: it could not be written.
        """
        return None if self._pending is None else self._pending.result()

    def _state(self, weights: Mapping[str, torch.nn.Parameter]) -> Iterator[tuple[str, Tensor]]:
        for name, weight in run_weights(weights).items():
            yield f"weights/{name}", whole(weight.detach())
        for name, slot, value in self._optimizers.state():
            yield f"optimizer/{slot}/{name}", whole(value.detach())

    def _share(self, tensors: Iterable[tuple[str, Tensor]], step: int) -> Share:
        """Deals tensors to the processes, by size.

        Raises:
            TrainingError: one is not finite.
        """
        own: dict[str, Tensor] = {}
        owners: dict[str, int] = {}
        sizes = [0] * self._world.size
        spoiled = ""
        for name, tensor in tensors:
            owners[name] = owner = sizes.index(min(sizes))
            sizes[owner] += tensor.nbytes
            if owner == self._world.rank:
                own[name] = tensor.to("cpu", copy=True).contiguous()
                if not is_finite(own[name]):
                    spoiled = name
        if self._world.any(bool(spoiled)):
            raise TrainingError(f"{spoiled or 'a weight'} is not finite after step {step}; lower learning_rate")
        return own, owners

    def _write(self, step: int, record: Mapping[str, Any], model: Share | None, state: Share) -> Path:
        """Writes this process's files; the first process then gives the checkpoint its name."""
        target, unfinished = self._out / f"step-{step:07}", self._out / f"unfinished-{step:07}"
        error: Exception | None = None
        for task in (self._write_files, self._finish):  # all processes write before the first one renames
            try:
                if error is None and (task == self._write_files or self._world.is_first):
                    task(unfinished, target, record, model, state)
            except (OSError, SafetensorError) as caught:
                error = caught
            if self._world.any(error is not None, in_background=True):
                shutil.rmtree(unfinished, ignore_errors=True)
                reason = "another process failed" if error is None else getattr(error, "strerror", None) or error
                raise SourceError(
                    f"the checkpoint of step {step} cannot be written to {self._out}: {reason}; make room and start "
                    "again: the run resumes at its last checkpoint"
                ) from error
        return target

    def _write_files(self, folder: Path, _: Path, record: Mapping[str, Any], model: Share | None, state: Share) -> None:
        (folder / RUN).mkdir(parents=True, exist_ok=True)
        for share, stem in ((model, folder / MODEL), (state, folder / RUN / STATE)):
            if share is not None:
                path = stem.with_name(part_name(stem.name, self._world.rank, self._world.size))
                save_file(share[0], path, metadata={"format": "pt"})
                _sync(path)

    def _finish(self, folder: Path, target: Path, record: Mapping[str, Any], model: Share | None, state: Share) -> None:
        if model is not None:
            tokenizer, profile = self._checkpoint.tokenizer, self._checkpoint.prompts.profile
            save_settings(self._module.model.config, folder, tokenizer=tokenizer, prompt_profile=profile)
            if self._world.size > 1:
                files = {name: part_name(MODEL, owner, self._world.size) for name, owner in model[1].items()}
                (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": files}, indent=1) + "\n")
        (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        for path in (*folder.rglob("*"), folder):
            _sync(path)
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
        _sync(self._out)
        kept = [path for path in checkpoints(self._out) if step_of(path) <= step_of(target)][:KEEP_LAST]
        for old in checkpoints(self._out):  # those of later steps are of a run that was not resumed from them
            if old not in kept:
                shutil.rmtree(old, ignore_errors=True)


def remove_unfinished(out: Path) -> None:
    """Removes unfinished checkpoints of a run that was killed."""
    for path in out.glob("unfinished-*"):
        shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    """Waits until a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restore(directory: Path, module: TrainingModule, optimizers: Optimizers) -> None:
    """Gives heads, adapters and optimiser the state of a checkpoint. The model itself is loaded before.

    Raises:
        DamagedError: the state is missing, damaged, or of another run.
    """
    weights = sharded_parameters(module)
    files = TensorFiles(directory / RUN, STATE)
    slots: dict[str, list[str]] = {name: [] for name in optimizers.weights}
    for key in files.names:
        kind, _, rest = key.partition("/")
        slot, _, name = rest.partition("/") if kind == "optimizer" else ("", "", rest)
        if name not in weights:
            raise DamagedError(f"{directory} has a weight {name} that this stage lacks")
        if kind == "optimizer":
            if name not in slots:
                raise DamagedError(f"{directory} has steps of {name}, which this stage does not train")
            slots[name].append(slot)
    for name, weight in run_weights(weights).items():
        files.fill(f"weights/{name}", weight)
    for name, weight in optimizers.weights.items():
        # AdamW counts its steps on the CPU.
        state = {slot: torch.zeros(()) if slot == "step" else torch.zeros_like(weight) for slot in slots[name]}
        for slot, value in state.items():
            files.fill(f"optimizer/{slot}/{name}", value)
        if state:
            optimizers.restore(name, state)


def restore_heads(directory: Path, module: TrainingModule) -> None:
    """Loads the auxiliary heads of the stage before, where it has them in the same shape.

    Raises:
        DamagedError: they cannot be read.
    """
    if not (directory / RUN).is_dir():
        return
    files = TensorFiles(directory / RUN, STATE)
    for name, weight in sharded_parameters(module).items():
        if name.startswith(AUXILIARY_HEADS) and files.shape(f"weights/{name}") == tuple(weight.shape):
            files.fill(f"weights/{name}", weight)


def read_record(directory: Path) -> dict[str, Any]:
    """The record beside a checkpoint: `stages`, none where it has no record.

    Raises:
        DamagedError: it cannot be read.
    """
    path = directory / RECORD
    if not is_file(path):
        return {"stages": []}
    try:
        record = read_json(path)
        for stage in record["stages"]:
            settings = stage["config"]
            values = (stage["step"], stage["seconds"], stage["hardware"], settings["name"], settings["seed"])
            if not all(isinstance(value, kind) for value, kind in zip(values, RECORDED, strict=True)):
                raise TypeError(f"a stage of {values}")
    except ModelError as error:
        raise DamagedError(str(error)) from error
    except (LookupError, TypeError) as error:
        raise DamagedError(f"{path} is not a record of a run ({type(error).__name__}: {quoted(str(error))})") from error
    return record

"""Checkpoints of a run: the model as anyone loads it, and beside it all that is needed to resume the run. No pickles.

    out/step-0000500/                 a checkpoint of vitron_ros: config.json, model.safetensors, tokenizer.json, ...
    out/step-0000500/training.json    record: stages so far with config, seed, commit, steps, hardware, time, losses
    out/step-0000500/run/state.safetensors    optimiser, auxiliary heads, adapters

A checkpoint is written under another name and renamed when whole and on the disk, so that a run killed at any moment,
or a power failure, leaves none that is half written. One that cannot be written is removed.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from training.adapters import merged
from training.errors import DamagedError, TrainingError
from training.optimizers import Optimizers
from training.training_module import AUXILIARY_HEADS, TrainingModule
from vitron_ros.errors import ConfigError, ModelError, SourceError
from vitron_ros.model.checkpoint import Checkpoint, save_pretrained
from vitron_ros.model.files import is_file, quoted, read_json
from vitron_ros.model.weights import read_tensors

RECORD, STATE = "training.json", "run/state.safetensors"
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
    if is_file(path / "config.json"):
        return path
    found = latest(path)
    if found is None:
        raise ConfigError(f"{source} holds no checkpoint; run the stage that writes it, or name another")
    return found


def step_of(checkpoint: Path) -> int:
    """The step at which a run's checkpoint was written."""
    return int(checkpoint.name.removeprefix("step-"))


def run_weights(module: TrainingModule) -> dict[str, torch.nn.Parameter]:
    """Weights that are saved beside the model's own file: auxiliary heads and, with adapters, all that is trained.

    Adapters are merged in the model's file, so a run with adapters resumes from the weights of its start.
    """
    has_adapters = any("lora_" in name for name, _ in module.named_parameters())
    return {
        name: weight
        for name, weight in module.named_parameters()
        if name.startswith(AUXILIARY_HEADS) or (has_adapters and weight.requires_grad)
    }


def save(
    out: Path,
    step: int,
    checkpoint: Checkpoint,
    module: TrainingModule,
    optimizers: Optimizers,
    record: Mapping[str, Any],
) -> Path:
    """Writes the checkpoint of a step, and removes those before the last two and any of later steps, from which the run
    was not resumed; gives its directory.

    Raises:
        TrainingError: the weights are not finite any more.
        SourceError: it cannot be written; what was begun is removed, and the checkpoints before stay.
    """
    for name, weight in module.named_parameters():
        if not torch.isfinite(weight).all():
            raise TrainingError(f"{name} is not finite after step {step}; lower learning_rate")
    target, unfinished = out / f"step-{step:07}", out / f"unfinished-{step:07}"
    try:
        remove_unfinished(out)
        _write(unfinished, checkpoint, module, optimizers, record)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
        _sync(out)
    except (OSError, SafetensorError) as error:
        raise SourceError(
            f"the checkpoint of step {step} cannot be written to {out}: {getattr(error, 'strerror', None) or error}; "
            "make room and start again: the run resumes at its last checkpoint"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    kept = [path for path in checkpoints(out) if step_of(path) <= step][:KEEP_LAST]
    for old in checkpoints(out):
        if old not in kept:
            shutil.rmtree(old, ignore_errors=True)
    return target


def remove_unfinished(out: Path) -> None:
    """Removes unfinished checkpoints of a run that was killed."""
    for path in out.glob("unfinished-*"):
        shutil.rmtree(path, ignore_errors=True)


def _write(
    folder: Path, checkpoint: Checkpoint, module: TrainingModule, optimizers: Optimizers, record: Mapping[str, Any]
) -> None:
    """Writes all files of a checkpoint, through to the disk."""
    (folder / STATE).parent.mkdir(parents=True)
    save_pretrained(
        merged(module.model),
        folder,
        tokenizer=checkpoint.tokenizer,
        prompt_profile=checkpoint.prompts.profile,
    )
    tensors = {f"weights/{name}": weight for name, weight in run_weights(module).items()}
    for name, weight in module.named_parameters():
        tensors |= {f"optimizer/{key}/{name}": value for key, value in optimizers.state(weight).items()}
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, folder / STATE)
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _sync(path: Path) -> None:
    """Waits until a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restore(directory: Path, module: TrainingModule, optimizers: Optimizers) -> None:
    """Gives heads, adapters and optimiser the state that `save` wrote. The model itself is loaded before.

    Raises:
        DamagedError: the state is missing, damaged, or of another run.
    """
    if not (directory / STATE).is_file():
        raise DamagedError(f"{directory} has no {STATE}; it is not a checkpoint that a run can resume from")
    parameters = dict(module.named_parameters())
    state: dict[str, dict[str, Tensor]] = {}
    found = set()
    for key, tensor in _read_state(directory):
        kind, _, name = key.partition("/")
        slot, _, owner = name.partition("/") if kind == "optimizer" else ("", "", name)
        if owner not in parameters:
            raise DamagedError(f"{directory / STATE} has a weight {owner} that this stage lacks")
        if slot != "step" and tensor.shape != parameters[owner].shape:
            raise DamagedError(f"{directory / STATE} has {key} in another shape than this stage")
        if kind == "optimizer":
            # AdamW counts its steps on the CPU.
            state.setdefault(owner, {})[slot] = tensor if slot == "step" else tensor.to(parameters[owner].device)
        else:
            found.add(owner)
            with torch.no_grad():
                parameters[owner].copy_(tensor)
    if missing := sorted(set(run_weights(module)) - found):
        raise DamagedError(f"{directory / STATE} lacks {missing[0]}; the run's config has changed since")
    for owner, slots in state.items():
        if not parameters[owner].requires_grad:
            raise DamagedError(f"{directory / STATE} has steps of {owner}, which this stage does not train")
        optimizers.restore(parameters[owner], slots)


def _read_state(directory: Path) -> Iterator[tuple[str, Tensor]]:
    """The tensors beside the model.

    Raises:
        DamagedError: they cannot be read, or are not finite.
    """
    try:
        for key, tensor in read_tensors(directory / STATE):
            if not torch.isfinite(tensor).all():
                raise DamagedError(f"{key} in {directory / STATE} holds NaN or infinity")
            yield key, tensor
    except ModelError as error:
        raise DamagedError(str(error)) from error


def restore_heads(directory: Path, module: TrainingModule) -> None:
    """Loads the auxiliary heads of the stage before, where it has them."""
    if not (directory / STATE).is_file():
        return
    parameters = dict(module.named_parameters())
    for key, tensor in _read_state(directory):
        owner = key.removeprefix("weights/")
        if owner.startswith(AUXILIARY_HEADS) and owner in parameters and parameters[owner].shape == tensor.shape:
            with torch.no_grad():
                parameters[owner].copy_(tensor)


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

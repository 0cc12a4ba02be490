"""Checkpoints of a run: the model as anyone loads it, and beside it all that the run needs to go on. No pickles.

    out/step-0000500/                 a checkpoint of vitron_ros: config.json, model.safetensors, tokenizer.json, ...
    out/step-0000500/training.json    record: stages so far with config, seed, commit, steps, hardware, time, losses
    out/step-0000500/run/state.safetensors    optimiser, teaching heads, adapters

A checkpoint is written under another name and renamed when whole, so that a run killed at any moment leaves none
that is half written.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from training.adapters import merged
from training.learner import HEADS, Learner
from training.optimizers import Optimizers
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.file_names import in_order
from vitron_ros.model.checkpoint import Checkpoint, read_tensors, save_pretrained

RECORD, STATE = "training.json", "run/state.safetensors"
KEPT = 2  # checkpoints of a run


def latest(out: Path) -> Path | None:
    """The newest checkpoint of a run's directory; None if it has none."""
    steps = in_order(out.glob("step-*[0-9]")) if out.is_dir() else []
    return steps[-1] if steps else None


def find_start(source: str) -> Path:
    """The checkpoint that a stage starts from: a directory with a model, or the newest in a run's directory.

    Raises:
        ConfigError: there is none.
    """
    path = Path(source)
    if (path / "config.json").is_file():
        return path
    found = latest(path)
    if found is None:
        raise ConfigError(f"start is {source}, which holds no checkpoint; run the stage before, or give another")
    return found


def step_of(checkpoint: Path) -> int:
    """The step at which a run's checkpoint was written."""
    return int(checkpoint.name.removeprefix("step-"))


def extra_weights(learner: Learner) -> dict[str, torch.nn.Parameter]:
    """What a run cannot take from the model's own file: teaching heads, and beside adapters all that learns.

    Adapters are merged in that file, so a run with adapters goes on from the weights of its start.
    """
    has_adapters = any("lora_" in name for name, _ in learner.named_parameters())
    return {
        name: weight
        for name, weight in learner.named_parameters()
        if name.startswith(HEADS) or (has_adapters and weight.requires_grad)
    }


def save(
    out: Path,
    step: int,
    checkpoint: Checkpoint,
    learner: Learner,
    optimizers: Optimizers,
    record: Mapping[str, Any],
) -> Path:
    """Writes the checkpoint of a step and removes those before the last two; gives its directory."""
    target, unfinished = out / f"step-{step:07}", out / f"unfinished-{step:07}"
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / STATE).parent.mkdir(parents=True)
    save_pretrained(
        merged(learner.model),
        unfinished,
        tokenizer=checkpoint.tokenizer,
        prompt_profile=checkpoint.prompts.profile,
    )
    tensors = {f"weights/{name}": weight for name, weight in extra_weights(learner).items()}
    for name, weight in learner.named_parameters():
        tensors |= {f"optimizer/{key}/{name}": value for key, value in optimizers.state(weight).items()}
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, unfinished / STATE)
    (unfinished / RECORD).write_text(json.dumps(record, indent=1) + "\n")
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
    for old in in_order(out.glob("step-*[0-9]"))[:-KEPT]:
        shutil.rmtree(old)
    return target


def restore(directory: Path, learner: Learner, optimizers: Optimizers) -> None:
    """Gives heads, adapters and optimiser the state that `save` wrote. The model itself is loaded before.

    Raises:
        ModelError: the state is missing, damaged, or of another run.
    """
    if not (directory / STATE).is_file():
        raise ModelError(f"{directory} has no {STATE}; it is no checkpoint of a run that can go on")
    parameters = dict(learner.named_parameters())
    state: dict[str, dict[str, Tensor]] = {}
    found = set()
    for key, tensor in read_tensors(directory / STATE):
        kind, _, name = key.partition("/")
        slot, _, owner = name.partition("/") if kind == "optimizer" else ("", "", name)
        if owner not in parameters:
            raise ModelError(f"{directory / STATE} knows a weight {owner} that this stage does not have")
        if kind == "optimizer":
            # AdamW counts its steps on the CPU.
            state.setdefault(owner, {})[slot] = tensor if slot == "step" else tensor.to(parameters[owner].device)
        else:
            found.add(owner)
            with torch.no_grad():
                parameters[owner].copy_(tensor)
    if missing := sorted(set(extra_weights(learner)) - found):
        raise ModelError(f"{directory / STATE} lacks {missing[0]}; the run's config has changed since")
    for owner, slots in state.items():
        optimizers.restore(parameters[owner], slots)


def restore_heads(directory: Path, learner: Learner) -> None:
    """Gives the teaching heads what the stage before taught them, where it has taught them."""
    if not (directory / STATE).is_file():
        return
    parameters = dict(learner.named_parameters())
    for key, tensor in read_tensors(directory / STATE):
        owner = key.removeprefix("weights/")
        if owner.startswith(HEADS) and owner in parameters and parameters[owner].shape == tensor.shape:
            with torch.no_grad():
                parameters[owner].copy_(tensor)


def read_record(directory: Path) -> dict[str, Any]:
    """The record beside a checkpoint; empty where it has none."""
    path = directory / RECORD
    record: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return record

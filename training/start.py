"""The model that a run starts or resumes from."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import torch

from training.checkpointing import MODEL, find_start, read_record
from training.config import TrainConfig
from training.errors import DamagedError
from training.run_record import plain
from training.tensor_files import TensorFiles
from training.tiny import new_checkpoint
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.model.checkpoint import (
    Checkpoint,
    load_checkpoint,
    read_config,
    read_prompt_profile,
    read_tokenizer,
)
from vitron_ros.model.prompts import PromptBuilder
from vitron_ros.model.published_layouts import layout_in
from vitron_ros.model.vitron import build_empty

CHANGEABLE = ("workers", "save_every", "log_every", "tensorboard", "activation_checkpointing", "shards")  # on resuming

logger = logging.getLogger(__name__)


class Start(NamedTuple):
    """A model to train.

    Attributes:
        checkpoint: the model, its tokenizer and its prompts.
        weights: those of a model on the meta device; None: the model has its own.
        stages: the records of the stages before this one.
    """

    checkpoint: Checkpoint
    weights: TensorFiles | None
    stages: list[dict[str, Any]]


def load_start(config: TrainConfig, resumed: Path | None, *, sharded: bool) -> Start:
    """The model to start from, or that of a run's checkpoint.

    Args:
        resumed: a checkpoint of this run.
        sharded: leave a large model on the meta device, so that no process ever holds all of it.

    Raises:
        ConfigError: there is nothing to start from, or the run is one of another config.
        ModelError: the model cannot be loaded. DamagedError: that of the run's checkpoint.
    """
    if resumed is not None:
        stages = _stages_of(resumed, config)
        if config.lora_rank:  # adapters go back on the weights of the start
            return Start(*_load(find_start(config.start), sharded), stages[:-1])
        try:
            return Start(*_load(resumed, sharded), stages[:-1])
        except (ModelError, ConfigError) as error:
            raise DamagedError(f"{resumed} is damaged: {error}") from error
    if not config.start:
        return Start(new_checkpoint(config.model, seed=config.seed, tokenizer_clips=config.tokenizer_clips), None, [])
    before = read_record(find_start(config.start))["stages"]
    if before and before[-1]["step"] < before[-1]["config"].get("steps", 0):
        logger.warning("%s starts from a stage that stopped before its end", config.name)
    return Start(*_load(find_start(config.start), sharded), before)


def _stages_of(resumed: Path, config: TrainConfig) -> list[dict[str, Any]]:
    stages: list[dict[str, Any]] = read_record(resumed)["stages"]
    if not stages:
        raise DamagedError(f"{resumed} has no record of its run")
    old = stages[-1]["config"]
    changed = [key for key, value in plain(config.to_dict()).items() if key not in CHANGEABLE and old.get(key) != value]
    if changed:
        raise ConfigError(
            f"{resumed.parent} holds a run with other {', '.join(changed)}; give another out, or remove it"
        )
    return stages


def _load(source: Path, sharded: bool) -> tuple[Checkpoint, TensorFiles | None]:
    if not sharded or layout_in(source) is not None:
        return load_checkpoint(source, dtype=torch.float32), None
    config = read_config(source)
    if config.language.tie_embeddings or config.vision.stem != "patch":  # of small models
        return load_checkpoint(source, dtype=torch.float32), None
    tokenizer, profile = read_tokenizer(source, config), read_prompt_profile(source, config)
    prompts = PromptBuilder(profile, tokenizer, config.tokenisation == "published")
    return Checkpoint(build_empty(config), tokenizer, prompts), TensorFiles(source, MODEL)

"""Runs stages one after another, in this process."""

import argparse
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from training.config import TrainConfig, load_stages
from training.distributed import is_lost_connection, leave
from training.dry_run import costs, describe, describe_data
from training.errors import TrainingError
from training.scale import tiny_stage
from training.trainer import Trainer
from vitron_ros.errors import ConfigError


def run_stages(arguments: argparse.Namespace) -> int:
    """Runs the stages that the arguments of `training.train` name, or says what they cost; returns the exit code.

    Raises:
        ConfigError: a file is wrong, or a stage cannot start.
        TrainingError: a stage ended with an error. Others are those of `Trainer`.
    """
    begin = time.monotonic()
    stages = _stages(arguments.configs, arguments.stage)
    if arguments.dry_run:
        for config in stages:
            print(describe(config, costs(config)))
            print(describe_data(config))
        return 0
    for config in map(tiny_stage, stages) if arguments.scale == "tiny" else stages:
        if arguments.workers is not None:
            config = replace(config, workers=arguments.workers)
        left = None if arguments.minutes is None else arguments.minutes - (time.monotonic() - begin) / 60
        try:
            trainer = Trainer(config, arguments.device)
            with _stopped_by_sigterm(trainer):
                written = trainer.run(left)
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                "the memory of the GPU is full; lower the count of each group of clips, or records_per_batch, and set "
                "global_batch"
            ) from error
        except RuntimeError as error:
            if not is_lost_connection(error):
                raise
            raise TrainingError(
                "another process of this run has ended or does not answer; see what it said, and start again: the run "
                "resumes at its last checkpoint"
            ) from error
        if trainer.world.is_first:
            print(written)
        if trainer.step < config.steps:
            break  # the time is up
    leave()
    return 0


@contextmanager
def _stopped_by_sigterm(trainer: Trainer) -> Iterator[None]:
    """On SIGTERM, as of a scheduler that takes its machine back, the trainer ends its step and saves."""

    def stop(*_: object) -> None:
        trainer.stop = True

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stages(paths: Sequence[Path], names: Sequence[str] | None) -> list[TrainConfig]:
    """The stages of files, or those of the names, all read before the first is run.

    Raises:
        ConfigError: a file is wrong, there is no stage of a name, or two write to one directory.
    """
    stages = [stage for path in paths for stage in load_stages(path)]
    outs = [os.path.realpath(stage.out) for stage in stages]
    for stage, out in zip(stages, outs, strict=True):
        if outs.count(out) > 1:
            raise ConfigError(f"two stages write to {stage.out}; give each an out of its own")
    there = [stage.name for stage in stages]
    if unknown := [name for name in names or () if name not in there]:
        raise ConfigError(f"there is no stage {', '.join(unknown)}; there are {', '.join(there)}")
    return [stage for stage in stages if names is None or stage.name in names]

"""Runs stages, or resumes them: in one process, or in one for each GPU.

python -m training.train training/configs/tiny.yaml
python -m training.train training/configs/tiny.yaml --processes 8
torchrun --nnodes 4 --nproc-per-node 8 ... -m training.train training/configs/tiny.yaml
"""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from training.config import TrainConfig, load_stages
from training.distributed import STORE, is_lost_connection, leave
from training.dry_run import costs, describe, describe_data
from training.errors import TrainingError
from training.launch import launch
from training.scale import tiny_stage
from training.trainer import Trainer
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.numbers import number, whole
from vitron_ros.errors import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs stages one after another; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train",
        description="Trains stages. An interrupted stage resumes at its last checkpoint.",
        epilog="example: python -m training.train training/configs/tiny.yaml --stage dense --workers 14",
    )
    parser.add_argument("configs", type=Path, nargs="+", help="YAML files of stages, in order")
    parser.add_argument("--stage", nargs="+", metavar="NAME", help="only these of their stages")
    parser.add_argument("--minutes", type=number(0), help="stop after so long, with a checkpoint")
    parser.add_argument("--workers", type=whole(0, 256), help="data loader processes, instead of the config's")
    parser.add_argument("--processes", type=whole(1, 64), default=1, help="one for each GPU of this machine")
    parser.add_argument("--device", help="such as cpu or cuda:1; by default a GPU where there is one")
    parser.add_argument("--scale", choices=("full", "tiny"), default="full", help="tiny: a test, see training/scale.py")
    parser.add_argument("--dry-run", action="store_true", help="only say what stages cost, and which data are there")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if arguments.processes > 1 and STORE not in os.environ:
        words = sys.argv[1:] if argv is None else argv
        return exit_code("train", lambda: launch(words, arguments.processes))
    return exit_code("train", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
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


if __name__ == "__main__":
    sys.exit(main())

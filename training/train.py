"""`python -m training.train training/configs/tiny_00_dense.yaml` runs a stage, or goes on where it stopped."""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from training.config import TrainConfig, load_config
from training.errors import TrainingError
from training.trainer import Trainer
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.numbers import number, whole
from vitron_ros.errors import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs stages one after another; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train",
        description="Trains stages. A stage that was stopped goes on at its last checkpoint.",
        epilog="example: python -m training.train training/configs/tiny_*.yaml --workers 14",
    )
    parser.add_argument("configs", type=Path, nargs="+", help="YAML files of stages, in order")
    parser.add_argument("--minutes", type=number(0), help="stop after so long, with a checkpoint")
    parser.add_argument("--workers", type=whole(0, 256), help="processes that make batches, in place of the config's")
    parser.add_argument("--device", help="such as cpu or cuda:1; by default a GPU where there is one")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    return exit_code("train", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    begin = time.monotonic()
    for config in _stages(arguments.configs):
        if arguments.workers is not None:
            config = replace(config, workers=arguments.workers)
        left = None if arguments.minutes is None else arguments.minutes - (time.monotonic() - begin) / 60
        try:
            trainer = Trainer(config, arguments.device)
            print(trainer.run(left))
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                "the memory of the GPU is full; give each kind of clips a smaller count, and a larger accumulation"
            ) from error
        if trainer.step < config.steps:
            break  # the time is up
    return 0


def _stages(paths: Sequence[Path]) -> list[TrainConfig]:
    """The stages of files, all read before the first is run.

    Raises:
        ConfigError: a file is wrong, or two stages write to one directory.
    """
    configs = [load_config(path) for path in paths]
    outs = [Path(config.out).resolve() for config in configs]
    for path, out in zip(paths, outs, strict=True):
        if outs.count(out) > 1:
            raise ConfigError(f"{path}: out is {out}, which another stage writes to, too; give each its own")
    return configs


if __name__ == "__main__":
    sys.exit(main())

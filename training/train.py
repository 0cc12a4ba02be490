"""`python -m training.train training/configs/tiny.yaml` runs stages, or resumes them."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from training.config import TrainConfig, load_stages
from training.errors import TrainingError
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
    parser.add_argument("--device", help="such as cpu or cuda:1; by default a GPU where there is one")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    return exit_code("train", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    begin = time.monotonic()
    for config in _stages(arguments.configs, arguments.stage):
        if arguments.workers is not None:
            config = replace(config, workers=arguments.workers)
        left = None if arguments.minutes is None else arguments.minutes - (time.monotonic() - begin) / 60
        try:
            trainer = Trainer(config, arguments.device)
            print(trainer.run(left))
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                "the memory of the GPU is full; lower the count of each group of clips, and raise gradient_accumulation"
            ) from error
        if trainer.step < config.steps:
            break  # the time is up
    return 0


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

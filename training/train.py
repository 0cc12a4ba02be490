"""`python -m training.train training/configs/tiny_00_dense.yaml` runs a stage, or goes on where it stopped."""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training.config import load_config
from training.trainer import Trainer
from vitron_ros.errors import VitronError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs stages one after another; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train",
        description="Trains stages. A stage that was stopped goes on at its last checkpoint.",
        epilog="example: python -m training.train training/configs/tiny_*.yaml --workers 14",
    )
    parser.add_argument("configs", type=Path, nargs="+", help="YAML files of stages, in order")
    parser.add_argument("--minutes", type=float, help="stop after so long, with a checkpoint")
    parser.add_argument("--workers", type=int, help="processes that make batches, in place of the config's")
    parser.add_argument("--device", help="such as cpu or cuda:1; by default a GPU where there is one")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    begin = time.monotonic()
    try:
        for config in map(load_config, arguments.configs):
            if arguments.workers is not None:
                config = replace(config, workers=arguments.workers)
            left = None if arguments.minutes is None else arguments.minutes - (time.monotonic() - begin) / 60
            trainer = Trainer(config, arguments.device)
            print(trainer.run(left))
            if trainer.step < config.steps:
                break  # the time is up
    except VitronError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

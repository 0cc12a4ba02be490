"""Runs stages, or resumes them: in one process, or in one for each GPU.

python -m training.train training/configs/tiny.yaml
python -m training.train training/configs/tiny.yaml --processes 8
torchrun --nnodes 4 --nproc-per-node 8 ... -m training.train training/configs/tiny.yaml
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from training.launch import end_with_launcher, is_one_of_several, launch
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.numbers import number, whole


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
    if arguments.processes > 1 and not arguments.dry_run and not is_one_of_several():
        words = sys.argv[1:] if argv is None else argv
        return exit_code("train", lambda: launch(words, arguments.processes))
    return exit_code("train", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    if is_one_of_several():
        end_with_launcher()
    from training.stages import run_stages  # imports torch, of which a process that only starts others has no need

    return run_stages(arguments)


if __name__ == "__main__":
    sys.exit(main())

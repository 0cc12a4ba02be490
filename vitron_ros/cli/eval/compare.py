"""The difference of two runs on the same samples, and how sure it is."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from vitron_ros.cli.options import add_json_option
from vitron_ros.evaluation.comparison import SAMPLES, compare_runs
from vitron_ros.evaluation.predictions import read_run

EPILOG = "example: vitron eval compare out/davis-default out/davis-csrt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", type=Path, metavar="A", help="folder of a finished run")
    parser.add_argument("second", type=Path, metavar="B", help="folder of another, of the same suite and data")
    parser.add_argument("--variant", metavar="NAME", help="of the metrics (default: the suite's first)")
    add_json_option(parser, "the differences")


def run(arguments: argparse.Namespace) -> int:
    first, second = read_run(arguments.first), read_run(arguments.second)
    variant, differences = compare_runs(first, second, arguments.variant)
    if arguments.json:
        figures = {name: asdict(difference) for name, difference in differences.items()}
        print(json.dumps({"variant": variant, "samples": len(first.predicted), "figures": figures}))
        return 0
    width = max(map(len, (variant, *differences))) + 2
    print(f"{variant:<{width}}{'A':>8}{'B':>8}{'B - A':>9}   95 % interval       p")
    for name, found in differences.items():
        values = f"{found.first:8.4f}{found.second:8.4f}{found.difference:+9.4f}"
        print(f"{name:<{width}}{values}   {found.low:+.4f} to {found.high:+.4f}  {found.p_value:.4f}")
    print(f"{len(first.predicted)} samples, paired bootstrap of {SAMPLES} draws")
    return 0

"""Run goals over a recording through the same pipeline as the node's. No DDS and no clock but the stamps: two runs of
one recording give the same JSON, byte for byte."""

import argparse
from pathlib import Path

from vitron_ros.cli.run_goals import add_run_options, run_goals
from vitron_ros.offline.goal_script import read_goals

EPILOG = "example: vitron replay bags/sample --goals bags/goals.yaml --out out/replay"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a bag, video file, folder of images or webcam number")
    parser.add_argument("--goals", type=Path, required=True, help="YAML file with what to track, and when")
    add_run_options(parser)


def run(arguments: argparse.Namespace) -> int:
    return run_goals(arguments, read_goals(arguments.goals))

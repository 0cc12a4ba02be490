"""A simulated robot that is told to follow "the purple mug", which is hidden once; time is simulated, too.

Each seed is another room. Of each, three runs: the whole walk; the mug vanishes; perception dies. The first run's
picture shows where robot and mug went.
"""

import argparse
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from vitron_ros.cli.numbers import number, whole
from vitron_ros.cli.options import add_json_option, add_model_options, model_run
from vitron_ros.evaluation import following
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.recordings.output import write_bytes, write_json
from vitron_ros.ros_tools.markdown import table
from vitron_ros.simulation.closed_loop import GOAL_S, ClosedLoop, FollowRun
from vitron_ros.simulation.walk import DURATION_S, Walk
from vitron_ros.streaming.models import BUNDLED, load_model

EPILOG = "example: vitron eval follow --seeds 3 --picture out/follow.png"
FAULT_S, AFTER_S = 6.0, 2.0
HEADER = (
    "seed",
    "found after, s",
    "distance, m",
    "lost for, s",
    "ids",
    "stop after the mug vanishes, s",
    "stop after perception dies, s",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=BUNDLED, help=f"what finds the mug (default: {BUNDLED})")
    add_model_options(parser)
    parser.add_argument("--seeds", type=whole(1), default=1, help="rooms, numbered from 1 (default: 1)")
    parser.add_argument(
        "--seconds",
        type=number(8.0, DURATION_S),
        default=DURATION_S,
        help=f"length of a walk (default: {DURATION_S:g})",
    )
    parser.add_argument("--picture", type=Path, help="PNG of the first room's run")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    add_json_option(parser, "seed -> figures")


def run(arguments: argparse.Namespace) -> int:
    cv2.setNumThreads(1)
    model = load_model(arguments.model, model_run(arguments))
    figures: dict[str, dict[str, Any]] = {}
    for seed in tqdm(range(1, arguments.seeds + 1), unit="room", file=sys.stderr, disable=None):
        whole_run = _follow(model, seed, arguments.seconds)
        scored = following.score(whole_run, GOAL_S)
        vanished = _follow(model, seed, FAULT_S + AFTER_S, vanishes_s=FAULT_S)
        died = _follow(model, seed, FAULT_S + AFTER_S, dies_s=FAULT_S)
        figures[str(seed)] = {
            **{name: _known(value) for name, value in asdict(scored).items()},
            "is_kept": scored.is_kept,
            "stop_vanished_s": _known(following.stop_s(vanished, FAULT_S)),
            "stop_died_s": _known(following.stop_s(died, FAULT_S)),
        }
        if seed == 1 and arguments.picture:
            write_bytes(arguments.picture, following.picture(whole_run))
    if arguments.out:
        write_json(arguments.out, figures)
    rows = [_row(seed, row) for seed, row in figures.items()]
    print(json.dumps(figures) if arguments.json else table(HEADER, rows))
    return 0 if all(row["is_kept"] for row in figures.values()) else 1


def _follow(
    model: LanguageVision, seed: int, seconds: float, *, vanishes_s: float | None = None, dies_s: float | None = None
) -> FollowRun:
    return ClosedLoop(Walk(seed=seed, vanishes_s=vanishes_s), model, dies_s=dies_s).follow(seconds)


def _known(value: float) -> float | None:
    """A figure for JSON, which has no NaN."""
    return None if math.isnan(value) else value


def _row(seed: str, row: dict[str, Any]) -> list[str]:
    def shown(name: str) -> str:
        return "-" if row[name] is None else f"{row[name]:.2f}"

    distance = f"{shown('nearest_m')} to {shown('farthest_m')}"
    stops = [shown("stop_vanished_s"), shown("stop_died_s")]
    return [seed, shown("found_s"), distance, shown("lost_s"), str(row["ids"]), *stops]

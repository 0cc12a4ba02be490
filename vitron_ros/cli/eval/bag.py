"""How good is it on my recording? Goals are run over a bag as by `vitron replay`, and measured against its truth.

The truth is a topic of the bag, vitron_msgs/TrackArray with the stamps of the images; an image without a message is
unlabelled, one with an empty message shows nothing. Each goal says which true object it means, by its id, in `target`
of the goals or with --target: nothing is matched by the best overlap. A goal counts from when it is sent until it is
cancelled or its duration is over, however it ends: images before its target is found count, too.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from vitron_ros.cli.options import add_json_option
from vitron_ros.cli.run_goals import add_pipeline_options, latency_of, model_of
from vitron_ros.config import PipelineConfig
from vitron_ros.evaluation.bags.figures import VARIANTS, figures
from vitron_ros.evaluation.bags.goal_runs import run_goals
from vitron_ros.evaluation.bags.truth import read_topic, targets_of
from vitron_ros.offline.goal_script import read_goals
from vitron_ros.recordings.bags import GROUND_TRUTH_TOPIC, Bag
from vitron_ros.recordings.left_out import LeftOut
from vitron_ros.tracking.trackers import make_tracker

SINGLE = {"AUC": "auc", "prec_20px": "precision", "norm_prec": "norm_precision"}
SEVERAL = {"MOTA": "mota", "IDF1": "idf1", "HOTA": "hota"}
NAME_WIDTH = 48

EPILOG = "example: vitron eval bag bags/sample --goals bags/goals.yaml --truth /ground_truth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", type=Path, help="a ROS 2 or ROS 1 bag")
    parser.add_argument("--goals", type=Path, required=True, help="YAML file, as of `vitron replay`")
    parser.add_argument("--truth", default=GROUND_TRUTH_TOPIC, metavar="TOPIC", help="of the bag (%(default)s)")
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        type=_target,
        metavar="GOAL=ID,...",
        help="true objects that a goal means, instead of its `target`; goals count from 1; may be repeated",
    )
    parser.add_argument("--topic", help="image topic, where the bag has several")
    add_pipeline_options(parser)
    add_json_option(parser, "the figures")


def run(arguments: argparse.Namespace) -> int:
    goals = read_goals(arguments.goals)
    config = PipelineConfig(tracker=arguments.tracker)
    make_tracker(config.tracker)  # an unknown name is refused before any work
    latency = latency_of(arguments)
    bag, left_out = Bag(arguments.bag), LeftOut()
    stamps_ns = bag.image_stamps(arguments.topic)
    truth = read_topic(bag, arguments.truth, stamps_ns)
    targets = targets_of(goals, dict(arguments.target), truth)
    model = model_of(arguments, goals)
    cv2.setNumThreads(1)
    frames = tqdm(
        bag.images(arguments.topic, left_out.note), total=len(stamps_ns), unit="frame", file=sys.stderr, disable=None
    )
    runs = run_goals(
        frames, stamps_ns, truth, goals, targets, config, model=model, latency=latency, on_bad=left_out.note
    )
    document = {"bag": str(arguments.bag), "tracker": config.tracker, **figures(runs), "bad_frames": left_out.as_json()}
    print(json.dumps(document) if arguments.json else _table(document))
    for line in left_out.lines():
        print(f"vitron: {line}", file=sys.stderr)
    return 0


def _target(text: str) -> tuple[int, tuple[int, ...]]:
    if not re.fullmatch(r"[0-9]+=[0-9]+(,[0-9]+)*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not GOAL=ID or GOAL=ID,ID with whole numbers")
    goal, _, ids = text.partition("=")
    return int(goal), tuple(dict.fromkeys(map(int, ids.split(","))))


def _table(document: dict[str, Any]) -> str:
    goals, together = document["goals"], document["all"]
    rows = [["object", "images", *SINGLE, "first_s", "recovered", "switches", "ghosts", *SEVERAL]]
    rows += [_row(item) for item in goals]
    names = [f"AUC: {VARIANTS[0]}", *(item["name"] for item in goals)]
    if len(goals) > 1:
        rows.append(_row({**together, "targets": (), "labelled": None, "first_track_s": None}))
        names.append("all")
    width = min(max(map(len, names)), NAME_WIDTH)
    lines = [
        "".join([name[:width].ljust(width), *(cell.rjust(10) for cell in row)])
        for name, row in zip(names, rows, strict=True)
    ]
    for variant in VARIANTS[1:] if together["single"] else ():
        shown = "   ".join(f"{key} {value:.3f}" for key, value in together["single"][variant].items())
        lines.append(f"{variant}: {shown}")
    lines += [f"{item['name']}: {item['outcome']}: {item['message']}" for item in goals]
    return "\n".join(lines)


def _row(item: dict[str, Any]) -> list[str]:
    single = (item["single"] or {}).get(VARIANTS[0], {})
    several = item["several"] or {}
    return [
        ",".join(map(str, item["targets"])),
        "" if item["labelled"] is None else str(item["labelled"]),
        *(_cell(single.get(key)) for key in SINGLE.values()),
        _cell(item["first_track_s"]),
        "-" if item["returns"] is None else f"{item['recovered']}/{item['returns']}",
        "-" if item["switches"] is None else str(item["switches"]),
        _cell(item["ghosts"]),
        *(_cell(several.get(key)) for key in SEVERAL.values()),
    ]


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

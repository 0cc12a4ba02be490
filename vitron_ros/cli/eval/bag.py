"""How good is it on my recording? Goals are run over a bag as by `vitron replay`, and measured against its truth.

The truth is a topic of the bag, vitron_msgs/TrackArray or vision_msgs/Detection2DArray with the stamps of the images;
an image without a message is unlabelled, one with an empty message shows nothing. Or it is a file: MOTChallenge's
gt.txt; an export of CVAT (MOT 1.1, CVAT for video or images 1.1), as archive, folder or file; Label Studio's JSON;
COCO-VID. Frame n of a file is the nth image of the topic, damaged ones included; the first is 1 in MOT and Label
Studio, 0 in CVAT's XML and COCO-VID. No file says what images are that it does not list: --unlisted does.

Each goal says which true object it means, by its id, in `target` of the goals or with --target: nothing is matched by
the best overlap. A goal counts from when it is sent until it is cancelled or its duration is over, however it ends:
images before its target is found count, too.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import cv2
from tqdm import tqdm

from vitron_ros.cli.exit_code import DONE, FAILED
from vitron_ros.cli.numbers import number
from vitron_ros.cli.options import add_json_option
from vitron_ros.cli.run_goals import add_pipeline_options, latency_of, model_name, model_of
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import SourceError, UsageError
from vitron_ros.evaluation.bags.annotations import FORMATS
from vitron_ros.evaluation.bags.baseline import fallen, read_baseline
from vitron_ros.evaluation.bags.figures import VARIANTS, figures
from vitron_ros.evaluation.bags.goal_runs import INSTANT, BagRun, run_goals
from vitron_ros.evaluation.bags.record import write_recording
from vitron_ros.evaluation.bags.rows import goal_rows
from vitron_ros.evaluation.bags.truth import Truth, Unlisted, goals_hash, read_file, read_topic, targets_of, truth_hash
from vitron_ros.evaluation.predictions import write_run
from vitron_ros.evaluation.runner import header_of
from vitron_ros.evaluation.suite import BAG
from vitron_ros.offline.goal_script import ScriptedGoal, read_goals
from vitron_ros.offline.replayed_model import MEASURED, read_latency
from vitron_ros.recordings.bags import Bag
from vitron_ros.recordings.ground_truth import GROUND_TRUTH_TOPIC
from vitron_ros.recordings.left_out import LeftOut
from vitron_ros.tracking.trackers import make_tracker

SINGLE = {"AUC": "auc", "prec_20px": "precision", "norm_prec": "norm_precision"}
SEVERAL = {"MOTA": "mota", "IDF1": "idf1", "HOTA": "hota"}
NAME_WIDTH = 40

EPILOG = """examples:
  vitron eval bag bags/sample --goals bags/goals.yaml --truth /ground_truth
  vitron eval bag BAG --goals goals.yaml --truth cvat.zip --unlisted negative --target 1=3 --record out/eval.mcap
  vitron eval bag BAG --goals goals.yaml --out out/bag && vitron eval report out/bag
  vitron eval bag BAG --goals goals.yaml --baseline figures.json --margin 0.02"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", type=Path, help="a ROS 2 or ROS 1 bag")
    parser.add_argument("--goals", type=Path, required=True, help="YAML file, as of `vitron replay`")
    parser.add_argument(
        "--truth", default=GROUND_TRUTH_TOPIC, metavar="TOPIC|FILE", help="a topic of the bag, or a file (%(default)s)"
    )
    parser.add_argument("--truth-format", choices=FORMATS, help="of a file (read from its content)")
    parser.add_argument(
        "--unlisted",
        choices=get_args(Unlisted),
        help="what images are that a file does not list: without any object, or not scored; needed with a file",
    )
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
    parser.add_argument(
        "--frame-latency",
        type=_frame_latency,
        metavar="PROFILE",
        help="that an image takes until its tracks are out, fixed:SECONDS or file:PATH; of images that come meanwhile "
        "the newest waits and the others are dropped, as in the node (no time, none dropped)",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the predictions, for `report` and `compare`")
    parser.add_argument(
        "--record", type=Path, metavar="FILE.mcap", help="images, tracks and truth, to look at in Foxglove"
    )
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE.json", help="earlier figures (--json); exit code 1 if they were better"
    )
    parser.add_argument("--margin", type=number(0, 1), metavar="M", help="by which a figure may be worse than there")
    add_json_option(parser, "the figures")


def run(arguments: argparse.Namespace) -> int:
    if (arguments.baseline is None) != (arguments.margin is None):
        raise UsageError("--baseline and --margin belong together: say by how much a figure may be worse")
    goals = read_goals(arguments.goals)
    config = PipelineConfig(tracker=arguments.tracker)
    make_tracker(config.tracker)  # an unknown name is refused before any work
    latency = latency_of(arguments)
    bag, left_out = Bag(arguments.bag), LeftOut()
    stamps_ns = bag.image_stamps(arguments.topic)
    truth = _truth(arguments, bag, stamps_ns)
    targets = targets_of(goals, dict(arguments.target), truth)
    measured_on = {"truth": truth_hash(truth, stamps_ns), "goals": goals_hash(goals, targets)}
    baseline = {} if arguments.baseline is None else read_baseline(arguments.baseline, measured_on)
    model = model_of(arguments, goals)
    cv2.setNumThreads(1)
    images = bag.images(arguments.topic, left_out.note)
    frames = tqdm(images, total=len(stamps_ns), unit="frame", file=sys.stderr, disable=None)
    result = run_goals(
        frames,
        stamps_ns,
        truth,
        goals,
        targets,
        config,
        model=model,
        latency=latency,
        frame_latency=INSTANT if arguments.frame_latency is None else read_latency(arguments.frame_latency),
        on_bad=left_out.note,
    )
    document = {
        "bag": str(arguments.bag),
        "tracker": config.tracker,
        "frame_latency": arguments.frame_latency,
        "measured_on": measured_on,
        **figures(result),
        "bad_frames": left_out.as_json(),
    }
    if arguments.out is not None:
        _keep(arguments, goals, bag, result)
    if arguments.record is not None:
        write_recording(arguments.record, bag, arguments.topic, truth, result)
    print(json.dumps(document) if arguments.json else _table(document))
    worse = fallen(baseline, document, arguments.margin or 0.0)
    for line in (*left_out.lines(), *worse):
        print(f"vitron: {line}", file=sys.stderr)
    return FAILED if worse else DONE


def _truth(arguments: argparse.Namespace, bag: Bag, stamps_ns: Sequence[int]) -> Truth:
    """Of the topic or file that --truth names."""
    path = Path(arguments.truth)
    if arguments.truth in bag.topics or not path.exists():
        if arguments.truth not in bag.topics and not arguments.truth.startswith("/"):
            raise SourceError(f"{arguments.truth} is neither a topic of {bag.path} nor a file")
        if arguments.unlisted or arguments.truth_format:
            raise UsageError("--unlisted and --truth-format are for files; images without a message are unlabelled")
        return read_topic(bag, arguments.truth, stamps_ns)
    if arguments.unlisted is None:
        raise UsageError(f"say what images are that {path} does not list: --unlisted negative or unlabelled")
    first = next(bag.images(arguments.topic, on_bad=lambda index, error: None, warn=lambda text: None), None)
    if first is None:
        raise SourceError(f"{bag.path} has no image that can be decoded")
    return read_file(
        path, (first.width, first.height), len(stamps_ns), unlisted=arguments.unlisted, kind=arguments.truth_format
    )


def _keep(arguments: argparse.Namespace, goals: Sequence[ScriptedGoal], bag: Bag, result: BagRun) -> None:
    """Leave a finished run of the suite `bag`."""
    names = ("bag", "goals", "truth", "tracker", "model_latency", "model_latency_ms", "frame_latency")
    settings = {name: getattr(arguments, name) for name in names} | {"model": model_name(arguments, goals) or None}
    told = {name: str(value) for name, value in settings.items() if value is not None}
    frames = bag.images(arguments.topic, on_bad=lambda index, error: None, warn=lambda text: None)
    with write_run(arguments.out, header_of(BAG, {"split": BAG.split(None), **told}, result.goals)) as run:
        for row in goal_rows(result.goals, frames):
            if row["name"] in run.missing:
                run.append(row, [])
        run.finish()


def _frame_latency(text: str) -> str:
    if text == MEASURED:
        raise argparse.ArgumentTypeError(f"{MEASURED} would give other figures every time; give fixed: or file:")
    return text


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
    table = [[name[:NAME_WIDTH], *row] for name, row in zip(names, rows, strict=True)]
    first, *others = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))])
        for row in table
    ]
    for variant in VARIANTS[1:] if together["single"] else ():
        shown = "   ".join(f"{key} {value:.3f}" for key, value in together["single"][variant].items())
        lines.append(f"{variant}: {shown}")
    for item in goals if together["streaming"] else ():
        shown = "   ".join(f"{key} {value:.3f}" for key, value in (item["streaming"] or {}).items())
        lines.append(f"{item['name']}: streaming: {shown or '-'}")
    if document["box_age"]:
        ages = ", ".join(f"{key.removesuffix('_ms')} {value:.0f}" for key, value in document["box_age"].items())
        lines.append(f"{document['images_dropped']} images dropped; age of boxes in ms: {ages}")
    lines += [f"{item['name']}: {item['outcome']}: {item['message']}" for item in goals]
    return "\n".join(lines)


def _row(item: dict[str, Any]) -> list[str]:
    single = (item["single"] or {}).get(VARIANTS[0], {})
    return [
        ",".join(map(str, item["targets"])),
        "" if item["labelled"] is None else str(item["labelled"]),
        *(_cell(single.get(key)) for key in SINGLE.values()),
        _cell(item["first_track_s"]),
        "-" if item["returns"] is None else f"{item['recovered']}/{item['returns']}",
        "-" if item["switches"] is None else str(item["switches"]),
        _cell(item["ghosts"]),
        *(_cell(item["several"].get(key)) for key in SEVERAL.values()),
    ]


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

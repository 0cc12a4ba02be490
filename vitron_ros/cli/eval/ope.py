"""One-pass evaluation of box trackers. Each starts at the first true box and is never corrected.

All go through the frames side by side. Frames without the target are not scored (the variant `visible-frames`,
docs/evaluation.md: toolkits differ). ms_per_frame is CPU time on one core without decoding; means are over sequences.
With --out, `vitron eval report` and `compare` read the predictions.
"""

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from vitron_ros.cli.options import add_json_option
from vitron_ros.evaluation.datasets import Sequence, load_sequences
from vitron_ros.evaluation.metrics.visible_frames import VARIANT
from vitron_ros.evaluation.one_pass import Run, evaluate
from vitron_ros.evaluation.predictions import RunWriter, write_run
from vitron_ros.evaluation.runner import header_of
from vitron_ros.evaluation.suite import find_suite
from vitron_ros.evaluation.tracking_rows import tracking_row
from vitron_ros.tracking.trackers import TRACKERS, make_tracker

EPILOG = "example: vitron eval ope DATASET --tracker default --tracker csrt --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dataset",
        type=Path,
        help="folder as of LaSOT, GOT-10k, VOT, OTB, DAVIS, UAV123 or TrackingNet, or of <name>/frames/ with "
        "<name>/groundtruth.txt (x,y,w,h)",
    )
    parser.add_argument(
        "--tracker", action="append", metavar="NAME", help=f"may be repeated: {', '.join(TRACKERS)} [default]"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the predictions, a run of `boxes` a tracker")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    names = list(dict.fromkeys(arguments.tracker or ["default"]))
    for name in names:
        make_tracker(name)  # an unknown name is refused before any work
    sequences = load_sequences(arguments.dataset)
    cv2.setNumThreads(1)
    with ExitStack() as stack:
        bar = stack.enter_context(tqdm(total=sum(map(len, sequences)), unit="frame", file=sys.stderr, disable=None))
        runs: dict[str, RunWriter] = {}
        if arguments.out is not None:
            suite = find_suite("boxes")
            for name in names:
                header = header_of(suite, {"split": suite.split(None), "tracker": name}, sequences)
                runs[name] = stack.enter_context(write_run(arguments.out / name.replace("/", "-"), header))

        def keep(name: str, sequence: Sequence, run: Run) -> None:
            if name in runs and sequence.name in runs[name].missing:
                runs[name].append(*tracking_row(sequence, run))

        results = evaluate(names, make_tracker, sequences, on_frames=bar.update, on_run=keep)
        for finished in runs.values():
            finished.finish()
    if arguments.json:
        print(json.dumps({"variant": VARIANT, "trackers": results}))
    else:
        print(_table(results))
    return 0


def _table(results: list[dict[str, Any]]) -> str:
    rows = [[f"AUC ({VARIANT})", *(tracker["name"] for tracker in results)]]
    for name in results[0]["sequences"]:
        rows.append([name, *(f"{tracker['sequences'][name]['auc']:.3f}" for tracker in results)])
    for key in ("mean_auc", "precision_20px", "norm_precision", "ms_per_frame"):
        rows.append([key, *(f"{tracker[key]:.3f}" for tracker in results)])
    lines = ["".join([row[0].ljust(24), *(cell.rjust(10) for cell in row[1:])]) for row in rows]
    frames, absent = (
        sum(item[key] for item in results[0]["sequences"].values()) for key in ("frames", "frames_absent")
    )
    if absent:
        lines.append(f"{absent} of {frames} frames, in which the target is absent, are not scored")
    return "\n".join(lines)

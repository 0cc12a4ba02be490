"""Measure trackers against ground truth.

`ope`: one-pass evaluation of box trackers. Each starts at the first true box and is never corrected; all go through the
frames side by side. ms_per_frame is CPU time on one core without decoding; means are over sequences.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from vitron_ros.evaluation.datasets import load_sequences
from vitron_ros.evaluation.one_pass import evaluate
from vitron_ros.tracking.trackers import TRACKERS, make_tracker

EPILOG = "example: vitron eval ope DATASET --tracker default --tracker csrt --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    suites = parser.add_subparsers(dest="suite", metavar="SUITE", required=True)
    ope = suites.add_parser("ope", help="one-pass evaluation of box trackers", epilog=EPILOG)
    ope.add_argument("dataset", type=Path, help="folder of <name>/frames/*.jpg with <name>/groundtruth.txt (x,y,w,h)")
    ope.add_argument(
        "--tracker", action="append", metavar="NAME", help=f"may be repeated: {', '.join(TRACKERS)} [default]"
    )
    ope.add_argument("--json", action="store_true", help="print the result as JSON on stdout")


def run(arguments: argparse.Namespace) -> int:
    names = list(dict.fromkeys(arguments.tracker or ["default"]))
    for name in names:
        make_tracker(name)  # an unknown name is refused before any work
    sequences = load_sequences(arguments.dataset)
    cv2.setNumThreads(1)
    with tqdm(total=sum(map(len, sequences)), unit="frame", file=sys.stderr, disable=None) as bar:
        results = evaluate(names, make_tracker, sequences, on_frames=bar.update)
    if arguments.json:
        print(json.dumps({"trackers": results}))
    else:
        print(_table(results))
    return 0


def _table(results: list[dict[str, Any]]) -> str:
    rows = [["AUC", *(tracker["name"] for tracker in results)]]
    for name in results[0]["sequences"]:
        rows.append([name, *(f"{tracker['sequences'][name]['auc']:.3f}" for tracker in results)])
    for key in ("mean_auc", "precision_20px", "norm_precision", "ms_per_frame"):
        rows.append([key, *(f"{tracker[key]:.3f}" for tracker in results)])
    return "\n".join("".join([row[0].ljust(24), *(cell.rjust(10) for cell in row[1:])]) for row in rows)

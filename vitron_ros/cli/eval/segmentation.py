"""The embedded masks of images and clips against true ones, beside GrabCut and the box."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vitron_ros.cli.numbers import whole
from vitron_ros.cli.options import add_json_option
from vitron_ros.evaluation.datasets.masked_sequences import load_masked_sequences
from vitron_ros.evaluation.segmentation import evaluate, task_frames

EPILOG = "example: vitron eval segmentation DATASET --every 12 --pictures out/masks --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, help="folder of <name>/frames/ with <name>/masks/ and groundtruth.txt")
    parser.add_argument(
        "--every", type=whole(1), default=1, metavar="N", help="segment every so many frames as single images (1)"
    )
    parser.add_argument("--sequences", type=whole(1), metavar="N", help="only the first so many")
    parser.add_argument("--processes", type=whole(1, 64), default=2, metavar="N", help="side by side (2)")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write two pictures a sequence")
    add_json_option(parser, "all figures")


def run(arguments: argparse.Namespace) -> int:
    sequences = load_masked_sequences(arguments.dataset)[: arguments.sequences]
    with tqdm(total=task_frames(sequences, arguments.every), unit="frame", file=sys.stderr, disable=None) as bar:
        results = evaluate(sequences, arguments.every, arguments.pictures, arguments.processes, bar.update)
    print(json.dumps(results) if arguments.json else f"{_table(results['images'])}\n\n{_table(results['clips'])}")
    return 0


def _table(methods: dict[str, Any]) -> str:
    """A row a sequence and one for the means; the first figure of each method, and at the end all of them."""
    figures = next(iter(methods.values()))
    keys = [key for key in figures if key not in ("frames", "sequences")]
    rows = [[keys[0], *methods]]
    for name in figures["sequences"]:
        rows.append([name, *(f"{method['sequences'][name][keys[0]]:.3f}" for method in methods.values())])
    rows.extend([f"mean {key}", *(f"{method[key]:.3f}" for method in methods.values())] for key in keys)
    lines = ["".join([row[0].ljust(24), *(cell.rjust(25) for cell in row[1:])]) for row in rows]
    return "\n".join([*lines, f"{figures['frames']} frames"])

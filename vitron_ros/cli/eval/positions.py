"""Positions in space against the truth of a recording with depth, also with depth that is noisy, late or wrong."""

import argparse
import json
from pathlib import Path
from typing import Any

from vitron_ros.cli.numbers import whole
from vitron_ros.cli.options import add_json_option
from vitron_ros.config import DepthConfig
from vitron_ros.evaluation.plots import paths_svg
from vitron_ros.evaluation.positions import NOISE_AND_HOLES, evaluate, paths, read_recording
from vitron_ros.recordings.output import write_bytes

EPILOG = "example: vitron eval positions bags/depth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, help="a bag as bags/make_depth.py writes it")
    parser.add_argument("--tracker", default="default", help="box tracker (default)")
    parser.add_argument("--frames", type=whole(1), metavar="N", help="only the first so many images")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE.svg", help="draw the positions from noisy depth with holes"
    )
    add_json_option(parser, "condition -> figures")


def run(arguments: argparse.Namespace) -> int:
    recording = read_recording(arguments.recording, arguments.tracker, arguments.frames)
    figures = evaluate(recording, DepthConfig())
    if arguments.picture is not None:
        write_bytes(arguments.picture, paths_svg(paths(recording, NOISE_AND_HOLES, DepthConfig())))
    print(json.dumps(figures) if arguments.json else _table(figures))
    return 0


def _table(figures: dict[str, dict[str, Any]]) -> str:
    """A row for each condition, the mean error of each target beside that of all."""
    targets = list(next(iter(figures.values()))["targets"])
    rows = [["depth", "placed", "mean error", "p95", *targets, "most frequent reason"]]
    for name, found in figures.items():
        reasons = {key: count for key, count in found["statuses"].items() if key != "OK"}
        rows.append(
            [
                name,
                f"{found['placed']:.0%}",
                _percent(found["mean_error"]),
                _percent(found["p95_error"]),
                *(_percent(found["targets"][target]["mean_error"]) for target in targets),
                max(reasons, key=lambda key: reasons[key], default=""),
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"

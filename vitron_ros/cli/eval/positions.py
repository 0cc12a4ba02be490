"""Positions in space against the truth of a recording with depth, also with depth that is noisy, late or wrong."""

import argparse
import json
from pathlib import Path
from typing import Any

from vitron_ros.cli.options import add_json_option
from vitron_ros.config import DepthConfig
from vitron_ros.evaluation.positions import evaluate, read_recording

EPILOG = "example: vitron eval positions bags/depth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, help="a bag as bags/make_depth.py writes it")
    parser.add_argument("--tracker", default="default", help="box tracker (default)")
    add_json_option(parser, "condition -> figures")


def run(arguments: argparse.Namespace) -> int:
    figures = evaluate(read_recording(arguments.recording, arguments.tracker), DepthConfig())
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

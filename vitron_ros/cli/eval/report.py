"""Figures, tables, pictures and a page from the predictions of a run, and from nothing else."""

import argparse
import json
from pathlib import Path

from vitron_ros.cli.options import add_json_option
from vitron_ros.evaluation.report import write_report
from vitron_ros.evaluation.tables import figure_text

EPILOG = "example: vitron eval report out/davis"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a finished run")
    parser.add_argument("--no-latency", action="store_true", help="leave out what the clock said, which no run repeats")
    add_json_option(parser, "report.json")


def run(arguments: argparse.Namespace) -> int:
    document = write_report(arguments.folder, with_latency=not arguments.no_latency)
    if arguments.json:
        print(json.dumps(document))
        return 0
    for variant, figures in document["figures"].items():
        print(f"{variant}: {', '.join(f'{name} {figure_text(value)}' for name, value in figures.items())}")
    print(f"{document['samples'] - len(document['failed'])} of {document['samples']} samples")
    print(arguments.folder / "report.html")
    return 0

"""The archive that a benchmark's server takes, from the predictions of a run."""

import argparse
from pathlib import Path

from vitron_ros.evaluation.predictions import read_run
from vitron_ros.evaluation.submission import SERVERS, write_submission

EPILOG = "example: vitron eval submit out/got10k --archive out/got10k.zip"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help=f"of a finished run of {' or '.join(SERVERS)}")
    parser.add_argument("--archive", type=Path, metavar="FILE", help="to write (default: FOLDER/submission.zip)")


def run(arguments: argparse.Namespace) -> int:
    archive = arguments.archive or arguments.folder / "submission.zip"
    sequences = write_submission(read_run(arguments.folder), archive)
    print(f"{sequences} sequences are in {archive}")
    return 0

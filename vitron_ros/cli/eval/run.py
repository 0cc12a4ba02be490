"""Raw predictions of a suite. A run that was killed goes on where it ended."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from vitron_ros.cli.exit_code import DONE, FAILED
from vitron_ros.cli.numbers import whole
from vitron_ros.cli.options import add_model_options, model_run
from vitron_ros.errors import UsageError
from vitron_ros.evaluation.execution import executor
from vitron_ros.evaluation.predictions import FILE
from vitron_ros.evaluation.runner import run_suite
from vitron_ros.evaluation.suite import SUITES, find_suite
from vitron_ros.streaming.models import BUNDLED
from vitron_ros.tracking.trackers import TRACKERS, make_tracker

EPILOG = "example: vitron eval run davis-sot DATA --out out/davis --tracker default --processes 2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", metavar="SUITE", help=f"one of {', '.join(SUITES)}")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of the data set")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the predictions")
    parser.add_argument("--split", metavar="NAME", help="of the data set (default: the one that is evaluated)")
    parser.add_argument("--tracker", default="default", metavar="NAME", help=f"{', '.join(TRACKERS)} (default)")
    parser.add_argument("--model", metavar="NAME", help=f"name or folder, for suites that begin with words ({BUNDLED})")
    add_model_options(parser)
    parser.add_argument("--processes", type=whole(1, 256), default=1, metavar="N", help="side by side (1)")
    parser.add_argument("--ray", metavar="ADDRESS", help='a Ray cluster in place of processes, such as "auto"')
    parser.add_argument("--retry-failed", action="store_true", help="do sequences again that failed")


def run(arguments: argparse.Namespace) -> int:
    suite = find_suite(arguments.suite)
    make_tracker(arguments.tracker)  # an unknown name is refused before any work
    if arguments.model is not None and not suite.has_phrase:
        with_model = ", ".join(suite.name for suite in SUITES.values() if suite.has_phrase)
        raise UsageError(f"{suite.name} begins with a box and asks no model; --model is for {with_model}")
    settings = {"split": suite.split(arguments.split), "tracker": arguments.tracker}
    if suite.has_phrase:
        settings |= {"model": arguments.model or BUNDLED, **asdict(model_run(arguments))}
    with tqdm(unit="frame", file=sys.stderr, disable=None) as bar:

        def show(done: int, frames: int) -> None:
            bar.total = frames
            bar.update(done)

        finished = run_suite(
            suite,
            arguments.data,
            settings,
            arguments.out,
            executor(arguments.processes, arguments.ray),
            retry_failed=arguments.retry_failed,
            on_frames=show,
        )
    print(f"{len(finished.predicted)} of {len(finished.rows)} sequences are in {arguments.out / FILE}")
    for name, reason in finished.failed.items():
        print(f"{name} failed: {reason}", file=sys.stderr)
    return FAILED if finished.failed else DONE

"""Raw predictions of a suite. A run that was killed goes on where it ended."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vitron_ros.cli.exit_code import DONE, FAILED
from vitron_ros.cli.numbers import number, whole
from vitron_ros.cli.options import add_model_options, model_run
from vitron_ros.errors import UsageError
from vitron_ros.evaluation.execution import executor
from vitron_ros.evaluation.predictions import FILE
from vitron_ros.evaluation.run_settings import ORACLE
from vitron_ros.evaluation.runner import run_suite
from vitron_ros.evaluation.stream_modes import MODES
from vitron_ros.evaluation.suite import SUITES, Suite, find_suite
from vitron_ros.evaluation.tasks.streams import BOX, PHRASE
from vitron_ros.tracking.trackers import TRACKERS

EPILOG = """examples:
  vitron eval run davis-sot DATA --out out/davis --tracker default --processes 2
  vitron eval run refcoco DATA --out out/refcoco --split testA --model IDEA-Research/grounding-dino-tiny"""
INPUTS: dict[str, dict[str, Any]] = {
    "tracker": {"metavar": "NAME", "help": f"box tracker: {', '.join(TRACKERS)} (default)"},
    "model": {"metavar": "NAME", "help": "name, folder, hub id or address of what is asked (default: the bundled one)"},
    "segmenter": {"metavar": "NAME", "help": "folder or hub id of what makes masks (default: the embedded one)"},
    "editor": {"metavar": "NAME", "help": "folder or hub id of what edits (default: the embedded one)"},
    "generator": {"metavar": "NAME", "help": "folder or hub id of what draws (default: the embedded one)"},
    "method": {"metavar": "NAME", "help": "of suites that compare methods; the report's protocol names them"},
    "every": {"type": whole(1), "metavar": "N", "help": "take every so many images (default: all)"},
    "checks": {"choices": ("on", "off"), "help": "whether the runtime's checks decide what counts (default: off)"},
    "min_score": {
        "type": number(0, 1),
        "metavar": "SCORE",
        "help": "from which an answer counts (default: the node's model_min_score)",
    },
    "mode": {"choices": MODES, "help": "of `stream` (default: full)"},
    "latency_ms": {"type": whole(0), "metavar": "MS", "help": "of `stream`: what a call of the model takes (200)"},
    "start": {"choices": (PHRASE, BOX), "help": "of `stream`: what targets are given by (default: phrase)"},
    "oracle": {"metavar": "NOISE,MISS,MISTAKE", "help": f"of `stream`: how --model {ORACLE} errs"},
    "phrase": {"metavar": "TEXT", "help": "what to follow, of many objects (default: all the people)"},
    "instruction": {"metavar": "TEXT", "help": "after each question (default: to answer shortly); may be empty"},
}
"""Settings of tasks, as options; the defaults are the tasks' own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", metavar="SUITE", help=f"one of {', '.join(SUITES)}")
    parser.add_argument(
        "data",
        type=Path,
        nargs="?",
        metavar="DATA",
        help="folder of the data set, or its file; some suites make theirs",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the predictions")
    parser.add_argument("--split", metavar="NAME", help="of the data set (default: the one that is evaluated)")
    for name, option in INPUTS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **option)
    add_model_options(parser)
    parser.add_argument("--limit", type=whole(1), metavar="N", help="the first so many samples (all)")
    parser.add_argument("--processes", type=whole(1, 256), default=1, metavar="N", help="side by side (1)")
    parser.add_argument("--ray", metavar="ADDRESS", help='a Ray cluster in place of processes, such as "auto"')
    parser.add_argument("--retry-failed", action="store_true", help="do samples again that failed")


def run(arguments: argparse.Namespace) -> int:
    suite = find_suite(arguments.suite)
    if (arguments.data is None) is not suite.dataset.is_made:
        raise UsageError(
            f"{suite.name} makes its data; leave DATA out" if arguments.data else f"{suite.name} needs DATA"
        )
    settings = {"split": suite.split(arguments.split), **_inputs(suite, arguments)}
    with tqdm(unit=suite.task.unit, file=sys.stderr, disable=None) as bar:

        def show(done: int, whole_work: int) -> None:
            bar.total = whole_work
            bar.update(done)

        finished = run_suite(
            suite,
            arguments.data or Path(),
            settings,
            arguments.out,
            executor(arguments.processes, arguments.ray),
            limit=arguments.limit,
            retry_failed=arguments.retry_failed,
            on_done=show,
        )
    print(f"{len(finished.predicted)} of {len(finished.rows)} samples are in {arguments.out / FILE}")
    for name, reason in finished.failed.items():
        print(f"{name} failed: {reason}", file=sys.stderr)
    return FAILED if finished.failed else DONE


def _inputs(suite: Suite, arguments: argparse.Namespace) -> dict[str, str]:
    """The settings of the suite's task.

    Raises:
        UsageError: an option is given that the suite has no use for.
    """
    wanted = suite.task.inputs
    for name in INPUTS:
        if getattr(arguments, name) is not None and name not in wanted:
            having = ", ".join(other.name for other in SUITES.values() if name in other.task.inputs)
            raise UsageError(f"{suite.name} has no use for --{name.replace('_', '-')}; it is for {having}")
    run = asdict(model_run(arguments))
    given = {name: _or(getattr(arguments, name), default) for name, default in wanted.items() if name in INPUTS}
    return {**given, **{name: value for name, value in run.items() if "model" in wanted or name in wanted}}


def _or(value: object, default: str) -> str:
    return default if value is None else str(value)

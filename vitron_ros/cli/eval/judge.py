"""Let a language model judge the answers of a run, for `vitron eval report`.

The judge is a model of an OpenAI-compatible server, or "exact", which wants the same words and needs no model. A reply
that cannot be read counts as wrong and is counted. Figures of different judges do not compare.
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from vitron_ros.evaluation.judging import judge_run
from vitron_ros.evaluation.metrics.judge import exact_match_judge, server_judge

EPILOG = "example: vitron eval judge out/msvd-qa --judge http://127.0.0.1:8000/v1#Qwen3-8B"
EXACT = "exact"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a finished run")
    parser.add_argument("--judge", default=EXACT, metavar="ADDRESS", help=f"of the server, and #MODEL; or {EXACT}")


def run(arguments: argparse.Namespace) -> int:
    judge = exact_match_judge() if arguments.judge == EXACT else server_judge(arguments.judge)
    with tqdm(unit="answer", file=sys.stderr, disable=None) as bar:

        def show(done: int, answers: int) -> None:
            bar.total = answers
            bar.update(done)

        judged = judge_run(arguments.folder, judge, show)
    print(f"{len(judged.rows)} answers judged by {judge.title}; now: vitron eval report {arguments.folder}")
    return 0

"""Does a model do what it is asked, and nothing else?

Every sentence of a suite is given twice: with the runtime's checks of text and boxes, and without them.
"""

import argparse
import json
import sys
from pathlib import Path

from tqdm import tqdm

from vitron_ros.cli.options import add_json_option, add_min_score_option, add_model_options, model_run
from vitron_ros.evaluation.language import (
    SentenceCase,
    SentenceResult,
    SentenceScore,
    figures,
    read_suite,
    right_lost,
    run_case,
    score_result,
)
from vitron_ros.frame import Frame
from vitron_ros.offline.question import frames_of
from vitron_ros.recordings.sources import open_source
from vitron_ros.streaming.models import BUNDLED, load_model

EPILOG = "example: vitron eval language bags/language.yaml --json"
COLUMNS = ("right", "wrong_actions", "wrong_boxes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="suite", help="YAML file of sentences and what is right")
    parser.add_argument("--model", default=BUNDLED, help=f"name or folder ({BUNDLED})")
    add_model_options(parser)
    add_min_score_option(parser)
    parser.add_argument("--wrong", action="store_true", help="list the sentences that end wrong with the checks")
    add_json_option(parser, "figures and all sentences")


def run(arguments: argparse.Namespace) -> int:
    cases = read_suite(arguments.dataset)
    model = load_model(arguments.model, model_run(arguments))
    clips: dict[tuple[str, float | None], tuple[Frame, ...]] = {}
    said: list[tuple[SentenceResult, SentenceResult]] = []
    scored: list[tuple[SentenceScore, SentenceScore]] = []
    for case in tqdm(cases, unit="sentence", file=sys.stderr, disable=None):
        place = case.source, case.at_s
        if place not in clips:
            source = open_source(str(arguments.dataset.parent / case.source))
            clips[place] = frames_of(source, model.max_frames, case.at_s)
        frames = clips[place]
        results = [run_case(model, case, frames, arguments.min_score, is_checked=checked) for checked in (False, True)]
        said.append((results[0], results[1]))
        before, after = (score_result(case, result, frames[-1].width, frames[-1].height) for result in results)
        scored.append((before, after))
    before_all, after_all = [pair[0] for pair in scored], [pair[1] for pair in scored]
    unchecked, checked = figures(cases, before_all), figures(cases, after_all)
    lost = right_lost(before_all, after_all)
    if arguments.json:
        sentences = [_as_json(case, *results, *pair) for case, results, pair in zip(cases, said, scored, strict=True)]
        document = {"unchecked": unchecked, "checked": checked, "right_lost": lost, "sentences": sentences}
        print(json.dumps(document))
        return 0
    print(_table(unchecked, checked))
    print(f"right without the checks and not with them: {lost} % of all")
    if arguments.wrong:
        for case, (_, result), (_, after) in zip(cases, said, scored, strict=True):
            if not after.is_right:
                print(f"{case.kind}: {case.text!r} expects {case.expect}: {_told(result)}")
    return 0


def _table(before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]) -> str:
    rows = [["kind", "sentences", *(f"{name} %" for name in COLUMNS)]]
    for kind, row in after.items():
        changes = [f"{before[kind][name]:g} -> {row[name]:g}" for name in COLUMNS]
        rows.append([kind, f"{row['sentences']:g}", *changes])
    return "\n".join(
        "".join([row[0].ljust(18), row[1].rjust(10), *(cell.rjust(20) for cell in row[2:])]) for row in rows
    )


def _told(result: SentenceResult) -> str:
    boxes = [[round(float(value)) for value in box] for box in result.boxes_xyxy]
    calls = (
        "" if result.invocation is None else f" {result.invocation.module.name} {list(result.invocation.instructions)}"
    )
    return f"{result.status.value} {result.score:.2f} {boxes or ''}{calls} {result.text!r} {result.message}"


def _as_json(
    case: SentenceCase, before: SentenceResult, after: SentenceResult, was: SentenceScore, now: SentenceScore
) -> dict[str, object]:
    return {
        "text": case.text,
        "kind": case.kind,
        "unchecked": {"right": was.is_right, "told": _told(before)},
        "checked": {"right": now.is_right, "told": _told(after)},
    }

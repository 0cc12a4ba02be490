"""Invocation data from captions, regions and tracks.

python -m training.invocations --source captions=cc3m.jsonl --source refcoco=data/refcoco --media data --out calls.jsonl
"""

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.annotations import IMAGE_SIGN, VIDEO_SIGN
from training.invocations.checks import reply_text
from training.invocations.generation import Amounts, Generated, generate
from training.invocations.paraphrase import ServerParaphraser, reworded
from training.invocations.samples import KINDS, Sample
from training.invocations.subjects import READERS, Subjects
from vitron_ros.cli.exit_code import DONE, FAILED, exit_code
from vitron_ros.cli.numbers import number, whole
from vitron_ros.errors import UsageError
from vitron_ros.recordings.output import replace_bytes

AMOUNTS = Amounts()
NAMED = 5  # records that cannot be used, on stderr


def main(argv: Sequence[str] | None = None) -> int:
    """Writes conversations as JSON lines; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.invocations",
        description="Requests, and replies that call expert modules, about annotated images and clips.",
        epilog="example: python -m training.invocations --source refcoco=data/refcoco --media data --out calls.jsonl",
    )
    parser.add_argument(
        "--source",
        action="append",
        required=True,
        metavar="READER=PATH",
        help=f"of captions, regions or tracks, see docs/training.md: {', '.join(READERS)}",
    )
    parser.add_argument("--media", type=Path, default=Path(), metavar="FOLDER", help="that files are named from (.)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="for the conversations, JSON lines")
    parser.add_argument(
        "--count", type=whole(1, 10**6), default=AMOUNTS.of_kind, metavar="N", help="of each kind (2000)"
    )
    parser.add_argument("--absent", type=number(0, 1), default=AMOUNTS.absent, metavar="SHARE", help="not there (0.1)")
    parser.add_argument(
        "--forbidden", type=number(0, 1), default=AMOUNTS.forbidden, metavar="SHARE", help="not to be done (0.03)"
    )
    parser.add_argument("--seed", type=whole(0, 10**9), default=0, help="of what is drawn (0)")
    parser.add_argument(
        "--paraphraser", metavar="ADDRESS", help="a model server that rewords, as http://127.0.0.1:8000/v1"
    )
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    return exit_code("invocations", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    subjects = _subjects(arguments)
    amounts = Amounts(of_kind=arguments.count, absent=arguments.absent, forbidden=arguments.forbidden)
    found = generate(subjects, amounts, arguments.seed)
    wordings: Counter[str] = Counter()
    if arguments.paraphraser:
        paraphraser = ServerParaphraser(arguments.paraphraser, arguments.seed)
        try:
            found.samples = list(reworded(found.samples, paraphraser, wordings))
        finally:
            paraphraser.close()
    lines = [json.dumps(entry(sample, place)) for place, sample in enumerate(found.samples)]
    replace_bytes(arguments.out, "".join(f"{line}\n" for line in lines).encode())
    for one in subjects.problems[:NAMED]:
        print(one, file=sys.stderr)
    print(json.dumps(report(found, wordings, len(subjects.problems)), indent=1))
    return DONE if found.samples else FAILED


def _subjects(arguments: argparse.Namespace) -> Subjects:
    subjects = Subjects()
    for source in arguments.source:
        reader, equals, path = source.partition("=")
        if not equals or not path:
            raise UsageError(f"{source!r} is no source; write it like regions=data/refcoco.json")
        subjects.read(reader, path, arguments.media)
    return subjects


def entry(sample: Sample, place: int) -> dict[str, Any]:
    """A conversation in LLaVA's form; what the request marks is `box`."""
    is_video = len(sample.media.files) == 1 and sample.media.is_clip
    shown = {"video": sample.media.files[0]} if is_video else {"image": list(sample.media.files)}
    sign = VIDEO_SIGN if is_video else IMAGE_SIGN
    said = (("human", f"{sign}\n{sample.request}"), ("gpt", reply_text(sample)))
    return {
        "id": f"invocation-{place:06d}",
        "kind": sample.kind,
        **shown,
        **({} if sample.mark is None else {"box": sample.mark}),
        "conversations": [{"from": who, "value": value} for who, value in said],
    }


def report(found: Generated, wordings: Counter[str], unusable: int) -> dict[str, Any]:
    """Counts: of each kind, of replies that decline, of what was refused, and of other wordings."""
    kinds = Counter(sample.kind for sample in found.samples)
    declines = Counter(
        "forbidden" if sample.is_forbidden else "absent" for sample in found.samples if sample.invocation is None
    )
    return {
        "samples": len(found.samples),
        "kinds": {kind.name: kinds[kind.name] for kind in KINDS},
        "declines": dict(declines),
        "different_requests": len({sample.request for sample in found.samples}),
        "refused": dict(found.refused.most_common()),
        "paraphrases": dict(wordings.most_common()),
        "unusable_records": unusable,
    }


if __name__ == "__main__":
    sys.exit(main())

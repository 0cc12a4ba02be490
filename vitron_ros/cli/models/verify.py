"""Read all that a model's folder holds, and say whether it fits together."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from vitron_ros.cli.models.kinds import config_of, is_for_modules
from vitron_ros.cli.options import add_json_option

if TYPE_CHECKING:
    from vitron_ros.grounding.model_files import Verdict

EPILOG = "example: vitron models verify models/vitron"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a checkpoint: directory, bundled name or hub id")
    parser.add_argument("--model-device", default="cpu", help="whose memory it has to fit: cpu, cuda or cuda:N")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    # Here, since --help does without torch and transformers.
    from vitron_ros.cli.models.module_models import verify_module_model
    from vitron_ros.grounding.families.published import verify_directory
    from vitron_ros.model.checkpoint import find_checkpoint
    from vitron_ros.model.device import find_device

    directory = find_checkpoint(args.model)
    verify = verify_module_model if is_for_modules(config_of(directory)) else verify_directory
    verdict = verify(directory, find_device(args.model_device))
    faults, report = verdict.problems, verdict.report
    if args.json:
        weights = None if report is None else asdict(report)
        print(json.dumps({"checkpoint": str(directory), "ok": not faults, "weights": weights, "faults": faults}))
    else:
        print("\n".join(verdict_lines(directory, verdict)))
    return 1 if faults else 0


def verdict_lines(directory: Path, verdict: "Verdict") -> list[str]:
    """What a person is told of a verdict; the last line is "ok" or "not ok"."""
    report, faults = verdict.report, verdict.problems
    lines = [f"{directory}: {report}"] if report is not None and report.is_complete else []
    return [*lines, *faults, "not ok" if faults else "ok"]

"""Long clips with phrases, in which targets hide and return, and a model that takes its time.

Modes: the fast loop alone, started on the true box (fast); the model alone, its last box held (model); its box put into
the fast loop without regard to its age (uncompensated); the pipeline (full). With --box-init every start is the true
box of the first frame, and the folder may be one of `ope`: does the model do harm where it knows nothing? Each mode and
latency is a run of the suite `stream`; with --out they are kept, for `vitron eval report` and `compare`.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
from tqdm import tqdm

from vitron_ros.cli.numbers import number, whole
from vitron_ros.cli.options import add_json_option, add_model_options, frame_rate, model_run
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.evaluation.datasets import box_file
from vitron_ros.evaluation.execution import in_processes
from vitron_ros.evaluation.predictions import Run
from vitron_ros.evaluation.run_settings import ORACLE
from vitron_ros.evaluation.runner import run_suite
from vitron_ros.evaluation.stream import figures
from vitron_ros.evaluation.stream_modes import BOX_MODES, MODES, Mode
from vitron_ros.evaluation.stream_oracle import OracleErrors
from vitron_ros.evaluation.suite import Suite, find_suite
from vitron_ros.evaluation.tasks.streams import BOX, BOXES, CLIPS, PHRASE, clip_score, stream_clips
from vitron_ros.recordings.frame_rates import DEFAULT_FPS
from vitron_ros.streaming.models import BUNDLED

EPILOG = "example: vitron eval stream out/streaming --model-latency-ms 50,200,1000,2000 --json"

Results = Mapping[Mode, Mapping[str, Mapping[str, Any]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    errors = OracleErrors()
    parser.add_argument("dataset", type=Path, help="folder of <name>/frames/*.jpg with <name>/truth.json")
    parser.add_argument(
        "--model", default=BUNDLED, help=f"name or folder, or {ORACLE}: the truth with errors ({BUNDLED})"
    )
    add_model_options(parser)
    parser.add_argument("--model-latency-ms", default="50,200,1000,2000", metavar="MS,...", help="of each call")
    parser.add_argument("--modes", metavar="MODE,...", help=f"{','.join(MODES)} (all)")
    parser.add_argument("--box-init", action="store_true", help="start on the true boxes; modes fast and full")
    parser.add_argument("--clips", type=whole(1), help="only the first so many")
    parser.add_argument(
        "--fps",
        type=frame_rate,
        default=DEFAULT_FPS,
        help=f"of a data set of `ope` ({DEFAULT_FPS:g})",
    )
    parser.add_argument("--tracker", default="default", help="box tracker of the fast loop (default)")
    parser.add_argument(
        "--oracle-noise", type=number(0, 1), default=errors.noise, help="of its edges, in sides of the box"
    )
    parser.add_argument("--oracle-miss", type=number(0, 1), default=errors.miss, help="share of replies that say none")
    parser.add_argument(
        "--oracle-mistake", type=number(0, 1), default=errors.mistake, help="... that show another object"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the predictions, a run a mode and latency")
    add_json_option(parser, "mode -> latency -> figures")


def run(arguments: argparse.Namespace) -> int:
    latencies_ms = _latencies_ms(arguments.model_latency_ms)
    modes = _modes(arguments.modes, from_box=arguments.box_init)
    suite = replace(find_suite("stream"), dataset=stream_clips(arguments.fps))
    combinations = [(mode, ms) for mode in modes for ms in (latencies_ms[:1] if mode == "fast" else latencies_ms)]
    settings = {pair: _settings(arguments, *pair) for pair in combinations}
    for own in settings.values():
        suite.task.check(own)
    cv2.setNumThreads(1)
    with (
        TemporaryDirectory() as temporary,
        tqdm(total=len(combinations), unit="run", file=sys.stderr, disable=None) as bar,
    ):
        found: dict[tuple[Mode, int], dict[str, Any]] = {}
        for (mode, ms), own in settings.items():
            folder = (arguments.out or Path(temporary)) / (mode if mode == "fast" else f"{mode}-{ms}ms")
            found[mode, ms] = _figures(_run(suite, arguments, own, folder))
            bar.update()
    results: Results = {
        mode: {str(ms): found[mode, latencies_ms[0] if mode == "fast" else ms] for ms in latencies_ms} for mode in modes
    }
    print(json.dumps(results) if arguments.json else _table(results))
    return 0


def _run(suite: Suite, arguments: argparse.Namespace, settings: Mapping[str, str], folder: Path) -> Run:
    finished = run_suite(suite, arguments.dataset, settings, folder, in_processes(1), limit=arguments.clips)
    for name, reason in finished.failed.items():
        raise SourceError(f"{name}: {reason}")
    return finished


def _settings(arguments: argparse.Namespace, mode: Mode, latency_ms: int) -> dict[str, str]:
    is_data_set = any(map(box_file, (arguments.dataset, *arguments.dataset.glob("*/"))))
    return {
        "split": BOXES if arguments.box_init and is_data_set else CLIPS,
        "mode": mode,
        "latency_ms": str(latency_ms),
        "start": BOX if arguments.box_init else PHRASE,
        "tracker": arguments.tracker,
        "model": arguments.model,
        "oracle": f"{arguments.oracle_noise},{arguments.oracle_miss},{arguments.oracle_mistake}",
        **asdict(model_run(arguments)),
    }


def _figures(finished: Run) -> dict[str, Any]:
    return figures([clip_score(row, finished) for row in finished.predicted])


def _latencies_ms(text: str) -> list[int]:
    try:
        latencies_ms = [int(word) for word in text.split(",")]
    except ValueError:
        latencies_ms = []
    if not latencies_ms or min(latencies_ms) < 0:
        raise ConfigError(f"--model-latency-ms {text!r} is not a list of milliseconds; write it like 50,200,1000")
    return list(dict.fromkeys(latencies_ms))


def _modes(text: str | None, *, from_box: bool) -> list[Mode]:
    allowed = BOX_MODES if from_box else MODES
    words = list(allowed) if text is None else list(dict.fromkeys(text.split(",")))
    unknown = [word for word in words if word not in allowed]
    if unknown:
        start = " with --box-init" if from_box else ""
        raise ConfigError(f"there is no mode {', '.join(unknown)}{start}; there are {', '.join(allowed)}")
    return [mode for mode in allowed if mode in words]


def _table(results: Results) -> str:
    keys = ("auc", "id_switch_free", "recovered_1s", "ghosts", "box_age_p50_ms", "box_age_p99_ms")
    rows = [["mode", "latency_ms", *keys]]
    for mode, by_latency in results.items():
        for latency_ms, row in by_latency.items():
            shown = ["-" if row[key] is None else f"{row[key]:.3f}" for key in keys]
            rows.append([mode, latency_ms, *shown])
    first = next(iter(next(iter(results.values())).values()))
    counts = f"{first['clips']} clips, {first['targets']} targets, {first['returns']} returns"
    return "\n".join([*("".join(cell.rjust(16) for cell in row) for row in rows), counts])

"""Long clips with phrases, in which targets hide and return, and a model that takes its time.

Modes: the fast loop alone, started on the true box (fast); the model alone, its last box held (model); its box put into
the fast loop without regard to its age (uncompensated); the pipeline (full). With --box-init every start is the true
box of the first frame, and the folder may be one of `ope`: does the model do harm where it knows nothing?
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from vitron_ros.cli.numbers import number, whole
from vitron_ros.cli.options import add_json_option, add_model_options, frame_rate, model_run
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation import stream
from vitron_ros.evaluation.datasets import box_file, load_sequences
from vitron_ros.evaluation.stream_clips import StreamClip, clip_of_sequence, load_clips
from vitron_ros.evaluation.stream_modes import BOX_MODES, MODES, Mode
from vitron_ros.evaluation.stream_oracle import OracleErrors, OracleModel
from vitron_ros.recordings.output import write_json
from vitron_ros.recordings.sources import DEFAULT_FPS
from vitron_ros.streaming.models import BUNDLED, load_model
from vitron_ros.tracking.trackers import make_tracker

EPILOG = "example: vitron eval stream out/streaming --model-latency-ms 50,200,1000,2000 --json"
ORACLE = "oracle"


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
    parser.add_argument("--out", type=Path, help="JSON file for the figures of every target")
    add_json_option(parser, "mode -> latency -> figures")


def run(arguments: argparse.Namespace) -> int:
    latencies_ms = _latencies_ms(arguments.model_latency_ms)
    modes = _modes(arguments.modes, from_box=arguments.box_init)
    config = PipelineConfig(tracker=arguments.tracker)
    make_tracker(config.tracker)
    clips = _clips(arguments)[: arguments.clips]
    model_for = None if modes == ["fast"] else _model_for(arguments)
    cv2.setNumThreads(1)
    details: list[dict[str, Any]] = []
    runs = len(clips) * sum(1 if mode == "fast" else len(latencies_ms) for mode in modes)
    with tqdm(total=runs, unit="run", file=sys.stderr, disable=None) as bar:

        def note(clip: str, mode: Mode, latency_ms: int, scored: stream.ClipScore) -> None:
            for number, target in enumerate(scored.targets):
                details.append(
                    {"clip": clip, "mode": mode, "latency_ms": latency_ms, "target": number, **asdict(target)}
                )
            bar.update()

        results = stream.evaluate(
            clips, modes, latencies_ms, config, model_for, from_box=arguments.box_init, on_run=note
        )
    if arguments.out is not None:
        write_json(arguments.out, {"figures": results, "targets": details})
    print(json.dumps(results) if arguments.json else _table(results))
    return 0


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


def _clips(arguments: argparse.Namespace) -> list[StreamClip]:
    folder: Path = arguments.dataset
    is_data_set = any(map(box_file, (folder, *folder.glob("*/"))))
    if arguments.box_init and is_data_set:
        return [clip_of_sequence(sequence, arguments.fps) for sequence in load_sequences(folder)]
    return load_clips(folder)


def _model_for(arguments: argparse.Namespace) -> stream.ModelFor:
    if arguments.model == ORACLE:
        errors = OracleErrors(
            noise=arguments.oracle_noise, miss=arguments.oracle_miss, mistake=arguments.oracle_mistake
        )
        return lambda clip: OracleModel(clip.truth, errors)
    model = load_model(arguments.model, model_run(arguments))
    return lambda clip: model


def _table(results: stream.Results) -> str:
    keys = ("auc", "id_switch_free", "recovered_1s", "ghosts", "box_age_p50_ms", "box_age_p99_ms")
    rows = [["mode", "latency_ms", *keys]]
    for mode, by_latency in results.items():
        for latency_ms, figures in by_latency.items():
            shown = ["-" if figures[key] is None else f"{figures[key]:.3f}" for key in keys]
            rows.append([mode, latency_ms, *shown])
    first = next(iter(next(iter(results.values())).values()))
    counts = f"{first['clips']} clips, {first['targets']} targets, {first['returns']} returns"
    return "\n".join([*("".join(cell.rjust(16) for cell in row) for row in rows), counts])

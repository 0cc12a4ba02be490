"""Measure trackers against ground truth.

`ope`: one-pass evaluation of box trackers. Each starts at the first true box and is never corrected; all go through the
frames side by side; frames without the target are not scored (the variant `visible-frames`, docs/evaluation.md:
toolkits differ). ms_per_frame is CPU time on one core without decoding;
means are over sequences.

`stream`: long clips with phrases, in which targets hide and return, and a model that takes its time. Modes: the fast
loop alone, started on the true box (fast); the model alone, its last box held (model); its box put into the fast loop
without regard to its age (uncompensated); the pipeline (full). With --box-init every start is the true box of the first
frame, and the folder may be one of `ope`: does the model do harm where it knows nothing?

`language`: sentences that are said to a model, with the runtime's checks of words and deeds and without them.

`segmentation`: masks of single images, from the true box, and of clips, from the first frame; without weights.

`editing`: objects removed where the background is known, beside OpenCV's inpainting, and recoloured.

`generation`: prompts drawn by a module, and whether what was asked for is there.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from vitron_ros.cli import eval_editing, eval_generation, eval_language, eval_segmentation
from vitron_ros.cli.numbers import number, whole
from vitron_ros.cli.options import add_json_option, add_model_options, frame_rate, model_run
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation import stream
from vitron_ros.evaluation.datasets import box_file, load_sequences
from vitron_ros.evaluation.metrics.visible_frames import VARIANT
from vitron_ros.evaluation.one_pass import evaluate
from vitron_ros.evaluation.stream_clips import StreamClip, clip_of_sequence, load_clips
from vitron_ros.evaluation.stream_modes import BOX_MODES, MODES, Mode
from vitron_ros.evaluation.stream_oracle import OracleErrors, OracleModel
from vitron_ros.recordings.output import write_json
from vitron_ros.recordings.sources import DEFAULT_FPS
from vitron_ros.streaming.models import BUNDLED, load_model
from vitron_ros.tracking.trackers import TRACKERS, make_tracker

EPILOG = "example: vitron eval ope DATASET --tracker default --tracker csrt --json"
STREAM = "example: vitron eval stream out/streaming --model-latency-ms 50,200,1000,2000 --json"
ORACLE = "oracle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    suites = parser.add_subparsers(dest="suite", metavar="SUITE", required=True)
    ope = suites.add_parser("ope", help="one-pass evaluation of box trackers", epilog=EPILOG)
    ope.add_argument("dataset", type=Path, help="folder of <name>/frames/ with <name>/groundtruth.txt (x,y,w,h)")
    ope.add_argument(
        "--tracker", action="append", metavar="NAME", help=f"may be repeated: {', '.join(TRACKERS)} [default]"
    )
    add_json_option(ope)
    language = suites.add_parser("language", help="sentences and what must come of them", epilog=eval_language.EPILOG)
    eval_language.add_arguments(language)
    segmentation = suites.add_parser("segmentation", help="masks of images and clips", epilog=eval_segmentation.EPILOG)
    eval_segmentation.add_arguments(segmentation)
    editing = suites.add_parser("editing", help="removal and recolouring", epilog=eval_editing.EPILOG)
    eval_editing.add_arguments(editing)
    generation = suites.add_parser("generation", help="images from text", epilog=eval_generation.EPILOG)
    eval_generation.add_arguments(generation)
    _add_stream_arguments(suites.add_parser("stream", help="long clips with phrases and a slow model", epilog=STREAM))


def _add_stream_arguments(parser: argparse.ArgumentParser) -> None:
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
    suites = {
        "ope": _run_ope,
        "stream": _run_stream,
        "language": eval_language.run,
        "segmentation": eval_segmentation.run,
        "editing": eval_editing.run,
        "generation": eval_generation.run,
    }
    return suites[arguments.suite](arguments)


def _run_ope(arguments: argparse.Namespace) -> int:
    names = list(dict.fromkeys(arguments.tracker or ["default"]))
    for name in names:
        make_tracker(name)  # an unknown name is refused before any work
    sequences = load_sequences(arguments.dataset)
    cv2.setNumThreads(1)
    with tqdm(total=sum(map(len, sequences)), unit="frame", file=sys.stderr, disable=None) as bar:
        results = evaluate(names, make_tracker, sequences, on_frames=bar.update)
    if arguments.json:
        print(json.dumps({"variant": VARIANT, "trackers": results}))
    else:
        print(_table(results))
    return 0


def _run_stream(arguments: argparse.Namespace) -> int:
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
    print(json.dumps(results) if arguments.json else _stream_table(results))
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


def _stream_table(results: stream.Results) -> str:
    keys = ("auc", "id_switch_free", "recovered_1s", "ghosts", "box_age_p50_ms", "box_age_p99_ms")
    rows = [["mode", "latency_ms", *keys]]
    for mode, by_latency in results.items():
        for latency_ms, figures in by_latency.items():
            shown = ["-" if figures[key] is None else f"{figures[key]:.3f}" for key in keys]
            rows.append([mode, latency_ms, *shown])
    first = next(iter(next(iter(results.values())).values()))
    counts = f"{first['clips']} clips, {first['targets']} targets, {first['returns']} returns"
    return "\n".join([*("".join(cell.rjust(16) for cell in row) for row in rows), counts])


def _table(results: list[dict[str, Any]]) -> str:
    rows = [[f"AUC ({VARIANT})", *(tracker["name"] for tracker in results)]]
    for name in results[0]["sequences"]:
        rows.append([name, *(f"{tracker['sequences'][name]['auc']:.3f}" for tracker in results)])
    for key in ("mean_auc", "precision_20px", "norm_precision", "ms_per_frame"):
        rows.append([key, *(f"{tracker[key]:.3f}" for tracker in results)])
    lines = ["".join([row[0].ljust(24), *(cell.rjust(10) for cell in row[1:])]) for row in rows]
    frames, absent = (
        sum(item[key] for item in results[0]["sequences"].values()) for key in ("frames", "frames_absent")
    )
    if absent:
        lines.append(f"{absent} of {frames} frames, in which the target is absent, are not scored")
    return "\n".join(lines)

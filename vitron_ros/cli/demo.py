"""Play a bag through a real camera process and a real perception node over DDS, command the node, and leave an
annotated video, an MCAP for Foxglove and the figures.

The commands come from the file beside the bag, `bags/demo.yaml` for `bags/demo`. Where there is none, or with
`--targets`, the first targets of the bag are given by their true boxes, and no model is needed."""

import argparse
import json
import shutil
import sys
from pathlib import Path
from textwrap import shorten
from typing import Any

from tqdm import tqdm

from vitron_ros.cli.convert import convert
from vitron_ros.cli.numbers import whole
from vitron_ros.cli.options import add_json_option, frame_rate
from vitron_ros.config import BACKENDS
from vitron_ros.offline.command_script import Command, read_commands
from vitron_ros.offline.selected_patches import selected_patches
from vitron_ros.recordings.bag_files import is_bag
from vitron_ros.recordings.output import make_folder, write_json

WIDEST = 72  # letters of an outcome in the table; all of it is in demo.json

EPILOG = """examples:
  vitron demo bags/demo --out out/demo
  vitron demo bags/sample --targets 2"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a bag with true boxes, or a folder with frames/ and groundtruth.txt")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the results (default: out/demo)")
    parser.add_argument("--commands", type=Path, help="YAML of commands (default: the source's name with .yaml)")
    parser.add_argument(
        "--model", default="vitron-tiny", help="model for the commands, by name or folder (default: vitron-tiny)"
    )
    parser.add_argument("--model-backend", default="auto", choices=BACKENDS, help="what it runs on (default: auto)")
    parser.add_argument("--targets", type=whole(1), help="follow so many targets from their true boxes (default: 1)")
    parser.add_argument("--fps", type=frame_rate, help="images a second of a folder (default: 25)")
    add_json_option(parser, "the figures")


def run(arguments: argparse.Namespace) -> int:
    import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy
    from vitron_ros.ros_tools.demo import (
        film,
        scoring,
        session,  # need ROS; `vitron demo --help` does not
    )

    commands = commands_of(arguments)
    model = "" if commands is None else model_folder(arguments.model)
    make_folder(arguments.out)
    bag = _bag_of(arguments.source, arguments.out / "bag", arguments.fps)
    scene = session.read_scene(bag, commands, arguments.targets or 1)
    print(f"playing {arguments.source}: {len(scene.stamps_ns)} images, {scene.duration_s:.1f} s", file=sys.stderr)
    recording = session.play(scene, model, arguments.model_backend)
    verdicts = scoring.judge(recording, scene)
    figures = {
        "source": arguments.source,
        "model": arguments.model if model else None,
        **scoring.measure(recording, scene, verdicts),
    }
    write_json(arguments.out / "demo.json", figures)
    kept = selected_patches(model) if model else None
    with tqdm(total=len(scene.stamps_ns), unit="frame", desc="video", file=sys.stderr, disable=None) as bar:
        film.write_film(arguments.out / "demo.mp4", recording, scene, verdicts, kept, progress=bar.update)
    film.write_mcap(arguments.out / "demo.mcap", recording, scene)
    if arguments.json:
        print(json.dumps(figures))
    else:
        print(summary(figures))
        print(f"look at  {arguments.out / 'demo.mp4'}, demo.mcap (Foxglove), demo.json")
    return 0 if all(verdict.has_run for verdict in verdicts) else 1


def commands_of(arguments: argparse.Namespace) -> list[Command] | None:
    """None: targets are given by their boxes."""
    beside = Path(arguments.source).with_suffix(".yaml")
    if arguments.commands is not None:
        return read_commands(arguments.commands)
    return read_commands(beside) if arguments.targets is None and beside.is_file() else None


def model_folder(model: str) -> str:
    """Where a model lies. What is missing there is told before anything starts.

    Raises:
        ModelError: there is no such model, or no config or weights in its folder.
    """
    from vitron_ros.model.checkpoint import find_checkpoint, read_config  # bring torch
    from vitron_ros.model.published_layouts import stored_files

    folder = find_checkpoint(model)
    read_config(folder)
    stored_files(folder)
    return str(folder.resolve())


def _bag_of(source: str, converted: Path, fps: float | None) -> Path:
    """The source itself if it is a bag, else a bag made from it, anew each time."""
    if is_bag(Path(source)):
        return Path(source)
    shutil.rmtree(converted, ignore_errors=True)
    convert(source, converted, fps=fps)
    return converted


def summary(figures: dict[str, Any]) -> str:
    """A table of the commands, and the figures of the stream below it."""
    rows = [("command", "outcome", "right", "IoU", "after")]
    for item in figures["commands"]:
        rows.append(
            (
                item["command"],
                shorten(item["words"], WIDEST, placeholder=" ..."),
                "yes" if item["right"] else "no" if item["has_run"] else "failed",
                "-" if item["iou"] is None else f"{item['iou']:.2f}",
                "-" if item["seconds"] is None else f"{item['seconds']:.2f} s",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    latency, counts = figures["latency_ms"], [figures[f"frames_{name}"] for name in ("in", "tracked", "dropped")]
    lines += [
        "",
        "images   {} in, {} with all targets, {} dropped, {} a second".format(*counts, figures["fps"]),
        f"latency  p50 {latency['p50']}, p95 {latency['p95']}, p99 {latency['p99']} ms from image to track",
    ]
    if figures["model_latency_ms"] is not None:
        answer = figures["model_latency_ms"]
        lines.append(
            f"model    p50 {answer['p50']}, p95 {answer['p95']}, p99 {answer['p99']} ms from question to reply"
        )
    return "\n".join(lines)

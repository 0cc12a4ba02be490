"""Play a bag through a real camera process and a real perception node over DDS, track its first targets from their true
boxes, and leave a film, an MCAP for Foxglove and the figures."""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vitron_ros.cli.convert import convert
from vitron_ros.evaluation.bag_storage import is_bag
from vitron_ros.evaluation.output import make_folder, write_json

EPILOG = "example: vitron demo bags/sample --out out/demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a bag with true boxes, or a folder with frames/ and groundtruth.txt")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the results (default: out/demo)")
    parser.add_argument("--targets", type=int, default=1, help="how many targets to follow (default: 1)")
    parser.add_argument("--fps", type=float, help="images a second of a folder (default: 25)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON on stdout")


def run(arguments: argparse.Namespace) -> int:
    from vitron_ros.ros import demo  # needs ROS; `vitron demo --help` does not

    make_folder(arguments.out)
    bag = _bag_of(arguments.source, arguments.out / "bag", arguments.fps)
    scene = demo.read_scene(bag, arguments.targets)
    print(f"playing {arguments.source}: {len(scene.stamps_ns)} images, {scene.duration_s:.1f} s", file=sys.stderr)
    recording = demo.play_and_track(scene)
    figures = {"source": arguments.source, **demo.measure(recording, scene)}
    write_json(arguments.out / "demo.json", figures)
    with tqdm(total=len(scene.stamps_ns), unit="frame", desc="film", file=sys.stderr, disable=None) as bar:
        demo.write_film(arguments.out / "demo.mp4", recording, scene, progress=bar.update)
    demo.write_mcap(arguments.out / "demo.mcap", recording, scene)
    if arguments.json:
        print(json.dumps(figures))
    else:
        _print_summary(figures, arguments.out)
    return 0


def _bag_of(source: str, converted: Path, fps: float | None) -> Path:
    """The source itself if it is a bag, else a bag made from it, anew each time."""
    if is_bag(Path(source)):
        return Path(source)
    shutil.rmtree(converted, ignore_errors=True)
    convert(source, converted, fps=fps)
    return converted


def _print_summary(figures: dict[str, Any], out: Path) -> None:
    latency, counts = figures["latency_ms"], [figures[f"frames_{name}"] for name in ("in", "tracked", "dropped")]
    print("images      {} in, {} tracked, {} dropped".format(*counts))
    print(f"rate        {figures['fps']} tracks/s")
    print(f"latency     {latency['p50']} ms (p95 {latency['p95']}, p99 {latency['p99']}) from image to track")
    for target in figures["targets"]:
        print(f"{target['phrase']:<11} mean IoU {target['mean_iou']}, found again {target['times_reacquired']} times")
    print(f"look at     {out / 'demo.mp4'}, {out / 'demo.mcap'} (Foxglove), {out / 'demo.json'}")

"""`python -m training.worlds preview --out sheet.png`, `... speed`, `... shapes --out docs/shapes.pdf`,
`... suite streaming --out out/streaming`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from training.images import read_images
from training.worlds.preview import contact_sheet
from training.worlds.printable_shapes import shapes_pdf
from training.worlds.speed import measure
from training.worlds.suite import Suite, render_suite, suite_sheet, summary
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.numbers import number, whole
from vitron_ros.errors import ConfigError
from vitron_ros.images.codec import encode_png
from vitron_ros.recordings.output import make_folder, write_bytes

BACKGROUNDS = 24  # real frames of a preview at most
T = TypeVar("T", int, float)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.worlds", description="Previews, times and renders the generated clips."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    preview = commands.add_parser("preview", help="draw a contact sheet of images and clips with their language")
    preview.add_argument("--out", type=Path, required=True, help="PNG to write")
    preview.add_argument("--seed", type=whole(0), default=0)
    preview.add_argument("--rows", type=whole(1, 100), default=6)
    preview.add_argument("--size", type=whole(32, 1024), default=128, help="side of a frame in pixels")
    preview.add_argument("--split", choices=("train", "val"), default="train")
    preview.add_argument("--background", type=Path, help="folder of real frames to draw the objects into")
    speed = commands.add_parser("speed", help="print frames a second on one core")
    speed.add_argument("--clips", type=whole(1), default=40)
    shapes = commands.add_parser("shapes", help="write a sheet of all shapes for printing")
    shapes.add_argument("--out", type=Path, required=True, help="PDF to write")
    suite = commands.add_parser("suite", help="render long held-out clips with ground truth, for `vitron eval stream`")
    suite.add_argument("kind", choices=("streaming",))
    suite.add_argument("--out", type=Path, required=True, help="folder; an interrupted suite there is completed")
    suite.add_argument("--clips", type=whole(1), default=Suite().clips)
    suite.add_argument("--seed", type=whole(0), default=Suite().seed)
    suite.add_argument("--size", default="256x192", help="width x height in pixels")
    suite.add_argument("--fps", type=number(5, 240), default=Suite().fps)
    suite.add_argument("--seconds", default="10-20", help="shortest and longest clip")
    suite.add_argument("--workers", type=whole(1, 256), default=1, help="clips rendered side by side")
    arguments = parser.parse_args(argv)
    return exit_code(f"worlds {arguments.command}", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "preview":
        real = read_images(arguments.background, BACKGROUNDS) if arguments.background else None
        sheet = contact_sheet(
            arguments.seed, rows=arguments.rows, size=arguments.size, split=arguments.split, background=real
        )
        write_bytes(arguments.out, encode_png(sheet))
    elif arguments.command == "speed":
        for size, frames in ((128, 8), (128, 1), (160, 8), (224, 8)):
            result = measure(size, frames, arguments.clips)
            print(
                f"{size:4d} px, {frames} frames a clip: {result.render_fps:6.0f} frames/s of CPU time, "
                f"{result.render_wall_fps:6.0f} of wall time, {result.with_samples_fps:6.0f} with language"
            )
    elif arguments.command == "suite":
        _suite(arguments)
    else:
        write_bytes(arguments.out, shapes_pdf())
    return 0


def _suite(arguments: argparse.Namespace) -> None:
    suite = Suite(
        seed=arguments.seed,
        clips=arguments.clips,
        size=_pair(arguments.size, "x", int, "--size 256x192"),
        fps=arguments.fps,
        seconds=_pair(arguments.seconds, "-", float, "--seconds 10-20"),
    )
    make_folder(arguments.out)
    names = render_suite(arguments.out, suite, workers=arguments.workers)
    for _ in tqdm(names, total=suite.clips, unit="clip", disable=None, file=sys.stderr):
        pass
    write_bytes(arguments.out / "sheet.png", encode_png(suite_sheet(arguments.out, min(suite.clips, 20))))
    print(json.dumps(summary(arguments.out, suite), indent=1))


def _pair(text: str, between: str, kind: type[T], example: str) -> tuple[T, T]:
    try:
        first, second = (kind(word) for word in text.split(between))
    except ValueError:
        raise ConfigError(f"{text!r} is not two numbers; write it like {example}") from None
    return first, second


if __name__ == "__main__":
    sys.exit(main())

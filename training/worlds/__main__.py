"""`python -m training.worlds preview --out sheet.png`, `... speed`, `... shapes --out docs/shapes.pdf`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from training.worlds.preview import contact_sheet
from training.worlds.sheet import write_shapes_pdf
from training.worlds.speed import measure


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.worlds", description="Looks at the generated worlds.")
    commands = parser.add_subparsers(dest="command", required=True)
    preview = commands.add_parser("preview", help="draw a contact sheet of images and clips with their language")
    preview.add_argument("--out", type=Path, required=True, help="PNG to write")
    preview.add_argument("--seed", type=int, default=0)
    preview.add_argument("--rows", type=int, default=6)
    preview.add_argument("--size", type=int, default=128, help="side of a frame in pixels")
    preview.add_argument("--split", choices=("train", "val"), default="train")
    preview.add_argument("--background", type=Path, help="folder of real frames (JPEG) to draw the objects into")
    speed = commands.add_parser("speed", help="print frames a second on one core")
    speed.add_argument("--clips", type=int, default=40)
    shapes = commands.add_parser("shapes", help="write the sheet of shapes to print")
    shapes.add_argument("--out", type=Path, required=True, help="PDF to write")
    arguments = parser.parse_args(argv)
    if arguments.command == "preview":
        paths = sorted(arguments.background.glob("*.jpg"))[:24] if arguments.background else []
        real = [np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), np.uint8) for path in paths] or None
        sheet = contact_sheet(
            arguments.seed, rows=arguments.rows, size=arguments.size, split=arguments.split, background=real
        )
        cv2.imwrite(str(arguments.out), sheet[..., ::-1])
    elif arguments.command == "speed":
        for size, frames in ((128, 8), (128, 1), (160, 8), (224, 8)):
            result = measure(size, frames, arguments.clips)
            print(
                f"{size:4d} px, {frames} frames a clip: {result.render_fps:6.0f} frames/s of processor time, "
                f"{result.render_wall_fps:6.0f} of wall time, {result.with_samples_fps:6.0f} with language"
            )
    else:
        arguments.out.write_bytes(write_shapes_pdf())
    return 0


if __name__ == "__main__":
    sys.exit(main())

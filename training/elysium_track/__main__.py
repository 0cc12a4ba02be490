"""Tracks with phrases from a folder of captioned videos, in the layout of ElysiumTrack.

python -m training.elysium_track VIDEOS --out OUT --model grounding-dino-base --processes 8
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from tqdm import tqdm

from training.elysium_track.captioned_videos import read_captioned_videos
from training.elysium_track.collection import as_markdown
from training.elysium_track.parts import NamedModel, Run
from training.elysium_track.pipeline import build
from training.elysium_track.settings import Settings
from vitron_ros.cli.exit_code import DONE, FAILED, exit_code
from vitron_ros.cli.numbers import whole
from vitron_ros.cli.options import add_model_options, model_run
from vitron_ros.evaluation.execution import executor
from vitron_ros.tracking.trackers import TRACKERS, make_tracker


def main(argv: Sequence[str] | None = None) -> int:
    """Builds a data set; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.elysium_track",
        description="Tracks of what the captions of videos name. A killed run goes on where it ended.",
        epilog="example: python -m training.elysium_track VIDEOS --out out/tracks --model DIRECTORY --processes 8",
    )
    parser.add_argument(
        "videos", type=Path, metavar="VIDEOS", help="folder, see training/elysium_track/captioned_videos.py"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for frames, tracks and report")
    parser.add_argument("--model", required=True, metavar="NAME", help="that finds phrases: a name, folder or address")
    add_model_options(parser)
    parser.add_argument("--tracker", default="default", metavar="NAME", help=f"{', '.join(TRACKERS)} (default)")
    parser.add_argument("--spacy", default="", metavar="PIPELINE", help="finds noun phrases, in place of rules")
    parser.add_argument("--split", default="train", metavar="NAME", help="of ElysiumTrack-NAME.json (train)")
    parser.add_argument("--part-size", type=whole(1, 10**6), default=100, metavar="N", help="videos of a part (100)")
    parser.add_argument("--processes", type=whole(1, 256), default=1, metavar="N", help="side by side (1)")
    parser.add_argument("--ray", metavar="ADDRESS", help='a Ray cluster in place of processes, such as "auto"')
    thresholds = parser.add_argument_group("thresholds")
    for field in fields(Settings):
        thresholds.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=type(field.default),
            default=field.default,
            metavar="X",
            help=f"{field.metadata['description']} ({field.default})".replace("%", "%%"),
        )
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    return exit_code("elysium_track", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    make_tracker(arguments.tracker)  # an unknown name is refused before any work
    run = Run(
        out=arguments.out,
        model=NamedModel(arguments.model, model_run(arguments)),
        tracker=arguments.tracker,
        spacy=arguments.spacy,
        settings=Settings(**{field.name: getattr(arguments, field.name) for field in fields(Settings)}),
    )
    videos, problems = read_captioned_videos(arguments.videos)
    execute = executor(arguments.processes, arguments.ray)
    with tqdm(total=len(videos), unit="video", file=sys.stderr, disable=None) as bar:
        report = build(
            run, videos, problems, execute, part_size=arguments.part_size, split=arguments.split, on_videos=bar.update
        )
    print(as_markdown(report))
    return DONE if report["phrases"]["kept"] else FAILED


if __name__ == "__main__":
    sys.exit(main())

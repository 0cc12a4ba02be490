"""Draw a picture, or with --clip a video, of what a text says; with --animate set the marked thing of a picture in
motion."""

import argparse

from vitron_ros.cli.module_job import run_module
from vitron_ros.cli.module_options import (
    add_backend_options,
    add_generation_options,
    add_result_options,
    settings_of,
)
from vitron_ros.cli.options import add_box_options
from vitron_ros.errors import UsageError
from vitron_ros.module_registry import Action

EPILOG = """examples:
  vitron generate "a red ball left of a large striped cup" --out out/ball
  vitron generate "a red ball moving up" --clip --frames 48 --out out/film
  vitron generate "it drives to the left" --animate photo.jpg --region 230,180,320,260 --out out/film"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", help="what to draw, or how it moves")
    parser.add_argument("--clip", action="store_true", help="a video")
    parser.add_argument("--animate", dest="source", metavar="IMAGE", help="the picture to set in motion")
    add_box_options(parser, "--region", "what moves in it")
    add_backend_options(parser, ("generation",))
    add_result_options(parser)
    add_generation_options(parser)
    parser.set_defaults(fps=None, topic=None, at=None)


def run(arguments: argparse.Namespace) -> int:
    if arguments.source is None and arguments.region:
        raise UsageError("--region marks what moves in a picture; give one with --animate")
    if arguments.source is not None and arguments.size:
        raise UsageError("--size is that of the picture with --animate; leave it out")
    if not (arguments.clip or arguments.source) and (arguments.frames or arguments.rate):
        raise UsageError("--frames and --rate are of a video; give --clip, too")
    action: Action = "generate" if arguments.source is None else "animate"
    return run_module("generation", arguments, action, arguments.text, settings_of(arguments))

"""Draw a picture, or with --clip a video, of what a text says; with --animate set the marked thing of a picture in
motion."""

import argparse

from vitron_ros.cli.module_job import run_module
from vitron_ros.cli.module_options import add_backend_options, add_result_options
from vitron_ros.cli.options import add_box_options
from vitron_ros.errors import UsageError

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
    parser.set_defaults(fps=None, topic=None, at=None)


def run(arguments: argparse.Namespace) -> int:
    if arguments.source is None and arguments.region:
        raise UsageError("--region marks what moves in a picture; give one with --animate")
    return run_module("generation", arguments, "generate" if arguments.source is None else "animate", arguments.text)

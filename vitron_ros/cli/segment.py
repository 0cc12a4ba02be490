"""Cut a marked thing out of a picture, or of every image of a video: masks in a new folder."""

import argparse

from vitron_ros.cli.module_job import run_module
from vitron_ros.cli.module_options import add_backend_options, add_input_options, add_result_options

EPILOG = """example:
  vitron segment clip.mp4 --region 230,180,320,260 --out out/masks"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_options(parser)
    parser.add_argument("--text", default="the marked object", help="what it is, for a model that reads it")
    add_backend_options(parser, ("segmentation",))
    add_result_options(parser)


def run(arguments: argparse.Namespace) -> int:
    return run_module("segmentation", arguments, "segment", arguments.text)

"""Remove, replace, recolour or move a marked thing in a picture or video, or change its background or style.

Outside the thing, and its soft edge, the images stay as they are, bit for bit."""

import argparse

from vitron_ros.cli.module_job import run_module
from vitron_ros.cli.module_options import add_backend_options, add_input_options, add_result_options, add_seed_option
from vitron_ros.module_registry import EDITS

EPILOG = """examples:
  vitron edit clip.mp4 remove --region 230,180,320,260 --out out/without
  vitron edit photo.jpg recolour "to blue" --region 230,180,320,260 --out out/blue
  vitron edit photo.jpg style "as a pencil sketch" --out out/sketch"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_options(parser)
    parser.add_argument("action", choices=sorted(EDITS), help="what to do")
    parser.add_argument("text", nargs="?", default="", help='how, such as "to blue", "with a star", "to the left"')
    add_backend_options(parser, ("editing",))
    add_result_options(parser)
    add_seed_option(parser)


def run(arguments: argparse.Namespace) -> int:
    return run_module("editing", arguments, arguments.action, arguments.text or arguments.action)

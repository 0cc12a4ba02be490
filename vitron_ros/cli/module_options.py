"""What the commands that run expert modules have in common: their input, backends, settings and results."""

import argparse
import os
from pathlib import Path
from typing import get_args

from vitron_ros.cli.numbers import number, whole
from vitron_ros.cli.options import add_box_options, add_json_option, add_source_options
from vitron_ros.module_registry import Node
from vitron_ros.modules.module import EMBEDDED, BadJob, JobSettings
from vitron_ros.modules.settings import ModuleConfig
from vitron_ros.offline.module_output import FORMATS, check_formats

DEFAULT = JobSettings()


def add_input_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="an image or video file, folder of images or bag")
    add_box_options(parser, "--region", "the thing in the first image")
    parser.add_argument("--at", type=number(0), metavar="SECONDS", help="work on the image of this time alone")
    add_source_options(parser)


def add_backend_options(parser: argparse.ArgumentParser, nodes: tuple[Node, ...] = get_args(Node)) -> None:
    for node in nodes:
        parser.add_argument(
            f"--{node}-backend" if len(nodes) > 1 else "--backend",
            dest=f"{node}_backend",
            default=EMBEDDED,
            metavar="BACKEND",
            help=f"of {node}: {EMBEDDED}, which needs no weights, or a model's folder or hub id (default: {EMBEDDED})",
        )


def backends_of(arguments: argparse.Namespace) -> dict[Node, str]:
    return {
        node: getattr(arguments, f"{node}_backend") for node in get_args(Node) if hasattr(arguments, f"{node}_backend")
    }


def add_result_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="a new folder for the results")
    parser.add_argument(
        "--formats",
        type=lambda text: text.split(","),
        default=[],
        help=f"of the results, some of {','.join(FORMATS)} (default: png, of a clip mp4,png)",
    )
    add_json_option(parser, "what was done")


def add_seed_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=whole(0), default=0, help="of what is drawn at random (default: 0)")


def add_generation_options(parser: argparse.ArgumentParser) -> None:
    """Of what has no input to take them from."""
    add_seed_option(parser)
    parser.add_argument("--size", type=_size, metavar="WxH", help="px, of what is generated (default: 512x384)")
    parser.add_argument(
        "--frames", type=whole(1), metavar="N", help=f"of a clip that is generated (default: {DEFAULT.frame_count})"
    )
    parser.add_argument(
        "--rate",
        type=number(0.1, 1000),
        metavar="HZ",
        help=f"Hz, of a clip that is generated (default: {DEFAULT.frame_rate:g})",
    )


def check_results(arguments: argparse.Namespace) -> None:
    """Checks the options of the results before any work is done.

    Raises:
        BadJob: there is no such format, the folder is there already, or it cannot be made.
    """
    check_formats(arguments.formats)
    try:
        if arguments.out.exists():
            raise BadJob(f"{arguments.out} is there already; choose another name")
        parent = next(each for each in arguments.out.absolute().parents if each.exists())
        is_open = parent.is_dir() and os.access(parent, os.W_OK)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise BadJob(f"{arguments.out} cannot be made: {error}; choose another place") from error
    if not is_open:
        raise BadJob(f"{arguments.out} cannot be made: {parent} is no folder that you may write to; choose another")


def settings_of(arguments: argparse.Namespace) -> JobSettings:
    """What `add_generation_options` say.

    Raises:
        TooLarge: it is beyond what the modules' nodes would make.
    """
    width, height = arguments.size or (DEFAULT.width, DEFAULT.height)
    settings = JobSettings(
        width=width,
        height=height,
        frame_count=arguments.frames or DEFAULT.frame_count,
        frame_rate=arguments.rate or DEFAULT.frame_rate,
    )
    ModuleConfig().check_images(width, height, settings.frame_count)
    return settings


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give one such as 640x480")
    return int(width), int(height)

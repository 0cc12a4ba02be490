"""Options that several commands share, so that they mean the same in all of them."""

import argparse

from vitron_ros.boxes import xyxy_from_ltwh
from vitron_ros.cli.numbers import number, numbers
from vitron_ros.config import BACKENDS, CACHES, WEIGHTS, ModelRun, PipelineConfig
from vitron_ros.recordings.frame_rates import DEFAULT_FPS, MAX_FPS
from vitron_ros.region import Region

frame_rate = number(1 / MAX_FPS, MAX_FPS)
"""Reads images per second."""


def add_source_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--topic", help="image topic, where a bag has several")
    parser.add_argument(
        "--fps",
        type=frame_rate,
        help=f"images per second, of a folder or webcam or instead of a video's own (default: {DEFAULT_FPS:g})",
    )


def add_box_options(parser: argparse.ArgumentParser, flag: str, help_text: str) -> None:
    """`FLAG X1,Y1,X2,Y2` and `FLAG-xywh X,Y,W,H`: both give a Region in the list of that name."""
    parser.add_argument(
        flag,
        action="append",
        default=[],
        type=_region_xyxy,
        metavar="X1,Y1,X2,Y2",
        help=f"{help_text}: a box by two corners, px; may be repeated",
    )
    parser.add_argument(
        f"{flag}-xywh",
        dest=flag.removeprefix("--"),
        action="append",
        default=[],
        type=_region_xywh,
        metavar="X,Y,W,H",
        help="the same by the upper left corner, width and height",
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model-device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
    parser.add_argument("--model-backend", default="auto", choices=BACKENDS, help="what it runs on (default: auto)")
    parser.add_argument(
        "--model-weights", default="full", choices=WEIGHTS, help="of its language model (default: full, as stored)"
    )
    parser.add_argument(
        "--model-cache", default="full", choices=CACHES, help="its keys and values in memory (default: full)"
    )


def model_run(arguments: argparse.Namespace) -> ModelRun:
    """How the model of `add_model_options` is to be run."""
    return ModelRun(
        device=arguments.model_device,
        backend=arguments.model_backend,
        weights=arguments.model_weights,
        cache=arguments.model_cache,
    )


def add_min_score_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--min-score",
        type=number(0, 1),
        default=PipelineConfig().model_min_score,
        metavar="SCORE",
        help="from which an answer counts, 0 to 1 (default: %(default)s, as the node's model_min_score)",
    )


def add_json_option(parser: argparse.ArgumentParser, what: str = "the result") -> None:
    parser.add_argument("--json", action="store_true", help=f"print {what} as JSON on stdout")


def _region_xyxy(text: str) -> Region:
    x_min, y_min, x_max, y_max = numbers("X1", "Y1", "X2", "Y2")(text)
    if x_max <= x_min or y_max <= y_min:
        raise argparse.ArgumentTypeError(
            f"{text!r} has no area: X2 must be greater than X1, and Y2 than Y1; give width and height to the -xywh form"
        )
    return Region.from_box([x_min, y_min, x_max, y_max])


def _region_xywh(text: str) -> Region:
    box_ltwh = numbers("X", "Y", "W", "H")(text)
    if min(box_ltwh[2:]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} has no area: W and H must be greater than 0")
    return Region.from_box(xyxy_from_ltwh(box_ltwh))

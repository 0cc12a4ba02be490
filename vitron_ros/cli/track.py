"""Follow targets in a video, a folder of images, a webcam or a bag: the same tracks as the node's, without ROS.

Exit code 3 says that a target was never seen, 1 that something went wrong."""

import argparse

import numpy as np

from vitron_ros.boxes import xyxy_from_ltwh
from vitron_ros.cli.replay import add_common_arguments, run_goals
from vitron_ros.errors import ConfigError
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.region import Region
from vitron_ros.streaming.goals import TrackRequest

EPILOG = """examples:
  vitron track clip.mp4 --prompt "the red ring" --out out/ring
  vitron track clip.mp4 --box 230,180,90,80 --out out/clip
  vitron track 0 --point 320,240 --frames 300 --out out/webcam"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a video file, folder of images, webcam number or ROS 2 bag")
    parser.add_argument(
        "--box", action="append", default=[], metavar="X,Y,W,H", help="target in the first image, px; may be repeated"
    )
    parser.add_argument(
        "--point", action="append", default=[], metavar="X,Y", help="a point on a target of one colour; may be repeated"
    )
    parser.add_argument(
        "--prompt", action="append", default=[], metavar="TEXT", help="what to find and follow; may be repeated"
    )
    add_common_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    regions = [Region.from_box(xyxy_from_ltwh(_numbers(text, 4, "--box"))) for text in arguments.box]
    regions += [Region.from_point(*_numbers(text, 2, "--point")) for text in arguments.point]
    requests = [TrackRequest(region=region) for region in regions]
    requests += [TrackRequest(prompt=prompt) for prompt in arguments.prompt]
    if not requests:
        raise ConfigError('say what to follow with --box X,Y,W,H, --point X,Y or --prompt "TEXT"')
    return run_goals(arguments, [ScriptedGoal(request=request) for request in requests])


def _numbers(text: str, count: int, option: str) -> np.ndarray:
    try:
        numbers = np.array([float(word) for word in text.split(",")])
    except ValueError:
        numbers = np.zeros(0)
    if len(numbers) != count:
        raise ConfigError(f"{option} {text}: give {count} numbers with commas between them")
    return numbers

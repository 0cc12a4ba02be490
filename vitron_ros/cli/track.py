"""Track targets in a video, a folder of images, a webcam or a bag: the same tracks as the node's, without ROS.

Exit code 3 says that a target was never seen, 1 that something went wrong."""

import argparse

from vitron_ros.cli.numbers import numbers, whole
from vitron_ros.cli.options import add_box_options
from vitron_ros.cli.run_goals import MOST_TARGETS, add_run_options, run_goals
from vitron_ros.errors import ConfigError
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.region import Region
from vitron_ros.streaming.goals import TrackRequest

LIMIT = 1000  # of the parameter max_targets
EPILOG = """examples:
  vitron track clip.mp4 --prompt "the red ring" --out out/ring
  vitron track clip.mp4 --prompt "all people" --max-targets 8 --model IDEA-Research/grounding-dino-tiny
  vitron track clip.mp4 --box 230,180,320,260 --out out/clip --export mot --export csv
  vitron track 0 --point 320,240 --show"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a video file, folder of images, webcam number or bag")
    add_box_options(parser, "--box", "target in the first image")
    parser.add_argument(
        "--point",
        action="append",
        default=[],
        type=numbers("X", "Y"),
        metavar="X,Y",
        help="a point on a target of one colour, px; may be repeated",
    )
    parser.add_argument(
        "--prompt", action="append", default=[], metavar="TEXT", help="what to find and track; may be repeated"
    )
    parser.add_argument(
        "--max-targets",
        type=whole(1, LIMIT),
        metavar="N",
        help='of each prompt at most, such as "all people" or "person" (default: one, or as many as the prompt says)',
    )
    add_run_options(parser)


def run(arguments: argparse.Namespace) -> int:
    regions = [*arguments.box, *(Region.from_point(x, y) for x, y in arguments.point)]
    requests = [TrackRequest(region=region) for region in regions]
    requests += [TrackRequest(prompt=prompt, max_targets=arguments.max_targets) for prompt in arguments.prompt]
    if not requests:
        raise ConfigError('say what to track with --box X1,Y1,X2,Y2, --point X,Y or --prompt "TEXT"')
    asked = sum(request.max_targets or 1 for request in requests)
    most = min(max(MOST_TARGETS, asked), LIMIT)
    return run_goals(arguments, [ScriptedGoal(request=request) for request in requests], most)

"""Measure speed. `model`: every stage of a vision language model, and its decoding beside transformers' `generate`.

Decoding one token reads every weight of the language model once and computes little with each: on small batches it is
bound by memory. So the ceiling is stated first: bytes of weights over the bandwidth that is reached here on a buffer of
that size. What lies between the ceiling and the measurement is overhead: Python, dispatch, attention.

Weights are random (speed does not depend on them) and the same for all. Runs are interleaved, and each figure is the
median of the rounds, so that a busy machine slows all alike. The tokens of all ways to decode must be equal.

`reply`: what one reply of a published model takes, and the package's own part of it.

`stream`: latency and load of the perception node over DDS. `cameras`: how they grow with the number of cameras.
`modules`: whether the perception node's boxes come later while a segmentation, editing or generation node works.
`positions`: what targets in space cost the worker of a camera.
`soak`: whether the node leaks while faults are injected again and again; exit code 1 if it does.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from vitron_ros.cli.numbers import number, whole
from vitron_ros.errors import VitronError

EPILOG = """examples:
  vitron bench model --profile vitron-tiny
  vitron bench reply iSEE-Laboratory/llmdet_tiny
  vitron bench stream --seconds 12
  vitron bench cameras --cameras 1,2,4 --seconds 20
  vitron bench modules --seconds 10 --rounds 3
  vitron bench positions --images 300
  vitron bench soak --minutes 10 --report docs/benchmarks/soak.md"""

MAX_CAMERAS = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    subjects = parser.add_subparsers(dest="subject", metavar="SUBJECT", required=True)
    model = subjects.add_parser("model", help="a vision language model, without ROS")
    model.add_argument("--profile", default="vitron-tiny", help="model profile (default: vitron-tiny)")
    model.add_argument("--frames", type=whole(1), default=8, help="frames of the clip (default: 8)")
    model.add_argument("--tokens", type=whole(2), default=100, help="tokens of the answer, from 2 (default: 100)")
    model.add_argument("--rounds", type=whole(1), default=5, help="times each stage is measured (default: 5)")
    # Two threads on cores that others use as well are many times slower than one.
    model.add_argument("--threads", type=whole(0), default=1, help="CPU threads; 0: as torch chooses (default: 1)")
    model.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    model.add_argument("--no-compile", action="store_true", help="leave out the compiled way: no compiler is needed")
    reply = subjects.add_parser("reply", help="one reply of a published model, by what takes the time")
    reply.add_argument("model", help="a folder, hub id or address of a server")
    reply.add_argument("--width", type=whole(32), default=1280, help="px (default: 1280)")
    reply.add_argument("--height", type=whole(32), default=720, help="px (default: 720)")
    reply.add_argument("--rounds", type=whole(1), default=20, help="replies for each task (default: 20)")
    stream = subjects.add_parser("stream", help="the perception node over DDS; needs ROS")
    stream.add_argument("--seconds", type=number(0.1), default=12.0, help="length of each measurement (default: 12)")
    stream.add_argument("--masks", action="store_true", help="measure it with publish_masks, too")
    stream.add_argument("--positions", action="store_true", help="measure it with depth and publish_3d, too")
    stream.add_argument("--size", choices=("640x480", "1280x720", "1920x1080"), help="one image size alone")
    cameras = subjects.add_parser("cameras", help="the perception node with several cameras; needs ROS")
    cameras.add_argument("--cameras", type=_counts, default=[1, 2, 4], help="how many, in turn (default: 1,2,4)")
    cameras.add_argument("--seconds", type=number(0.1), default=20.0, help="length of each measurement (default: 20)")
    modules = subjects.add_parser("modules", help="the perception node beside working modules; needs ROS")
    modules.add_argument("--seconds", type=number(0.1), default=10.0, help="length of each measurement (default: 10)")
    modules.add_argument("--rounds", type=whole(1), default=3, help="of each state, in turn (default: 3)")
    positions = subjects.add_parser("positions", help="what positions in space cost, in CPU time; needs ROS")
    positions.add_argument("--images", type=whole(10), default=300, help="measured for each row (default: 300)")
    soak = subjects.add_parser("soak", help="leaks of the perception node under injected faults; needs ROS")
    soak.add_argument("--minutes", type=number(0.01), default=10.0, help="length of the run (default: 10)")
    soak.add_argument("--report", type=Path, help="Markdown page to write")


def _counts(text: str) -> list[int]:
    counts = [int(word) if word.strip().isdecimal() else 0 for word in text.split(",")]
    if not all(1 <= count <= MAX_CAMERAS for count in counts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers from 1 to {MAX_CAMERAS}, such as 1,2,4")
    return counts


def run(arguments: argparse.Namespace) -> int:
    if arguments.subject not in ("model", "reply"):
        import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy
        from vitron_ros.ros_tools.bench import cameras, modules, positions, stream
        from vitron_ros.ros_tools.soak import soak

        if arguments.subject == "stream":
            words = [f"--{name}" for name in ("masks", "positions") if getattr(arguments, name)]
            words += ["--size", arguments.size] if arguments.size else []
            return stream.main([f"--seconds={arguments.seconds}", *words])
        if arguments.subject == "cameras":
            return cameras.run(arguments.cameras, arguments.seconds)
        if arguments.subject == "modules":
            return modules.run(arguments.seconds, arguments.rounds)
        if arguments.subject == "positions":
            return positions.run(arguments.images)
        return soak.run(arguments.minutes, arguments.report)
    if arguments.subject == "reply":
        from vitron_ros.cli import bench_reply

        figures = bench_reply.measure(arguments.model, (arguments.width, arguments.height), arguments.rounds)
    else:
        from vitron_ros.cli import bench_model

        figures = bench_model.measure(arguments)
    print(json.dumps(figures))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m vitron_ros.cli.bench`: the same as `vitron bench`."""
    parser = argparse.ArgumentParser(
        prog="vitron bench", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    try:
        return run(parser.parse_args(argv))
    except VitronError as error:
        print(f"vitron bench: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

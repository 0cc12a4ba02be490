"""The `vitron` command: one subcommand a file. A command's module is imported only when it is asked for."""

import argparse
import importlib
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from vitron_ros import __version__
from vitron_ros.cli.exit_code import exit_code

COMMANDS = {
    "track": "follow targets in a video, folder, webcam or bag",
    "ask": "ask the model about a picture, video or bag, or tell it what to do",
    "replay": "run goals over a bag, the same result every time",
    "convert": "write a video or folder as a ROS 2 bag",
    "eval": "measure trackers against ground truth",
    "bench": "measure speed",
    "models": "list, fetch, show, verify and convert models",
    "demo": "play a bag through real nodes and write an annotated video",
    "doctor": "say what is installed, what works and how to mend the rest",
}


def main(argv: Sequence[str] | None = None) -> int:
    """The console script `vitron`: its exit code, 0 where all went well."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="vitron",
        description="Language-commanded perception: tracks, answers and edits from video.",
        epilog="example: vitron track clip.mp4 --box 230,180,320,260 --out out/clip",
    )
    parser.add_argument("--version", action="version", version=f"vitron_ros {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in words if word in COMMANDS), None)
    for name, help_text in COMMANDS.items():
        command = commands.add_parser(name, help=help_text, formatter_class=argparse.RawDescriptionHelpFormatter)
        if name == asked:
            module = importlib.import_module(f"vitron_ros.cli.{name}")
            command.description, command.epilog = module.__doc__, module.EPILOG
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    arguments = parser.parse_args(words)
    with _downloads_on_stderr():
        return exit_code(f"vitron {arguments.command}", lambda: int(arguments.run(arguments)))


@contextmanager
def _downloads_on_stderr() -> Iterator[None]:
    """Says what is about to be fetched, which a large model's user wants to know before it is."""
    logger, handler = logging.getLogger("vitron_ros.model.hub"), logging.StreamHandler()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


if __name__ == "__main__":
    sys.exit(main())

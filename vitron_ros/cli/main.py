"""The `vitron` command: one subcommand a file. A command's module is imported only when it is asked for."""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from vitron_ros import __version__
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.subcommands import add_subcommands

COMMANDS = {
    "track": "follow targets in a video, folder, webcam or bag",
    "ask": "ask the model about a picture, video or bag, or tell it what to do",
    "do": "do what a sentence says: track, cut out, remove, recolour, draw, answer",
    "segment": "cut a marked thing out of a picture or video",
    "edit": "remove, replace, recolour or move a marked thing, or change the background or style",
    "generate": "draw a picture or video of what a text says, or set a picture in motion",
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
    add_subcommands(parser, "vitron_ros.cli", COMMANDS, metavar="COMMAND")

    def run() -> int:
        arguments = parser.parse_args(words)  # imports the command's module, which takes a while
        with _downloads_on_stderr():
            return int(arguments.run(arguments))

    return exit_code(f"vitron {words[0]}" if words and words[0] in COMMANDS else "vitron", run)


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

"""Measure models and trackers against ground truth.

`run` writes raw predictions of a suite; `report`, `compare` and `submit` read only those. The others measure and print
at once.
"""

import argparse

from vitron_ros.cli.subcommands import add_subcommands

EPILOG = """examples:
  vitron eval run davis-sot DATA --out out/davis --processes 2
  vitron eval report out/davis
  vitron eval ope DATA --tracker default --tracker csrt"""

ACTIONS = {
    "run": "raw predictions of a suite",
    "judge": "a language model's verdict on the answers of a run",
    "report": "figures and a page of a run",
    "compare": "two runs on the same samples",
    "submit": "the archive for a benchmark's server",
    "bag": "goals over a recording, against its truth",
    "ope": "one-pass evaluation of box trackers",
    "follow": "a simulated robot that follows a phrase",
    "stream": "long clips with phrases and a slow model",
    "positions": "targets in space by depth",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subcommands(parser, __name__, ACTIONS, metavar="ACTION")

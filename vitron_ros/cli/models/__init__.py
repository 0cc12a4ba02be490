"""List, fetch, show, verify and convert models. Of pickles, which VITRON alone has, only tensors are read."""

import argparse

from vitron_ros.cli.subcommands import add_subcommands

EPILOG = """examples:
  vitron models list
  vitron models fetch iSEE-Laboratory/llmdet_tiny
  vitron models show elysium-7b
  vitron models verify models/vitron
  vitron models convert sty-yyj/elysium_7b models/elysium"""

ACTIONS = {
    "list": "profiles, bundled models and published ones that run here",
    "fetch": "fetch a published model from the hub, and check it",
    "show": "parameters and memory by part, before anything is allocated",
    "verify": "read every weight and the tokenizer, and say whether they fit",
    "convert": "write a published Elysium or VITRON checkpoint in this project's layout",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subcommands(parser, __name__, ACTIONS, metavar="ACTION")

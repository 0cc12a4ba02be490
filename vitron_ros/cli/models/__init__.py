"""List, fetch, show, verify and convert models. Of pickles, which VITRON has alone, tensors are read and no more."""

import argparse
from types import ModuleType

from vitron_ros.cli.models import convert, fetch, listing, show, verify
from vitron_ros.cli.options import add_json_option

EPILOG = """examples:
  vitron models list
  vitron models fetch iSEE-Laboratory/llmdet_tiny
  vitron models show elysium-7b
  vitron models verify models/vitron
  vitron models convert sty-yyj/elysium_7b models/elysium"""

ACTIONS: dict[str, ModuleType] = {
    "list": listing,
    "fetch": fetch,
    "show": show,
    "verify": verify,
    "convert": convert,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, module in ACTIONS.items():
        action = actions.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            epilog=module.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(action)
        add_json_option(action)


def run(args: argparse.Namespace) -> int:
    """Exit code 0; 1 where something was refused, or `verify` or `fetch` finds a fault."""
    return int(ACTIONS[args.action].run(args))

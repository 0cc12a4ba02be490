"""Subcommands of a command line, a module each, that are imported only when they are asked for."""

import argparse
import importlib
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any


class _Help(argparse.RawDescriptionHelpFormatter):
    """Leaves names such as vitron-tiny whole, to be copied."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


class _Subcommand(argparse.ArgumentParser):
    """Gets its arguments from its module once there is something to parse."""

    module = ""

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:  # type: ignore[override]
        if self.module:
            module = importlib.import_module(self.module)
            self.description, self.epilog = module.__doc__, module.EPILOG
            module.add_arguments(self)
            if hasattr(module, "run"):
                self.set_defaults(run=module.run)
        return super().parse_known_args(args, namespace)


def add_subcommands(
    parser: argparse.ArgumentParser, package: str, commands: Mapping[str, str], *, metavar: str
) -> None:
    """Subcommands of a parser, which must be given one.

    Args:
        package: where the module of each is, under the command's own name. A module has `add_arguments(parser)`,
            EPILOG, a docstring that describes the command, and, without subcommands of its own, `run(arguments)`,
            which gives the exit code.
        commands: name -> help.
    """
    choices = parser.add_subparsers(dest=metavar.lower(), metavar=metavar, required=True, parser_class=_Subcommand)
    for name, help_text in commands.items():
        command = choices.add_parser(name, help=help_text, formatter_class=_Help)
        command.module = f"{package}.{name}"

"""Commands written down beforehand, with what is right: for the demo."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vitron_ros.errors import ConfigError
from vitron_ros.module_registry import Module
from vitron_ros.yaml_file import read_entries

KEYS = ("at", "track", "ask", "target", "answer", "module", "instruction")
MODULES = {module.name.lower(): module for module in Module}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command to a node, and what is right.

    Attributes:
        at_s: s from the first image of the recording.
        kind: "track": follow what `text` describes; "ask": a question, or a request that calls an expert module.
        text: the prompt or the question.
        target: the true object, by its id, that a track or an invocation's region must lie on; None: none is known.
        answer: of a question: the right reply; empty: none is known.
        module, instruction: of a request: the module that it must call, and how; None: it must call none.
    """

    at_s: float
    kind: Literal["track", "ask"]
    text: str
    target: int | None = None
    answer: str = ""
    module: Module | None = None
    instruction: str = ""

    @property
    def spoken(self) -> str:
        """As a person says it."""
        return f"track {self.text}" if self.kind == "track" else self.text


def read_commands(path: Path) -> list[Command]:
    """The commands of a YAML file in order of time: a list under the key `commands`.

    Each has `at` (s) and either `track` (a prompt) with `target`, or `ask` (a question) with `answer`, or with
    `module`, `instruction` and `target`.

    Raises:
        ConfigError: the file cannot be read, or a command in it says something unknown or impossible.
    """
    made = [_command(item, where) for where, item in read_entries(path, "commands", KEYS)]
    return sorted(made, key=lambda command: command.at_s)


def _command(item: Mapping[str, Any], where: str) -> Command:
    if ("track" in item) == ("ask" in item):
        raise ConfigError(f"{where} needs either `track` or `ask`")
    kind: Literal["track", "ask"] = "track" if "track" in item else "ask"
    text = str(item[kind] or "").strip()
    try:
        at_s, target = float(item["at"]), int(item["target"]) if "target" in item else None
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise ConfigError(f"{where} needs `at` in seconds, and `target` as a number if at all: {error!r}") from error
    if not text or not 0 <= at_s < float("inf"):
        raise ConfigError(f"{where} needs words to say and a time from 0 on, this is {text!r} at {at_s}")
    module = item.get("module")
    if module is not None and (not isinstance(module, str) or module not in MODULES):
        raise ConfigError(f"{where} has the module {module!r}; there are {', '.join(MODULES)}")
    if kind == "track" and (target is None or {"answer", "module", "instruction"} & set(item)):
        raise ConfigError(f"{where} tracks: it needs `target`, and has no answer, module or instruction")
    if kind == "ask" and (module is None) == ("answer" not in item):
        raise ConfigError(f"{where} asks: it needs either `answer` or `module`")
    return Command(
        at_s=at_s,
        kind=kind,
        text=text,
        target=target,
        answer=str(item.get("answer") or "").strip(),
        module=None if module is None else MODULES[module],
        instruction=str(item.get("instruction") or "").strip(),
    )

"""Commands in the documents name modules, subcommands and options that exist, and the parameters are all there."""

import dataclasses
import importlib.util
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from vitron_ros.cli.eval.run import INPUTS
from vitron_ros.cli.main import COMMANDS
from vitron_ros.config import PerceptionConfig

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("docs/**/*.md"), *(ROOT / name / "README.md" for name in ("bags", "training"))]
SETTINGS_OF_TASKS = {f"--{name.replace('_', '-')}" for name in INPUTS}
LINE = re.compile(r"^(?: {4}|)(?:[A-Z_]+=\S+ )*((?:vitron|python -m) .*)$|`((?:vitron|python -m) [^`]*)`", re.MULTILINE)


@cache
def sources(package: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / package).rglob("*.py"))


def commands() -> list[object]:
    found = {}
    for path in sorted(DOCUMENTS):
        for block, inline in LINE.findall(path.read_text(encoding="utf-8")):
            found[block or inline] = path.relative_to(ROOT)
    return [pytest.param(text, id=f"{path}: {text[:50]}") for text, path in found.items()]


@pytest.mark.parametrize("text", commands())
def test_a_command_of_the_documents_exists(text):
    words = shlex.split(text, comments=True)
    package = "vitron_ros"
    if words[0] == "vitron":
        assert words[1] in COMMANDS
    else:
        package = words[2].partition(".")[0]
        assert importlib.util.find_spec(words[2]) is not None
    for word in words:
        if word.startswith("--"):
            assert word in SETTINGS_OF_TASKS or f'"{word}"' in sources(package), word


def test_the_interface_lists_every_parameter():
    text = (ROOT / "docs" / "interface.md").read_text(encoding="utf-8")
    listed = re.findall(
        r"^\| `(\w+)`(?: [*+])? \|", text.partition("## Parameters")[2].partition("\n## ")[0], re.MULTILINE
    )
    assert sorted(listed) == sorted(field.name for field in dataclasses.fields(PerceptionConfig))

"""Commands in the documents name modules, subcommands and options that exist, and the parameters are all there."""

import dataclasses
import importlib.util
import itertools
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import yaml

from vitron_ros.cli.eval.run import INPUTS
from vitron_ros.cli.main import COMMANDS
from vitron_ros.commands.settings import CommandConfig
from vitron_ros.config import PerceptionConfig
from vitron_ros.following.settings import FollowConfig
from vitron_ros.modules.settings import ModuleConfig
from vitron_ros.rig.settings import RigConfig
from vitron_ros.ros.launch_arguments import ARGUMENTS

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("docs/**/*.md"), *(ROOT / name / "README.md" for name in ("bags", "training"))]
SETTINGS_OF_TASKS = {f"--{name.replace('_', '-')}" for name in INPUTS}
LINE = re.compile(r"^(?: {4}|)(?:[A-Z_]+=\S+ )*((?:vitron|python -m) .*)$|`((?:vitron|python -m) [^`]*)`", re.MULTILINE)

ROS2 = re.compile(r"^(ros2 (?:[^\n]*\\\n)*[^\n]*)$|`(ros2 \w+ \w+ [^`]+)`", re.MULTILINE)
SETTINGS = (PerceptionConfig, CommandConfig, FollowConfig, ModuleConfig, RigConfig)


@cache
def sources(package: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / package).rglob("*.py"))


def commands(pattern: re.Pattern[str]) -> list[object]:
    found = {}
    for path in sorted(DOCUMENTS):
        for block, inline in pattern.findall(path.read_text(encoding="utf-8")):
            found[block or inline] = path.relative_to(ROOT)
    return [pytest.param(text, id=f"{path}: {text[:50]}") for text, path in found.items()]


@pytest.mark.parametrize("text", commands(LINE))
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


@pytest.mark.parametrize("text", commands(ROS2))
def test_a_ros2_command_of_the_documents_exists(text):
    _, group, *words = shlex.split(text.replace("\\\n", " "), comments=True)
    if group == "launch":
        launch_file = (ROOT / "launch" / words[1]).read_text(encoding="utf-8")
        for name in (word.partition(":=")[0] for word in words if ":=" in word):
            assert name in ARGUMENTS or f'"{name}"' in launch_file or name.endswith("_backend"), name
    elif group == "run":
        assert f'"{words[1]} = ' in (ROOT / "setup.py").read_text(encoding="utf-8")
        parameters = {word.partition(":=")[0] for flag, word in itertools.pairwise(words) if flag == "-p"}
        assert parameters <= {field.name for settings in SETTINGS for field in dataclasses.fields(settings)}
    elif words[0] in {"send_goal", "call"} and words[2].startswith("vitron_msgs/"):
        kind = words[2].rpartition("/")[2]
        (path,) = (ROOT / "msg").glob(f"*/{kind}.*")
        request = path.read_text(encoding="utf-8").partition("---")[0]
        assert set(yaml.safe_load(words[3])) <= set(re.findall(r"^\S+ (\w+)", request, re.MULTILINE))


def test_the_interface_lists_every_parameter():
    text = (ROOT / "docs" / "interface.md").read_text(encoding="utf-8")
    listed = re.findall(
        r"^\| `(\w+)`(?: [*+])? \|", text.partition("## Parameters")[2].partition("\n## ")[0], re.MULTILINE
    )
    assert sorted(listed) == sorted(field.name for field in dataclasses.fields(PerceptionConfig))

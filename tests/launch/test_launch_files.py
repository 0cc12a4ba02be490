"""What can be checked of the launch files without launch_ros, and the launch itself where it is there."""

import ast
import dataclasses
import importlib.util
import sys
import types
from pathlib import Path

import pytest
import yaml

from vitron_ros.config import PerceptionConfig
from vitron_ros.ros.leftovers import MIN_AGE_S

LAUNCH = Path(__file__).parents[2] / "launch"
FIELDS = {field.name: field for field in dataclasses.fields(PerceptionConfig)}


def parameters_in(path: Path) -> set[str]:
    """Names in the dictionaries given as `parameters=[...]`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "parameters":
            for part in ast.walk(node.value):
                if isinstance(part, ast.Dict):
                    names |= {key.value for key in part.keys if isinstance(key, ast.Constant)}
    return names


@pytest.mark.parametrize("path", sorted(LAUNCH.glob("*.launch.py")), ids=lambda path: path.name)
def test_launch_files_name_only_parameters_that_the_node_has(path):
    named = parameters_in(path)
    assert named, "the check found no parameters at all"
    assert named - set(FIELDS) <= {"use_sim_time"}


@pytest.mark.parametrize("path", sorted(LAUNCH.glob("*.launch.py")), ids=lambda path: path.name)
def test_a_node_that_died_is_started_again(path):
    keywords = {node.arg: node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.keyword)}
    assert ast.unparse(keywords["respawn"]) == "LaunchConfiguration('respawn')"
    assert ast.literal_eval(keywords["respawn_delay"]) > MIN_AGE_S, "younger leftovers would not be freed"


@pytest.mark.parametrize("path", sorted((LAUNCH / "params").glob("*.yaml")), ids=lambda path: path.name)
def test_parameter_files_hold_valid_settings(path):
    settings = yaml.safe_load(path.read_text())["/**"]["ros__parameters"]
    assert PerceptionConfig(**settings)


class Recorder(types.ModuleType):
    """A module whose every attribute is a function that records its arguments."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: (name, args, kwargs)


@pytest.mark.parametrize("path", sorted(LAUNCH.glob("*.launch.py")), ids=lambda path: path.name)
def test_every_argument_is_described_and_every_substitution_declared(path, monkeypatch):
    for name in ("launch", "launch.actions", "launch.substitutions", "launch_ros", "launch_ros.actions"):
        monkeypatch.setitem(sys.modules, name, Recorder(name))
    spec = importlib.util.spec_from_file_location("launch_file", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _, (actions,), _ = module.generate_launch_description()
    declared = {args[0]: kwargs for name, args, kwargs in actions if name == "DeclareLaunchArgument"}
    assert declared
    assert all(kwargs.get("description") for kwargs in declared.values())
    used = {args[0] for name, args, _ in flatten(actions) if name == "LaunchConfiguration"}
    assert used == set(declared)


def flatten(value):
    """Every recorded call inside nested lists, tuples and dictionaries."""
    if isinstance(value, tuple) and len(value) == 3 and isinstance(value[0], str) and isinstance(value[2], dict):
        yield value
        value = [*value[1], *value[2].values()]
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from flatten(item)


@pytest.mark.ros
def test_the_launch_file_starts_an_active_node():
    pytest.importorskip("launch_ros", reason="launch_ros has no wheel; it comes with an apt ROS")
    import launch
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    service = launch.LaunchService()
    source = PythonLaunchDescriptionSource(str(LAUNCH / "track.launch.py"))
    service.include_launch_description(
        launch.LaunchDescription(
            [
                launch.actions.IncludeLaunchDescription(source),
                launch.actions.TimerAction(period=10.0, actions=[launch.actions.Shutdown()]),
            ]
        )
    )
    assert service.run() == 0

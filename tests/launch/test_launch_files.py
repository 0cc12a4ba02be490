"""What can be checked of the launch files without launch_ros, and the launch itself where it is there."""

import dataclasses
import importlib.util
import re
import sys
import types
from pathlib import Path

import pytest
import yaml

from vitron_ros.config import PerceptionConfig
from vitron_ros.ros.stale_shared_memory import MIN_AGE_S

LAUNCH = Path(__file__).parents[2] / "launch"
FIELDS = {field.name: field for field in dataclasses.fields(PerceptionConfig)}


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


@pytest.fixture
def track(monkeypatch):
    """The launch file as a module, and what launch itself would do with arguments from a command line."""
    for name in ("launch", "launch.actions", "launch_ros", "launch_ros.actions"):
        monkeypatch.setitem(sys.modules, name, Recorder(name))
    spec = importlib.util.spec_from_file_location("launch_file", LAUNCH / "track.launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _, (actions,), _ = module.generate_launch_description()
    declared = {args[0]: kwargs for name, args, kwargs in actions if name == "DeclareLaunchArgument"}
    assert all(kwargs["description"] for kwargs in declared.values())
    (start,) = (kwargs["function"] for name, _, kwargs in actions if name == "OpaqueFunction")

    def run(*words, command_line=("ros2", "launch", "vitron_ros", "track.launch.py")):
        monkeypatch.setattr(sys, "argv", [*command_line])
        given = {name: kwargs["default_value"] for name, kwargs in declared.items()}
        given |= dict(word.split(":=") for word in words)
        *said, (name, _, node) = start(types.SimpleNamespace(launch_configurations=given))
        assert name == "LifecycleNode"
        return node, [kwargs["msg"] for _, _, kwargs in said]

    return run


def test_only_arguments_that_were_given_go_before_the_parameter_file(track):
    node, _ = track()
    assert node["parameters"] == [str(LAUNCH / "params" / "perception.yaml"), {}]
    assert (node["namespace"], node["ros_arguments"]) == ("vitron", [])
    node, _ = track("autostart:=false", "cameras:=[left, right]", "model:=vitron-tiny", "log_level:=warn")
    assert node["parameters"][1] == {"autostart": False, "cameras": ["left", "right"], "model": "vitron-tiny"}
    assert node["ros_arguments"] == ["--log-level", "warn"]
    assert set(node["parameters"][1]) <= set(FIELDS)


def test_a_node_that_died_is_started_again(track):
    node, _ = track()
    assert node["respawn"] is True
    assert node["respawn_delay"] > MIN_AGE_S, "younger leftovers would not be freed"
    assert track("respawn:=false")[0]["respawn"] is False


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("modle:=x", "unknown launch argument modle; did you mean model?"),
        ("zoom:=2", "unknown launch argument zoom; there are image, "),
        ("cameras:=left", "list of names"),
        ("cameras:=[a, 2]", "list of names"),
        ("cameras:=[", "list of names"),
        ("autostart:=maybe", "autostart is 'maybe'; it must be true or false"),
        ("respawn:=", "respawn is ''; it must be true or false"),
        ("log_level:=loud", "one of debug, info"),
        ("params_file:=/nowhere.yaml", "no such file"),
    ],
)
def test_arguments_that_cannot_be_meant_are_named(track, word, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        track(word)


def test_an_image_topic_beside_several_cameras_is_refused(track):
    with pytest.raises(ValueError, match="image is for one camera"):
        track("cameras:=[left]", "image:=/left/image_raw")


def test_a_file_that_includes_this_one_may_have_arguments_of_its_own(track):
    _, said = track("robot:=spot", "modle:=x", command_line=("ros2", "launch", "robot", "robot.launch.py"))
    assert said == ["unknown launch argument modle; did you mean model?"]


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

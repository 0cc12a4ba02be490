"""What can be checked of the launch files without launch_ros, and the launch itself where it is there."""

import dataclasses
import importlib.util
import json
import re
import sys
import types
from pathlib import Path

import pytest
import yaml

from vitron_ros.commands.settings import CommandConfig
from vitron_ros.config import PerceptionConfig
from vitron_ros.following.settings import FollowConfig
from vitron_ros.modules.settings import ModuleConfig
from vitron_ros.ros.stale_shared_memory import MIN_AGE_S

LAUNCH = Path(__file__).parents[2] / "launch"
SETTINGS = {"perception": PerceptionConfig, "command": CommandConfig, "follow": FollowConfig, "modules": ModuleConfig}
FIELDS = {field.name: field for field in dataclasses.fields(PerceptionConfig)}


@pytest.mark.parametrize("path", sorted((LAUNCH / "params").glob("*.yaml")), ids=lambda path: path.name)
def test_parameter_files_hold_valid_settings(path):
    settings = yaml.safe_load(path.read_text())["/**"]["ros__parameters"]
    assert SETTINGS[path.stem](**settings)


class Recorder(types.ModuleType):
    """A module whose every attribute is a function that records its arguments."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: (name, args, kwargs)


@pytest.fixture
def launched(monkeypatch):
    """What a launch file would start with arguments from a command line: keywords of the nodes, and what is said."""
    for name in ("launch", "launch.actions", "launch_ros", "launch_ros.actions"):
        monkeypatch.setitem(sys.modules, name, Recorder(name))

    def run(file, *words, command_line=None):
        spec = importlib.util.spec_from_file_location("launch_file", LAUNCH / file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        _, (actions,), _ = module.generate_launch_description()
        declared = {args[0]: kwargs for name, args, kwargs in actions if name == "DeclareLaunchArgument"}
        assert all(kwargs["description"] for kwargs in declared.values())
        (start,) = (kwargs["function"] for name, _, kwargs in actions if name == "OpaqueFunction")
        monkeypatch.setattr(sys, "argv", [*(command_line or ("ros2", "launch", "vitron_ros", file))])
        given = {name: kwargs["default_value"] for name, kwargs in declared.items()}
        given |= dict(word.split(":=") for word in words)
        made = start(types.SimpleNamespace(launch_configurations=given))
        nodes = [kwargs for name, _, kwargs in made if name == "LifecycleNode"]
        return nodes, [kwargs["msg"] for name, _, kwargs in made if name == "LogInfo"]

    return run


@pytest.fixture
def track(launched):
    """The only node of track.launch.py, and what is said."""

    def run(*words, **others):
        (node,), said = launched("track.launch.py", *words, **others)
        return node, said

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


def test_vitron_starts_perception_and_the_modules_each_unless_it_is_left_out(launched):
    nodes, _ = launched("vitron.launch.py")
    assert [node["executable"] for node in nodes] == ["perception", "command", "segmentation", "editing", "generation"]
    assert all(node["respawn"] and node["remappings"] == nodes[0]["remappings"] for node in nodes)
    words = (
        "perception:=false",
        "command:=false",
        "generation:=false",
        "editing_backend:=/models/flux",
        "output_folder:=/results",
    )
    segmentation, editing = launched("vitron.launch.py", *words, "model:=vitron-tiny")[0]
    assert segmentation["parameters"][1] == {"output_folder": "/results"}
    assert editing["parameters"][1] == {"output_folder": "/results", "backend": "/models/flux"}
    settings = {field.name for field in dataclasses.fields(ModuleConfig)}
    assert set(editing["parameters"][1]) <= settings
    with pytest.raises(ValueError, match="did you mean segmentation"):
        launched("vitron.launch.py", "segmentatoin:=false")


def test_a_robot_gets_perception_with_positions_and_the_node_follow(launched):
    words = ("depth:=/camera/depth", "image_transport:=compressed", "use_sim_time:=true")
    (perception, follow), _ = launched("follow.launch.py", *words)
    assert perception["parameters"][1]["publish_3d"] is True
    assert ("depth", "/camera/depth") in perception["remappings"]
    assert (follow["executable"], follow["remappings"]) == ("follow", [("cmd_vel", "/cmd_vel")])
    assert follow["parameters"][1] == {"use_sim_time": True}
    with pytest.raises(ValueError, match="depth is missing"):
        launched("follow.launch.py")


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


def test_depth_turns_positions_on_for_perception_alone(launched):
    nodes, _ = launched("vitron.launch.py", "depth:=/camera/depth", "target_frame:=base_link")
    perception, *others = nodes
    assert perception["parameters"][1] == {"target_frame": "base_link", "publish_3d": True}
    assert ("depth", "/camera/depth") in perception["remappings"]
    for node in others:
        assert node["parameters"][1] == {}
        assert "depth" not in dict(node["remappings"])
    with pytest.raises(ValueError, match="with cameras, depth is on <camera>/depth"):
        launched("track.launch.py", "depth:=/camera/depth", "cameras:=[left]")


PANELS = {"3D", "Image", "StateTransitions", "RawMessages", "Table", "Plot", "DiagnosticSummary"}
"""Of docs.foxglove.dev, "Panels"; a layout names a panel <type>!<id>."""


def panels(tree):
    """The panels of a layout's tree of splits, each a row or a column of two."""
    if isinstance(tree, str):
        return [tree]
    assert tree["direction"] in ("row", "column")
    assert 0 < tree.get("splitPercentage", 50) < 100
    return panels(tree["first"]) + panels(tree["second"])


def test_the_foxglove_layout_shows_topics_that_the_node_publishes():
    text = (LAUNCH / "foxglove_layout.json").read_text()
    layout = json.loads(text)
    shown = panels(layout["layout"])
    assert set(shown) == set(layout["configById"]), "every panel has its settings, and nothing else has"
    assert {panel.partition("!")[0] for panel in shown} == PANELS
    names = set(re.findall(r'"/vitron/(\w+)', text))
    interface = (LAUNCH.parent / "docs" / "interface.md").read_text()
    assert names == {"markers", "target_pose", "debug_image", "tracks", "tracks_3d", "events"}
    for name in names:
        assert f"| `{name}` |" in interface

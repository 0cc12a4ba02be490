import dataclasses
from contextlib import contextmanager

import pytest
import yaml

pytest.importorskip("rclpy", reason="rclpy is not installed")

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from vitron_ros.config import PerceptionConfig
from vitron_ros.errors import ConfigError
from vitron_ros.ros.parameters import change_parameters, declare_parameters, read_parameters

pytestmark = pytest.mark.ros
FIELDS = {item.name: item for item in dataclasses.fields(PerceptionConfig)}


@contextmanager
def a_node(*arguments, **parameters):
    """A node with the parameters of a configuration, given as ROS arguments or as values."""
    context = Context()
    rclpy.init(args=["--ros-args", *arguments], context=context)
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = Node("parameters", context=context, parameter_overrides=overrides, enable_rosout=False)
    try:
        declare_parameters(node, PerceptionConfig())
        yield node
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_defaults_are_those_of_the_configuration():
    with a_node() as node:
        assert read_parameters(node, PerceptionConfig()) == PerceptionConfig()


def test_values_from_outside_are_taken():
    with a_node(cameras=["left", "rig/right"], min_score=0.5, timeout=3) as node:
        config = read_parameters(node, PerceptionConfig())
    assert (config.cameras, config.min_score, config.timeout) == (("left", "rig/right"), 0.5, 3.0)


def test_what_a_dump_says_is_taken_again(tmp_path):
    """`ros2 param dump` writes every value, the empty list too, which a file cannot give a type."""
    with a_node() as node:
        values = {name: parameter.value for name, parameter in node.get_parameters_by_prefix("").items()}
    path = tmp_path / "dump.yaml"
    path.write_text(yaml.dump({"/parameters": {"ros__parameters": values}}))
    with a_node("--params-file", str(path)) as node:
        assert read_parameters(node, PerceptionConfig()) == PerceptionConfig()
        assert node.get_parameter("cameras").type_ == Parameter.Type.STRING_ARRAY
        loaded = [Parameter(name, value=value) for name, value in values.items()]
        assert change_parameters(node, PerceptionConfig(), loaded, "active") == PerceptionConfig()


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"miin_score": 0.5}, "did you mean min_score"),
        ({"use_sim_times": True}, "unknown parameter use_sim_times"),
        ({"timeout": "soon"}, "timeout is 'soon'; it must be a double"),
        ({"max_targets": True}, "max_targets is True; it must be an integer"),
        ({"model": True}, "model is True; it must be a string"),
        ({"autostart": "no"}, "autostart is 'no'; it must be a bool"),
        ({"cameras": "left"}, "cameras is 'left'; it must be a list of names"),
        ({"cameras": [1, 2]}, "list of names"),
        ({"cameras": [""]}, "cameras holds ''"),
        ({"cameras": ["front-left"]}, "cameras holds 'front-left'"),
        ({"cameras": ["2d"]}, "cameras holds '2d'"),
        ({"cameras": ["a/"]}, "cameras holds 'a/'"),
        ({"cameras": ["/a"]}, "cameras holds '/a'"),
        ({"cameras": ["a" * 300]}, "cameras holds 'aaa"),
        ({"cameras": ["a", "a"]}, "once"),
        ({"image_qos": "best"}, "one of sensor_data"),
        ({"model_device": "gpu"}, "model_device is 'gpu'"),
        ({"min_score": 7.0}, "min_score is 7.0; it must be at most 1"),
        ({"min_score": float("nan")}, "min_score is nan"),
        ({"max_targets": 2**62}, "max_targets is 4611686018427387904; it must be at most"),
    ],
)
def test_mistakes_are_named(parameters, says):
    with a_node(**parameters) as node, pytest.raises(ConfigError, match=says):
        read_parameters(node, PerceptionConfig())


VALUES = ("1", "-1", "1.5", ".nan", "1e400", "'99999999999999999999'", "true", "yes", "'5'", "word", "~", "[]", "[1]")
VALUES += ("[1.5]", "[true]", "[word]", "['', '']", "'a b'", "''")


@pytest.mark.parametrize("value", VALUES)
def test_every_value_of_a_command_line_is_taken_or_refused_by_name(value):
    arguments = [word for name in FIELDS for word in ("-p", f"{name}:={value}")]
    with a_node(*arguments) as node:
        for name, item in FIELDS.items():
            given = [node.get_parameter(name)]
            try:
                config = change_parameters(node, PerceptionConfig(), given, "unconfigured")
            except ConfigError as error:
                assert str(error).startswith(name)
            else:
                assert type(getattr(config, name)) is type(item.default)


@pytest.mark.parametrize(
    ("name", "value", "stage", "says"),
    [
        ("min_score", 0.5, "active", None),
        ("min_score", "high", "unconfigured", "must be a double"),
        ("image_qos", "best", "unconfigured", "one of sensor_data"),
        ("cameras", ["front-left"], "unconfigured", "front-left"),
        ("cameras", ["left"], "unconfigured", None),
        ("cameras", ["left"], "inactive", "clean it up first"),
        ("model", "vitron-tiny", "active", "deactivate it and clean it up first"),
        ("tracker", "csrt", "inactive", None),
        ("tracker", "csrt", "active", "deactivate it first"),
        ("tracker", "default", "active", None),  # what it is
        ("timeout", None, "inactive", "cannot be deleted"),
        ("autostart", False, "unconfigured", "when the node starts"),
    ],
)
def test_a_change_is_judged_when_it_is_made(name, value, stage, says):
    with a_node() as node:
        change = [Parameter(name, value=value)]
        if says is None:
            config = change_parameters(node, PerceptionConfig(), change, stage)
            assert getattr(config, name) in (value, tuple(value) if isinstance(value, list) else value)
            return
        with pytest.raises(ConfigError, match=says):
            change_parameters(node, PerceptionConfig(), change, stage)


def test_every_parameter_says_what_it_is():
    with a_node() as node:
        for name in FIELDS:
            assert len(node.describe_parameter(name).description) > 10
            assert "node" in node.describe_parameter(name).additional_constraints

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from vitron_ros.config import PerceptionConfig
from vitron_ros.errors import ConfigError
from vitron_ros.ros.parameters import declare_parameters, read_parameters

pytestmark = pytest.mark.ros


@pytest.fixture
def make_node():
    rclpy.init(args=[])
    nodes = []

    def make(**parameters):
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        node = Node("parameters", parameter_overrides=overrides, automatically_declare_parameters_from_overrides=True)
        nodes.append(node)
        declare_parameters(node, PerceptionConfig())
        return node

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown()


def test_defaults_are_those_of_the_configuration(make_node):
    assert read_parameters(make_node(), PerceptionConfig()) == PerceptionConfig()


def test_values_from_outside_are_taken(make_node):
    config = read_parameters(make_node(cameras=["left"], min_score=0.5, timeout=3), PerceptionConfig())
    assert (config.cameras, config.min_score, config.timeout) == (("left",), 0.5, 3.0)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"miin_score": 0.5}, "did you mean min_score"),
        ({"timeout": "soon"}, "must be a float"),
        ({"max_targets": True}, "must be a int"),
        ({"cameras": [""]}, "list of names"),
        ({"image_qos": "best"}, "one of sensor_data"),
        ({"min_score": 7.0}, "min_score out of range"),
    ],
)
def test_mistakes_are_named(make_node, parameters, says):
    with pytest.raises(ConfigError, match=says):
        read_parameters(make_node(**parameters), PerceptionConfig())


def test_every_parameter_says_what_it_is(make_node):
    node = make_node()
    for name in PerceptionConfig.__dataclass_fields__:
        assert len(node.describe_parameter(name).description) > 10

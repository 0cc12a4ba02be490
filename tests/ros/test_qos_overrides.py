"""The QoS of single topics by ROS's own parameters, `qos_overrides.<topic>.<publisher or subscription>.<policy>`."""

import pytest
from rclpy.qos import ReliabilityPolicy

from tests.ros.rig import Camera, running_node
from vitron_ros.ros import qos

pytestmark = pytest.mark.ros


def reliability(probe, topic):
    """Of the node's publisher or subscription of a topic."""
    infos = [*probe.get_publishers_info_by_topic(topic), *probe.get_subscriptions_info_by_topic(topic)]
    return [info.qos_profile.reliability for info in infos if info.node_name == "perception"]


def test_a_topic_gets_the_qos_that_a_parameter_asks_for(probe):
    overrides = {
        "qos_overrides./tracks.publisher.reliability": "best_effort",
        "qos_overrides./tracks_3d.publisher.reliability": "best_effort",
        "qos_overrides./image.subscription.reliability": "reliable",
        "qos_overrides./depth.subscription.reliability": "reliable",
    }
    with running_node(publish_3d=True, **overrides):
        Camera(probe, reliability="reliable").connect()
        probe.spin_until(lambda: reliability(probe, "/tracks"), 20)
        for topic in ("/tracks", "/tracks_3d"):
            assert reliability(probe, topic) == [ReliabilityPolicy.BEST_EFFORT]
        for topic in ("/image", "/depth"):
            assert reliability(probe, topic) == [ReliabilityPolicy.RELIABLE]
        assert reliability(probe, "/events") == [ReliabilityPolicy.RELIABLE], "nobody asked for another"
    assert qos.TRACKS.reliability == ReliabilityPolicy.RELIABLE, "other nodes of the process keep their own"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("qos_overrides./tracks.publisher.relyability", "reliable", "no policy 'relyability'"),
        ("qos_overrides./tracks.publisher.reliability", "certain", "must be one of"),
        ("qos_overrides./tracks.publisher.depth", 0, "whole number from 1"),
        ("qos_overrides./tracks.publisher.depth", "many", "whole number from 1"),
    ],
)
def test_what_cannot_be_is_named_and_the_node_stays_unconfigured(probe, capfd, name, value, says):
    with running_node(**{name: value}) as node:
        probe.spin_for(0.5)
        assert node.stage == "unconfigured"
    assert says in capfd.readouterr().err

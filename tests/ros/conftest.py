"""A probe, a perception node and a camera, each test its own."""

import itertools

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

import rclpy

from tests.conftest import DOMAINS
from tests.ros.rig import WAIT_S, Camera, running_node
from vitron_ros.ros import blocking_calls, clock_watch, live_world, remote_action
from vitron_ros.ros_tools.probe import Probe
from vitron_ros.tracking.default_tracker import DefaultTracker
from vitron_ros.tracking.warm_up import warm_up

NEXT_DOMAIN = itertools.cycle(DOMAINS[:-1])


@pytest.fixture(scope="session", autouse=True)
def compiled_loops():
    """The trackers' loops are compiled and on disk before a node has to be up in time."""
    warm_up(DefaultTracker())


@pytest.fixture(autouse=True)
def domain(monkeypatch):
    """A domain of its own for each test: a node of the test before, not yet forgotten, would take its requests."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(next(NEXT_DOMAIN)))


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A node on a busy machine is not taken for a dead one, nor a clock that waits for it; tests of dead ones are less
    patient.
    """
    monkeypatch.setattr(remote_action, "SILENCE_S", 20.0)
    monkeypatch.setattr(clock_watch, "PATIENCE_S", 20.0)
    monkeypatch.setattr(blocking_calls, "REPLY_S", 20.0)
    monkeypatch.setattr(live_world, "MARGIN_S", WAIT_S)


@pytest.fixture
def probe():
    rclpy.init(args=[])
    made = Probe()
    yield made
    made.close()
    rclpy.shutdown()


@pytest.fixture
def node():
    with running_node(feedback_rate=1000.0, diagnostics_period=0.2) as made:
        yield made


@pytest.fixture
def camera(probe, node):
    return Camera(probe).connect()

"""Goals at a node that hangs and comes back, over real DDS."""

import time
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from vitron_msgs.action import TrackObject

from tests.ros.rig import WAIT_S
from vitron_ros.ros import remote_action
from vitron_ros.ros.goal_server import GoalServer
from vitron_ros.ros.remote_action import RemoteAction

pytestmark = pytest.mark.ros


class Server(GoalServer):
    """Its goals run until they are cancelled."""

    def check(self, request):
        pass

    def begin(self, goal):
        goal.handle.publish_feedback(TrackObject.Feedback())

    def cancel(self, goal):
        self.end(goal, TrackObject.Result.CANCELED, "cancelled")


@pytest.fixture
def scene():
    """A node with an action, its client, and a function that spins both, or without the node, until something holds."""
    rclpy.init(args=[])
    nodes = [Node(name) for name in ("server", "client")]
    spinners = [SingleThreadedExecutor() for _ in nodes]
    for node, spinner in zip(nodes, spinners, strict=True):
        spinner.add_node(node)
    server = Server(nodes[0], TrackObject, "track", lambda: SimpleNamespace(max_goals=10, feedback_rate=10.0))
    action = RemoteAction(nodes[1], TrackObject, "track", "perception")

    def spin_until(condition, *, hangs=False):
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            for spinner in spinners[hangs:]:
                spinner.spin_once(timeout_sec=0.01)

    yield SimpleNamespace(server=server, action=action, spin_until=spin_until)
    action.destroy()
    for node, spinner in zip(nodes, spinners, strict=True):
        spinner.shutdown()
        node.destroy_node()
    rclpy.shutdown()


def test_a_node_that_hung_drops_the_goal_that_was_given_up_and_takes_the_next(scene, monkeypatch):
    heard = []
    lost = scene.action.run(TrackObject.Goal(prompt="the mug"), heard.append)
    scene.spin_until(lambda: heard)
    with monkeypatch.context() as brief:
        brief.setattr(remote_action, "SILENCE_S", 0.5)
        scene.spin_until(lost.result.done, hangs=True)
    assert lost.result.result().error_code == TrackObject.Result.UNREACHABLE
    scene.spin_until(lambda: not scene.server.open)
    heard.clear()
    call = scene.action.run(TrackObject.Goal(prompt="the cup"), heard.append)
    scene.spin_until(lambda: heard)
    call.cancel()
    scene.spin_until(call.result.done)
    assert call.result.result().error_code == TrackObject.Result.CANCELED

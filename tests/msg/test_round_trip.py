"""Each message, goal, feedback and result, with a value of its own in every field, comes back equal over DDS."""

import importlib
import itertools
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

import rclpy
import vitron_msgs.action
import vitron_msgs.msg
from rclpy.action import ActionClient, ActionServer
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rosidl_parser.definition import AbstractNestedType, AbstractString, Array, BoundedSequence, NamespacedType

pytestmark = pytest.mark.ros
MSG = Path(__file__).parents[2] / "msg"
MESSAGES = [getattr(vitron_msgs.msg, path.stem) for path in sorted(MSG.glob("*.msg"))]
ACTIONS = [getattr(vitron_msgs.action, path.stem) for path in sorted(MSG.glob("action/*.action"))]
TIMEOUT_S = 20.0


def filled(kind, numbers):
    """A message of which no field has its default value and no two numbers are alike."""
    message = kind()
    for name, field_type in zip(kind.get_fields_and_field_types(), kind.SLOT_TYPES, strict=True):
        setattr(message, name, value_of(field_type, numbers))
    return message


def value_of(field_type, numbers):
    if isinstance(field_type, Array):
        return [value_of(field_type.value_type, numbers) for _ in range(field_type.size)]
    if isinstance(field_type, AbstractNestedType):
        count = field_type.maximum_size if isinstance(field_type, BoundedSequence) else 3
        return [value_of(field_type.value_type, numbers) for _ in range(count)]
    if isinstance(field_type, NamespacedType):
        module = importlib.import_module(".".join(field_type.namespaces))
        return filled(getattr(module, field_type.name), numbers)
    number = next(numbers)
    if isinstance(field_type, AbstractString):
        return f"der rote Becher Nr. {number}, 赤い"
    if field_type.typename == "boolean":
        return True
    return number + 0.5 if field_type.typename in ("float", "double") else number % 255 + 1


class Peer:
    """A node in a DDS participant of its own."""

    def __init__(self, name):
        self.context = Context()
        rclpy.init(args=[], context=self.context)
        self.node = Node(name, context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture(scope="module")
def peers():
    made = Peer("here"), Peer("there")
    yield made
    for peer in made:
        peer.close()


def spin_until(peers, condition, what):
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: nothing within {TIMEOUT_S:g} s"
        for peer in peers:
            peer.executor.spin_once(timeout_sec=0.01)


def test_filled_leaves_no_field_at_its_default():
    for kind in [*MESSAGES, *(part for action in ACTIONS for part in (action.Goal, action.Result, action.Feedback))]:
        message, empty = filled(kind, itertools.count(1)), kind()
        for name in kind.get_fields_and_field_types():
            assert str(getattr(message, name)) != str(getattr(empty, name)), f"{kind.__name__}.{name}"


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_a_message_comes_back_equal(peers, kind):
    here, there = peers
    sent, received = filled(kind, itertools.count(1)), []
    publisher = here.node.create_publisher(kind, f"round_trip_{kind.__name__}", 1)
    subscription = there.node.create_subscription(kind, publisher.topic_name, received.append, 1)
    spin_until(peers, lambda: publisher.get_subscription_count() == 1, "discovery")
    publisher.publish(sent)
    spin_until(peers, lambda: received, "the message")
    assert received == [sent]
    there.node.destroy_subscription(subscription)
    here.node.destroy_publisher(publisher)


@pytest.mark.parametrize("kind", ACTIONS, ids=lambda kind: kind.__name__)
def test_an_action_comes_back_equal(peers, kind):
    here, there = peers
    numbers = itertools.count(1)
    goal, feedback, result = (filled(part, numbers) for part in (kind.Goal, kind.Feedback, kind.Result))
    goals, feedbacks = [], []

    def execute(handle):
        goals.append(handle.request)
        handle.publish_feedback(feedback)
        handle.succeed()
        return result

    server = ActionServer(there.node, kind, f"round_trip_{kind.__name__}", execute)
    client = ActionClient(here.node, kind, f"round_trip_{kind.__name__}")
    services = [f"round_trip_{kind.__name__}/_action/{name}" for name in ("send_goal", "get_result")]
    spin_until(peers, lambda: client.server_is_ready() and all(map(there.node.count_clients, services)), "discovery")
    asked = client.send_goal_async(goal, feedback_callback=lambda message: feedbacks.append(message.feedback))
    spin_until(peers, asked.done, "the answer to the goal")
    finished = asked.result().get_result_async()
    spin_until(peers, lambda: finished.done() and feedbacks, "the result and the feedback")
    assert goals == [goal]
    assert feedbacks == [feedback]
    assert finished.result().result == result
    client.destroy()
    server.destroy()

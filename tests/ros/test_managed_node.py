"""Transitions that fail: they say why, leave nothing behind, and may be tried again."""

import threading
from contextlib import contextmanager
from functools import partial

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

import rclpy
from rclpy.context import Context
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from tests.fakes import ScriptedModel
from vitron_ros.errors import ModelError
from vitron_ros.grounding.request import Task
from vitron_ros.ros import perception_node
from vitron_ros.ros.command_node import CommandNode
from vitron_ros.ros.follow_node import FollowNode
from vitron_ros.ros.module_node import ModuleNode
from vitron_ros.ros.perception_node import PerceptionNode
from vitron_ros.ros.rig_node import RigNode

pytestmark = pytest.mark.ros
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


@contextmanager
def unconfigured(make_node, **parameters):
    context = Context()
    rclpy.init(args=[], context=context)
    given = {"autostart": False, "cameras": ["left", "right"], **parameters}
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    made = make_node(context=context, parameter_overrides=overrides)
    yield made
    made.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def node():
    with unconfigured(PerceptionNode) as made:
        yield made


def left_behind(node, threads):
    """What a node holds: how many entities of ROS of each kind, and threads of this process but for some."""
    held = (node.publishers, node.subscriptions, node.services, node.timers, node.guards, node.waitables)
    return [len(list(entities)) for entities in held], set(threading.enumerate()) - threads


@pytest.fixture
def threads():
    """Those of before the test; one of another test may be about to end."""
    return set(threading.enumerate())


def raising(error):
    def raise_it(*args, **kwargs):
        raise error

    return raise_it


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ModelError("the weights are gone"), "cannot configure: the weights are gone\n"),
        (OSError("disk gone"), "cannot configure: disk gone\n"),
        (AttributeError("no such thing"), "because of a bug\nTraceback"),
    ],
)
@pytest.mark.parametrize("place", ["warm_up", "TrackAction", "ConverseAction"])
def test_a_configure_that_fails_says_why_and_is_undone(node, threads, monkeypatch, capfd, place, error, says):
    before = left_behind(node, threads)
    with monkeypatch.context() as patch:
        patch.setattr(perception_node, place, raising(error))
        assert node.trigger_configure() == FAILURE
    assert says in capfd.readouterr().err
    assert left_behind(node, threads) == before
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_cleanup() == SUCCESS
    assert left_behind(node, threads) == before


def test_an_activate_that_fails_half_way_is_undone(node, threads, monkeypatch, capfd):
    assert node.trigger_configure() == SUCCESS
    before = left_behind(node, threads)
    with monkeypatch.context() as patch:
        patch.setattr(node._ports["right"], "activate", raising(ModelError("no room")))
        assert node.trigger_activate() == FAILURE
    assert "cannot activate: no room" in capfd.readouterr().err
    assert left_behind(node, threads) == before
    assert node.trigger_activate() == SUCCESS


def test_a_deactivate_that_meets_a_bug_lets_go_of_everything(node, threads, monkeypatch, capfd):
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    with monkeypatch.context() as patch:
        patch.setattr(node._converse, "shutdown", raising(KeyError("who")))
        assert node.trigger_deactivate() == TransitionCallbackReturn.ERROR
        assert "cannot deactivate, because of a bug" in capfd.readouterr().err
    assert not left_behind(node, threads)[1], "threads"
    assert node.trigger_configure() == SUCCESS, "the node is unconfigured again"


def test_what_is_released_already_is_not_released_again(node, threads):
    before = left_behind(node, threads)
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    for part in (node._track, node._converse):
        part.destroy()
        part.destroy()
    assert node.trigger_deactivate() == SUCCESS
    assert node.trigger_cleanup() == SUCCESS
    assert left_behind(node, threads) == before


@pytest.mark.parametrize(
    ("make_node", "parameters"),
    [
        (PerceptionNode, {"publish_3d": True}),
        (FollowNode, {}),
        (RigNode, {}),
        (CommandNode, {}),
        (partial(ModuleNode, "segmentation"), {"history": 1.0}),
    ],
    ids=["perception", "follow", "rig", "command", "segmentation"],
)
def test_a_node_that_is_shut_down_while_it_is_active_lets_go_of_everything(threads, make_node, parameters):
    with unconfigured(make_node, **parameters) as node:
        before = left_behind(node, threads)
        assert node.trigger_configure() == SUCCESS
        assert node.trigger_activate() == SUCCESS
        assert node.trigger_shutdown() == SUCCESS
        assert left_behind(node, threads) == before


def test_a_configured_node_says_what_it_is_and_an_active_one_what_it_listens_to(node, capfd):
    node.trigger_configure()
    node.trigger_activate()
    said = capfd.readouterr().err
    assert "configured: cameras left, right, tracker default, no model\n" in said
    assert "images on /left/image, tracks on /left/tracks; images on /right/image" in said
    assert said.count("[INFO]") == 2


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ({Task.FIND}, "the model finder cannot answer questions: such requests will be refused\n"),
        ({Task.FOLLOW}, "the model finder cannot find what a phrase describes or answer questions: such"),
        ({Task.FIND, Task.ASK}, ""),
    ],
)
def test_what_a_model_cannot_do_is_told_once(node, capfd, tasks, says):
    node.set_parameters([Parameter("model", value="finder")])
    node._load = lambda name, run: ScriptedModel(tasks=frozenset(tasks))
    assert node.trigger_configure() == SUCCESS
    said = capfd.readouterr().err
    assert says in said and said.count("[WARN]") == bool(says)
    assert node.trigger_cleanup() == SUCCESS


def test_a_tracker_that_is_not_there_is_refused_when_it_is_set(node):
    for stage in ("unconfigured", "inactive"):
        assert node.stage == stage
        (result,) = node.set_parameters([Parameter("tracker", value="magic")])
        assert "there is no tracker 'magic'" in result.reason
        node.trigger_configure()
    (result,) = node.set_parameters([Parameter("cameras", value=["front"])])
    assert "clean it up first" in result.reason
    (result,) = node.set_parameters([Parameter("tracker", value="nano:/nowhere")])
    assert "is missing" in result.reason

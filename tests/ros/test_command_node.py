"""Sentences to the node command, beside a perception node and modules' nodes, over real DDS."""

import functools
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from action_msgs.msg import GoalStatus, GoalStatusArray
from rclpy.action import ActionClient
from rclpy.qos import qos_profile_action_status_default
from sensor_msgs.msg import Image
from std_msgs.msg import String
from vitron_msgs.action import Command, RunModule

from tests.fakes import ScriptedModel
from tests.modules.fake_backend import FakeBackend
from tests.ros.endless_module import endless_module
from tests.ros.rig import WAIT_S, Camera, running, running_node
from vitron_ros.grounding.request import ModelReply, ReplyStatus, Task
from vitron_ros.model.answers import Invocation
from vitron_ros.module_registry import Module
from vitron_ros.region import Region
from vitron_ros.ros import qos, remote_action
from vitron_ros.ros.command_node import CommandNode
from vitron_ros.ros.conversions import outcome_name, region_message
from vitron_ros.ros.module_node import ModuleNode

pytestmark = pytest.mark.ros
WIDTH, HEIGHT = 160, 120
PATIENCE = {"history": 30.0, "answer_timeout": WAIT_S}  # whatever a busy machine holds up


class BlueSquare(ScriptedModel):
    """Finds the blue square; told "cut out", it calls the module of `call`."""

    call = "segmentation: blue square"

    def __init__(self):
        super().__init__(self._answer)

    def _answer(self, request):
        known = {"id": request.id, "task": request.task, "status": ReplyStatus.OK, "score": 0.95}
        boxes = np.array([self._box(frame.rgb) for frame in request.frames])
        if request.task is not Task.ASK:
            return ModelReply(**known, boxes_xyxy=boxes)
        region = tuple((boxes[-1] / [WIDTH, HEIGHT, WIDTH, HEIGHT]).tolist())
        return ModelReply(
            **known, text="I will.", invocation=Invocation(Module.IMAGE_SEGMENTATION, (self.call,), region)
        )

    def _box(self, rgb):
        rows, columns = np.nonzero((rgb[..., 2] > 200) & (rgb[..., 0] < 60))
        return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float64)


def scene():
    noise = np.random.default_rng(0).integers(80, 120, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    made = []
    for index in range(40):
        rgb = noise.copy()
        x = 20 + min(index, 40 - index)
        rgb[40:80, x : x + 40] = (30, 60, 230)
        rgb[50:70, x + 10 : x + 20] = (20, 40, 250)
        made.append(rgb)
    return made


@pytest.fixture
def rig(probe):
    with running_rig(probe, "segmentation", "editing") as made:
        yield made


@contextmanager
def running_rig(probe, *modules):
    """Nodes with fake modules, a camera, and functions that say something and wait for what comes of it."""
    model, backends = BlueSquare(), {name: FakeBackend() for name in modules}
    with ExitStack() as nodes:
        nodes.enter_context(running_node(lambda *_: model, model="blue", feedback_rate=100.0, history=10.0))
        for name, backend in backends.items():
            load = functools.partial(lambda *_, given: given, given=backend)
            nodes.enter_context(running(functools.partial(ModuleNode, name, load), niceness=0))
        node = nodes.enter_context(running(CommandNode, clip_duration=0.4, feedback_rate=100.0, **PATIENCE))
        camera = Camera(probe, size=(WIDTH, HEIGHT))
        camera.pictures = scene()
        client = ActionClient(probe, Command, "command", **qos.GOAL_SERVICES)
        probe.spin_until(client.server_is_ready, 20, "the node command")
        probe.settle("command")
        camera.connect()
        camera.run(10)

        def send(text, hear=None, **fields):
            future = client.send_goal_async(
                Command.Goal(text=text, **fields), feedback_callback=lambda message: hear and hear(message.feedback)
            )
            camera.run_until(future.done)
            return future.result()

        def result_of(handle):
            future = handle.get_result_async()
            camera.run_until(future.done)
            return future.result().result

        def say(text, hear=None, **fields):
            return result_of(send(text, hear, **fields))

        yield SimpleNamespace(
            probe=probe, node=node, camera=camera, model=model, say=say, send=send, result_of=result_of, **backends
        )
        for backend in backends.values():
            backend.gate.set()
        client.destroy()


def test_four_steps_of_one_sentence(rig):
    told, shown = [], []
    rig.probe.create_subscription(Image, "playback", shown.append, 100)
    result = rig.say("track the blue square, cut it out, make it red and play it back", told.append)
    assert (outcome_name(result), result.error_msg) == ("OK", "")
    assert result.reply.splitlines() == [
        f"track the blue square: target {result.tracks[0].id}",
        "cut it out: done; done in red",
        "make it red: done; done in red",
        "play it back: done",
    ]
    assert {(each.step, each.steps) for each in told} <= {(step, 4) for step in range(1, 5)}
    assert [each.progress for each in told] == sorted(each.progress for each in told)
    (cut,), (paint,) = rig.segmentation.jobs, rig.editing.jobs
    assert (cut.action, paint.action, paint.text) == ("segment", "recolour", "make it red")
    assert len(cut.frames) == len(paint.frames) == len(result.images) > 1
    assert [frame.stamp_ns for frame in cut.frames] == [frame.stamp_ns for frame in paint.frames]
    assert all(box is not None for box in cut.boxes) and len(paint.masks) == len(paint.frames)
    assert [(call.module, list(call.instructions)) for call in result.invocations] == [
        (Module.VIDEO_SEGMENTATION, ["segmentation: cut it out"]),
        (Module.VIDEO_EDITING, ["recolour: make it red"]),
    ]
    rig.camera.run_until(lambda: len(shown) == len(result.images))
    assert shown[0].header.stamp != result.images[0].header.stamp
    tracks = rig.probe.tracks[-1][1].tracks
    assert [track.id for track in tracks] == [result.tracks[0].id], "it is still followed"
    again = rig.say("again, but green")
    assert rig.editing.jobs[-1].text == "make it green" and len(again.images) == len(result.images)
    assert rig.say("undo").reply == "undone: make it green, play it back"
    stopped = rig.say("stop")
    assert stopped.reply == "targets that are no longer followed: 1"
    rig.camera.run_until(lambda: not rig.probe.tracks[-1][1].tracks)


def test_a_clip_of_a_camera_that_stalls_has_what_was_seen_on_both_sides_of_the_gap(rig, monkeypatch):
    rig.say("track the blue square")
    show = rig.camera.show

    def show_and_stall(message=None):
        show(message)
        rig.probe.spin_for(0.5)  # longer than clip_duration

    monkeypatch.setattr(rig.camera, "show", show_and_stall)
    result = rig.say("cut out the blue square and play it back")
    assert (outcome_name(result), result.error_msg) == ("OK", "")
    (cut,) = rig.segmentation.jobs
    assert len(cut.frames) >= 2


def test_the_topic_answers_and_a_stop_ends_a_chain_in_its_middle(rig):
    answers = []
    rig.probe.create_subscription(String, "answer", lambda message: answers.append(message.data), qos.EVENTS)
    publisher = rig.probe.create_publisher(String, "command", qos.EVENTS)
    rig.probe.settle("command")
    rig.camera.run_until(lambda: publisher.get_subscription_count() > 0)
    rig.segmentation.gate.clear()
    publisher.publish(String(data="cut out the blue square and make it red"))
    rig.camera.run_until(lambda: rig.segmentation.jobs)
    busy = rig.say("cut out the blue square")
    assert (outcome_name(busy), 'say "stop"' in busy.error_msg) == ("BUSY", True)
    publisher.publish(String(data="stop"))
    rig.camera.run_until(lambda: len(answers) == 2)
    assert sorted(answers) == ["stopped by a later command", "the command was stopped"]
    rig.segmentation.gate.set()
    publisher.publish(String(data="cut out the blue square"))
    rig.camera.run_until(lambda: len(answers) == 3)
    assert answers[-1] == "cut out the blue square: done; done in red" and not rig.editing.jobs


@pytest.mark.parametrize("transition", ["deactivate", "shutdown"])
def test_a_node_that_goes_in_mid_command_says_so_and_ends_what_it_began(rig, transition):
    answers, ended = [], []
    rig.probe.create_subscription(String, "answer", lambda message: answers.append(message.data), qos.EVENTS)
    rig.probe.create_subscription(
        GoalStatusArray,
        "segmentation/run/_action/status",
        lambda message: ended.extend(each.status for each in message.status_list),
        qos_profile_action_status_default,  # of which the last comes, however late the topic is found
    )
    publisher = rig.probe.create_publisher(String, "command", qos.EVENTS)
    rig.probe.settle("command")
    rig.camera.run_until(lambda: publisher.get_subscription_count() > 0)
    rig.segmentation.gate.clear()
    publisher.publish(String(data="cut out the blue square"))
    rig.camera.run_until(lambda: rig.segmentation.jobs or answers)
    assert not answers
    rig.node.executor.create_task(getattr(rig.node, f"trigger_{transition}"))
    rig.camera.run_until(lambda: answers and GoalStatus.STATUS_CANCELED in ended)
    assert answers == ["the node was deactivated"]


def test_a_client_cancels_a_chain_as_a_whole(rig):
    rig.segmentation.gate.clear()
    handle = rig.send("cut out the blue square and make it red")
    rig.camera.run_until(lambda: rig.segmentation.jobs)
    handle.cancel_goal_async()
    result = rig.result_of(handle)
    assert (outcome_name(result), result.error_msg) == ("CANCELED", "cancelled by the client")
    job = rig.say("make this red", regions=[region_message(Region.from_box([20, 40, 60, 80]))])
    assert outcome_name(job) == "OK" and [each.text for each in rig.editing.jobs] == ["make this red"]


def test_a_module_that_is_killed_in_mid_command_is_told_with_what_was_done_before(probe, monkeypatch):
    begun = []
    probe.create_subscription(RunModule.Impl.FeedbackMessage, "editing/run/_action/feedback", begun.append, 10)
    with running_rig(probe, "segmentation") as rig, endless_module() as process:
        while not begun:  # the process may still be starting
            handle = rig.send("cut out the blue square and make it red")
            future = handle.get_result_async()
            rig.camera.run_until(lambda future=future: begun or future.done())
        process.kill()
        monkeypatch.setattr(remote_action, "SILENCE_S", 2.0)
        result = rig.result_of(handle)
    assert outcome_name(result) == "UNREACHABLE"
    assert "the node editing is silent: it has died" in result.error_msg
    assert result.reply == "cut out the blue square: done; done in red"


def test_what_cannot_be_done_is_told_in_one_sentence(rig, monkeypatch):
    rig.model.call = "remove: blue square"
    rejected = rig.say("cut out the blue square")
    assert (outcome_name(rejected), "the model would call" in rejected.error_msg) == ("REJECTED", True)
    cases = [
        ("make it red", "REFUSED", "what is meant"),
        ("draw a red ball", "UNREACHABLE", "generation is not there: start it"),
        ("cut out the blue square", "UNREACHABLE", "no such camera", {"camera": "left"}),
        ("x" * 2001, "NOT_UNDERSTOOD", "2,000"),
    ]
    with monkeypatch.context() as brief:
        brief.setattr(remote_action, "SILENCE_S", 2.0)
        for text, code, says, *fields in cases:
            result = rig.say(text, **(fields[0] if fields else {}))
            assert (outcome_name(result), says in result.error_msg) == (code, True), result.error_msg
    rig.segmentation.error = MemoryError()
    rig.model.call = "segmentation: blue square"
    failed = rig.say("cut out the blue square and make it red")
    assert outcome_name(failed) == "MODULE_ERROR"
    assert failed.error_msg.startswith("cut out the blue square: there is not enough memory")
    assert not rig.editing.jobs and not rig.send(" ").accepted

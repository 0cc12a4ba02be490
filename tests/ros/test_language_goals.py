"""Prompts and questions to a real node over real DDS, with a scripted model in the place of a trained one."""

import threading

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from builtin_interfaces.msg import Duration
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.action import ActionClient
from rclpy.parameter import Parameter
from vitron_msgs.action import Converse, TrackObject
from vitron_msgs.msg import Invocation, Region, Track, TrackEvent

from tests.fakes import ScriptedModel, said
from tests.ros.rig import WAIT_S, Camera, running_node
from vitron_ros.boxes import iou
from vitron_ros.errors import ModelError
from vitron_ros.grounding.request import Grounded, ModelReply, ReplyStatus, Task
from vitron_ros.model.answers import Invocation as ModelInvocation
from vitron_ros.module_registry import Module
from vitron_ros.ros import qos
from vitron_ros.ros.converse_action import ConverseAction
from vitron_ros.ros_tools.pattern_camera import pictures, target_boxes

pytestmark = pytest.mark.ros
SIZE = (320, 240)
PICTURES = {picture.tobytes(): index for index, picture in enumerate(pictures(2, *SIZE))}
Goal, Result = TrackObject.Goal, TrackObject.Result


def true_boxes(request, number=0):
    indices = [PICTURES[frame.rgb.tobytes()] for frame in request.frames]
    return np.array([target_boxes(index, 2, *SIZE)[number] for index in indices])


def knows(request):
    """Finds "first" and "second", follows what it is given, and answers with an echo."""
    values = {"id": request.id, "task": request.task, "status": ReplyStatus.OK, "score": 0.9}
    if request.task is Task.ASK:
        if request.on_text:
            request.on_text("you ")
        box = true_boxes(request)[-1]
        turns = ", ".join(f"{turn.question}: {turn.box_xyxy is not None}" for turn in request.history)
        return ModelReply(
            **values,
            text=f"you said {request.text} after [{turns}] with {len(request.regions)} regions",
            grounded=(Grounded(label="square", box_xyxy=box),),
            invocation=ModelInvocation(Module.IMAGE_SEGMENTATION, ("segmentation: the square",), (0.25, 0.5, 0.5, 1.0))
            if "cut" in request.text
            else None,
        )
    if request.task is Task.FOLLOW:
        truths = [true_boxes(request, number) for number in (0, 1)]
        return ModelReply(**values, boxes_xyxy=max(truths, key=lambda boxes: iou(boxes[0], request.box_xyxy)))
    return ModelReply(**values, boxes_xyxy=true_boxes(request, int("second" in request.text)))


def model(*answers, **values):
    return lambda name, run: ScriptedModel(*(answers or [knows]), **values)


class Waiting(ScriptedModel):
    """Answers when the test lets it."""

    def __init__(self):
        super().__init__(knows)
        self.entered, self.go_on = threading.Event(), threading.Event()

    def reply(self, requests):
        self.entered.set()
        assert self.go_on.wait(60)
        return super().reply(requests)


def node_with(load, **parameters):
    return running_node(load, model="scripted", feedback_rate=1000.0, diagnostics_period=0.2, **parameters)


class Talker:
    """A client of the Converse action."""

    def __init__(self, probe):
        self.probe = probe
        self.heard, self.invocations = [], []
        self.client = ActionClient(probe, Converse, "converse")
        probe.create_subscription(Invocation, "invocations", self.invocations.append, qos.INVOCATIONS)
        probe.spin_until(self.client.server_is_ready, 20, "the Converse action")
        probe.settle()

    def ask(self, text, **values):
        goal = Converse.Goal(text=text, **values)
        future = self.client.send_goal_async(goal, lambda message: self.heard.append(message.feedback.text))
        self.probe.spin_until(future.done, 20, "the answer to a question's goal")
        return future.result()

    def result(self, handle):
        assert handle.accepted
        return self.probe.result(handle, 20)


@pytest.fixture
def talk(probe):
    made = []
    yield lambda: made.append(Talker(probe)) or made[-1]
    for talker in made:
        talker.client.destroy()


def start(camera, probe):
    camera.connect()
    camera.run_until(lambda: probe.tracks)
    return camera


def near(track, camera, number=0):
    """IoU of a track in the answer to the picture that was shown last."""
    return float(iou(track.box, target_boxes(camera.index - 1, 2, *SIZE)[number]))


def test_prompts_become_tracks_with_their_phrases(probe):
    with node_with(model()):
        camera = start(Camera(probe), probe)
        handles = [probe.send(Goal(prompt=f"the {name} square")) for name in ("first", "second")]
        camera.run_until(lambda: len(probe.tracks[-1][1].tracks) == 2)
        found = probe.tracks[-1][1].grounded
        camera.run_until(lambda: probe.tracks[-1][1].grounded != found)  # the model confirms them
        tracks = {track.phrase: track for track in camera.answer().tracks}
        assert near(tracks["the first square"], camera, 0) > 0.6
        assert near(tracks["the second square"], camera, 1) > 0.6
        for handle in handles:
            result = probe.cancel(handle)
            assert (result.error_code, result.tracks[0].state) == (Result.CANCELED, Track.TRACKED)


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (ReplyStatus.UNKNOWN, Result.NOT_UNDERSTOOD, TrackEvent.REASON_NOT_UNDERSTOOD),
        (ReplyStatus.ABSENT, Result.NOT_FOUND, TrackEvent.REASON_NOT_SEEN),
        (ReplyStatus.FAILED, Result.MODEL_ERROR, TrackEvent.REASON_MODEL_ERROR),
        (ReplyStatus.DEADLINE, Result.TIMEOUT, TrackEvent.REASON_MODEL_ERROR),
    ],
)
def test_a_prompt_that_leads_nowhere_says_why(probe, status, outcome, reason):
    scripted = ScriptedModel(lambda request: said(request, status, "the reason why"))
    with node_with(lambda name, run: scripted, timeout=60.0) as node:
        camera = start(Camera(probe), probe)
        handle = probe.send(Goal(prompt="the unicorn"))
        future = handle.get_result_async()
        camera.run_until(lambda: future.done() or len(scripted.asked) > 10)  # more often than failures are put up with
        assert node.set_parameters([Parameter("timeout", value=0.1)])[0].successful
        result = camera.result(handle)
        assert result.error_code == outcome
        assert "the reason why" in result.error_msg
        probe.spin_until(lambda: probe.events, WAIT_S, "the event")
        (event,) = probe.events
        assert (event.event, event.reason, event.phrase) == (TrackEvent.REJECTED, reason, "the unicorn")


def test_cancel_while_the_model_thinks(probe):
    waiting = Waiting()
    with node_with(lambda name, run: waiting):
        camera = start(Camera(probe), probe)
        handle = probe.send(Goal(prompt="the first square"))
        camera.run_until(waiting.entered.is_set)
        assert probe.cancel(handle).error_code == Result.CANCELED
        waiting.go_on.set()
        camera.run(10)
        assert probe.tracks[-1][1].tracks == []


def test_a_model_that_hangs_blocks_nothing(probe, talk):
    """Frames go on, a box is followed, goals and questions end in time, the node can be taken down."""
    waiting = Waiting()
    try:
        with node_with(lambda name, run: waiting, model_timeout=1.0):
            camera = start(Camera(probe), probe)
            talker = talk()
            prompt = probe.send(Goal(prompt="the first square"))
            camera.run_until(waiting.entered.is_set)
            question = talker.ask("what is it?")
            box = target_boxes(camera.index, 2, *SIZE)[1]
            region = Region(kind=Region.BOX, x=[float(box[0]), float(box[2])], y=[float(box[1]), float(box[3])])
            probe.send(Goal(region=[region]))
            futures = [prompt.get_result_async(), question.get_result_async()]
            camera.run_until(lambda: all(future.done() for future in futures))
            assert futures[0].result().result.error_code == Result.TIMEOUT
            assert futures[1].result().result.error_code == Converse.Result.TIMEOUT
            assert len(probe.tracks[-1][1].tracks) == 1

            def status():
                return next((item for item in probe.diagnostics[-1][1].status if item.name.endswith("model")), None)

            camera.run_until(lambda: status() is not None and status().level == b"\x02")
            assert "no answer" in status().message
    finally:
        waiting.go_on.set()


def test_deactivate_and_activate_while_the_model_thinks(probe, talk):
    waiting = Waiting()
    with node_with(lambda name, run: waiting):
        camera = start(Camera(probe), probe)
        handle = probe.send(Goal(prompt="the first square"))
        talker = talk()
        camera.run_until(waiting.entered.is_set)
        question = talker.ask("what is it?")

        def change(transition):
            request = ChangeState.Request(transition=Transition(id=transition))
            return probe.call(ChangeState, "perception/change_state", request).success

        assert change(Transition.TRANSITION_DEACTIVATE)
        assert probe.result(handle).error_code == Result.SHUTDOWN
        assert talker.result(question).error_code == Converse.Result.SHUTDOWN
        assert change(Transition.TRANSITION_ACTIVATE)
        waiting.go_on.set()
        camera.connect()
        count = len(probe.tracks)
        camera.run_until(lambda: len(probe.tracks) > count + 5)
        assert probe.tracks[-1][1].tracks == [], "the old reply starts nothing"
        probe.send(Goal(prompt="the second square"))
        camera.run_until(lambda: probe.tracks[-1][1].tracks)
        assert near(camera.answer().tracks[0], camera, 1) > 0.5


def test_a_model_that_cannot_be_loaded_fails_configure_with_its_reason(probe):
    def load(name, run):
        raise ModelError(f"there is no model {name}")

    with running_node(load, autostart=False, model="nowhere"):
        request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
        assert not probe.call(ChangeState, "perception/change_state", request).success


def test_one_model_serves_two_cameras(probe):
    shared = ScriptedModel(knows)
    with node_with(lambda name, run: shared, cameras=["left", "right"]):
        cameras = [Camera(probe, topic=f"{name}/image").connect() for name in ("left", "right")]
        handles = [probe.send(Goal(prompt="the first square", camera=name)) for name in ("left", "right")]

        def everybody_tracks():
            cameras[1].show()
            phases = {(feedback.tracks.camera, feedback.phase) for feedback in probe.feedback}
            return {("left", 1), ("right", 1)} <= phases

        cameras[0].run_until(everybody_tracks)
        assert {request.frames[0].camera for request in shared.asked} == {"left", "right"}
        for handle in handles:
            assert probe.cancel(handle).error_code == Result.CANCELED


def test_a_question_is_answered_about_the_newest_image(probe, talk):
    with node_with(model()):
        camera = start(Camera(probe), probe)
        talker = talk()
        shown = camera.answer()
        result = talker.result(talker.ask("what is it?"))
        assert (result.error_code, result.error_msg) == (Converse.Result.NONE, "")
        assert result.reply == "you said what is it? after [] with 0 regions"
        assert result.header.frame_id == "lens"
        (track,) = result.grounded
        assert (track.id, track.label) == (0, "square")
        assert track.grounded == result.header.stamp
        assert near(track, camera) > 0.6
        assert talker.heard == ["you "]
        assert result.header == shown.header


@pytest.mark.parametrize(("name", "is_it"), [("first", True), ("second", False)])
def test_an_answer_names_the_track_of_what_it_is_about(probe, talk, name, is_it):
    with node_with(model()):
        camera = start(Camera(probe), probe)
        probe.send(Goal(prompt=f"the {name} square"))
        camera.run_until(lambda: probe.tracks[-1][1].tracks)
        talker = talk()
        handle = talker.ask("what is it?")
        camera.show()
        (track,) = talker.result(handle).grounded
        assert track.id == (probe.tracks[-1][1].tracks[0].id if is_it else 0)


def test_follow_ups_keep_their_context_and_other_conversations_do_not(probe, talk):
    with node_with(model()):
        start(Camera(probe), probe)
        talker = talk()
        first = talker.result(talker.ask("is it red?"))
        second = talker.result(talker.ask("is it large?", conversation_id=first.conversation_id))
        other = talker.result(talker.ask("is it far away?"))
        assert second.conversation_id == first.conversation_id != other.conversation_id
        assert "after [is it red?: True]" in second.reply
        assert "after []" in other.reply


def test_regions_come_along_and_invocations_go_out(probe, talk):
    with node_with(model()):
        start(Camera(probe), probe)
        talker = talk()
        region = Region(kind=Region.BOX, x=[10.0, 50.0], y=[10.0, 50.0])
        result = talker.result(talker.ask("cut out the square", regions=[region]))
        assert "with 1 regions" in result.reply
        (invocation,) = result.invocations
        assert (invocation.module, list(invocation.instructions)) == (2, ["segmentation: the square"])
        assert (list(invocation.region[0].x), list(invocation.region[0].y)) == ([80.0, 160.0], [120.0, 240.0])
        assert invocation.reply == result.reply and invocation.request_id
        probe.spin_until(lambda: talker.invocations, 30, "the invocation")
        assert talker.invocations == [invocation]


def test_what_is_not_asked_for_is_not_published(probe, talk):
    removes = ModelInvocation(Module.IMAGE_EDITING, ("remove: small red ring",), (0.25, 0.5, 0.5, 1.0))

    def edits(request):
        return ModelReply(
            id=request.id, task=request.task, status=ReplyStatus.OK, score=0.9, text="ok", invocation=removes
        )

    with node_with(model(edits)):
        start(Camera(probe), probe)
        talker = talk()
        refused, rejected = Converse.Result.REFUSED, Converse.Result.REJECTED
        for text, code in (("hello", refused), ("the small red ring", refused), ("Describe the scene.", rejected)):
            result = talker.result(talker.ask(text))
            assert (result.error_code, result.invocations) == (code, [])
            assert result.error_msg
        result = talker.result(talker.ask("remove the small red ring"))
        assert [round(invocation.score, 3) for invocation in result.invocations] == [0.9] and result.score > 0.89
        probe.spin_until(lambda: talker.invocations, 30, "the invocation")
        assert len(talker.invocations) == 1


def test_stop_ends_the_questions_that_stand(probe, talk):
    with node_with(model(Door()), keyframe_period=0.05):
        camera, talker = start(Camera(probe), probe), talk()
        standing = talker.ask("tell me when", standing=True, conversation_id="door")
        camera.run_until(lambda: talker.heard)
        result = talker.result(talker.ask("stop", conversation_id="door"))
        assert (result.error_code, result.reply[:25]) == (Converse.Result.NONE, "1 standing questions ended"[:25])
        assert talker.result(standing).error_code == Converse.Result.NONE


@pytest.mark.parametrize(
    ("values", "outcome", "says"),
    [
        (
            {"regions": [Region(kind=Region.BOX, x=[900.0, 950.0], y=[10.0, 50.0])]},
            Converse.Result.BAD_REGION,
            "outside",
        ),
        ({"regions": [Region(kind=9)]}, Converse.Result.BAD_REGION, "kind 9"),
    ],
)
def test_questions_that_cannot_be_asked_say_why(probe, talk, values, outcome, says):
    with node_with(model()):
        start(Camera(probe), probe)
        talker = talk()
        result = talker.result(talker.ask("what?", **values))
        assert result.error_code == outcome
        assert says in result.error_msg


def test_a_question_without_an_image_is_stale_and_without_a_text_or_camera_refused(probe, talk):
    with node_with(model()):
        talker = talk()
        assert talker.result(talker.ask("what?")).error_code == Converse.Result.INPUT_STALE
        assert not talker.ask(" ").accepted
        assert not talker.ask("what?", camera="rear").accepted


def test_a_question_without_a_model_says_how_to_get_one(probe, talk):
    with running_node():
        start(Camera(probe), probe)
        talker = talk()
        result = talker.result(talker.ask("what?"))
        assert result.error_code == Converse.Result.MODEL_ERROR
        assert "parameter model" in result.error_msg


def test_cancelling_a_question_while_the_model_thinks(probe, talk):
    waiting = Waiting()
    with node_with(lambda name, run: waiting):
        camera = start(Camera(probe), probe)
        talker = talk()
        handle = talker.ask("what is it?")
        camera.run_until(waiting.entered.is_set)
        assert probe.cancel(handle).error_code == Converse.Result.CANCELED
        waiting.go_on.set()
        assert talker.result(talker.ask("what is it?")).error_code == Converse.Result.NONE


def test_diagnostics_say_how_the_model_is(probe):
    with node_with(model()):
        camera = start(Camera(probe), probe)
        probe.send(Goal(prompt="the first square"))

        def values():
            status = [item for item in probe.diagnostics[-1][1].status if item.name == "perception: model"]
            return {value.key: value.value for value in status[0].values} if status else {}

        camera.run_until(lambda: probe.diagnostics and int(values().get("replies_ok", 0)) >= 2)
        assert values()["model"] == "scripted"
        assert float(values()["latency_ms_p99"]) >= 0
        assert values()["replies_failed"] == "0"


class Door:
    """A model that is asked whether somebody is at the door."""

    def __init__(self):
        self.answer, self.status, self.heard = "no", ReplyStatus.OK, threading.Semaphore(0)

    def __call__(self, request):
        self.heard.release()
        return ModelReply(id=request.id, task=request.task, status=self.status, text=self.answer, score=0.9)

    def run(self, camera, replies):
        """Let the camera run until the model was asked so many times more."""
        count = 0

        def done():
            nonlocal count
            count += self.heard.acquire(blocking=False)
            return count >= replies

        camera.run_until(done)


def test_a_standing_question_speaks_on_change_alone_until_it_is_cancelled(probe, talk):
    door = Door()
    with node_with(model(door), keyframe_period=0.05):
        camera, talker = start(Camera(probe), probe), talk()
        handle = talker.ask("tell me when someone enters", standing=True, conversation_id="door")
        camera.run_until(lambda: talker.heard)
        door.run(camera, 5)
        assert talker.heard == ["no"], "nothing has changed"
        door.answer = "yes, a man"
        camera.run_until(lambda: len(talker.heard) > 1)
        door.run(camera, 5)
        assert talker.heard == ["no", "yes, a man"]
        future = handle.cancel_goal_async()
        camera.run_until(future.done)
        result = talker.result(handle)
        assert (result.error_code, result.reply) == (Converse.Result.CANCELED, "yes, a man")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(ReplyStatus.UNKNOWN, Converse.Result.NOT_UNDERSTOOD), (ReplyStatus.FAILED, Converse.Result.MODEL_ERROR)],
)
def test_a_standing_question_that_leads_nowhere_ends_with_the_reason(probe, talk, status, outcome):
    door = Door()
    with node_with(model(door), keyframe_period=0.05):
        camera, talker = start(Camera(probe), probe), talk()
        handle = talker.ask("tell me when", standing=True)
        camera.run_until(lambda: talker.heard)
        door.status = status
        future = handle.get_result_async()
        camera.run_until(future.done)
        assert future.result().result.error_code == outcome


def test_a_standing_question_ends_after_its_duration_and_with_the_node(probe, talk, monkeypatch):
    door = Door()
    with node_with(model(door), keyframe_period=0.05) as node:
        camera, talker = start(Camera(probe), probe), talk()
        # Two seconds pass when both have been answered.
        monkeypatch.setattr(ConverseAction, "_now_ns", lambda action: 2 * 10**9 * (len(talker.heard) >= 2))
        short = talker.ask("tell me when", standing=True, duration=Duration(sec=1)).get_result_async()
        long = talker.ask("tell me when", standing=True).get_result_async()
        camera.run_until(short.done)
        assert (short.result().result.error_code, short.result().result.reply) == (Converse.Result.NONE, "no")
        assert not long.done()
        change = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
        probe.service(ChangeState, f"{node.get_name()}/change_state").call_async(change)
        probe.spin_until(long.done, 20, "the end of a question that stands")
        assert long.result().result.error_code == Converse.Result.SHUTDOWN


@pytest.mark.parametrize("values", [{"duration": Duration(sec=1)}, {"standing": True, "duration": Duration(sec=-1)}])
def test_a_duration_that_makes_no_sense_is_refused(probe, talk, values):
    with node_with(model()):
        assert not talk().ask("hello?", **values).accepted

"""Fault drills: what a user sees while the model, a camera or a client misbehaves, and when the node is taken down.

All drills share one node with two cameras. "front" has the fault; on both a target is followed all the while. After
each drill both go on under their ids, or have ended with a reason; a new goal works; no thread is left over. What must
not stay behind is looked at when the node is gone: threads, shared memory, images.
"""

import contextlib
import gc
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

import rclpy
from action_msgs.srv import CancelGoal
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from vitron_msgs.action import Converse, TrackObject
from vitron_msgs.msg import Region, Track, TrackArray, TrackEvent

from tests.conftest import DOMAINS
from tests.ros.rig import Camera, running_node
from vitron_ros.boxes import iou
from vitron_ros.errors import ModelError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import Grounded, ModelDescription, ModelReply, ReplyStatus, Task
from vitron_ros.model.answers import Invocation
from vitron_ros.module_registry import Module
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import duration_from_ns, image_message
from vitron_ros.ros_tools.pattern_camera import pictures, target_boxes
from vitron_ros.ros_tools.probe import Probe
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.tracking import parallel

pytestmark = pytest.mark.ros
Goal, Result, Feedback = TrackObject.Goal, TrackObject.Result, TrackObject.Feedback
NAMES = ("front", "rear")
SIZE, TARGETS = (320, 240), 2
PICTURES = {picture.tobytes(): index for index, picture in enumerate(pictures(TARGETS, *SIZE))}
FIRST, SECOND = "the first square", "the second square"
WAIT_S = 60.0
LOST_S = 0.5  # an image or its answer must have been lost
PARAMETERS = {
    "model": "faulty", "model_timeout": 60.0, "keyframe_period": 0.1, "timeout": 60.0, "max_image_age": 30.0,
    "max_targets": 24, "feedback_rate": 1000.0, "diagnostics_period": 0.1,
}  # fmt: skip
DOMAIN = DOMAINS[-1]  # of the node that all share; other tests have lower ones


class FaultyModel:
    """Knows the pictures; while a fault is set, that is called in its place."""

    max_frames, max_requests = 8, 8
    tasks = frozenset(Task) - {Task.DESCRIBE, Task.VERIFY}
    uses_newest_frame_only, min_score = False, None

    def __init__(self):
        self.fault = None

    def describe(self):
        return ModelDescription(
            name="pictures", family="pictures", tasks=self.tasks, parameters=0, memory_bytes=0, device="cpu"
        )

    def reply(self, requests):
        return [knows(request) for request in requests] if self.fault is None else self.fault(requests)


def knows(request):
    """The truth about "first" and "second" and about what it is given; NaN in pictures without targets."""
    known = {"id": request.id, "task": request.task, "score": 0.9}
    if request.task is Task.ASK:
        return ModelReply(**known, status=ReplyStatus.OK, text="squares")
    indices = [PICTURES.get(frame.rgb.tobytes()) for frame in request.frames]
    truths = np.array([np.full((2, 4), np.nan) if i is None else target_boxes(i, TARGETS, *SIZE) for i in indices])
    number = int("second" in request.text)
    if request.task is Task.FOLLOW:
        number = int(np.argmax(np.nan_to_num(iou(truths[0], request.box_xyxy))))
    status = ReplyStatus.ABSENT if np.isnan(truths).all() else ReplyStatus.OK
    return ModelReply(**known, status=status, boxes_xyxy=truths[:, number])


class Hang:
    """A fault: the model does not come back until it is let go."""

    def __init__(self):
        self.entered, self.go_on = threading.Event(), threading.Event()

    def __call__(self, requests):
        self.entered.set()
        assert self.go_on.wait(2 * WAIT_S)
        return [knows(request) for request in requests]


def raising(kind, *words):
    """A fault: an error, a new one each time, since one remembers the images of those who raised it."""

    def fault(requests):
        raise kind(*words)

    return fault


def saying(**values):
    """A fault: replies whose form is right but for some of their fields."""

    def reply(request):
        boxes = np.tile([10.0, 10, 40, 40], (len(request.frames), 1))
        known = {"id": request.id, "task": request.task, "status": ReplyStatus.OK, "score": 0.9, "boxes_xyxy": boxes}
        return ModelReply(**known | values)

    return lambda requests: [reply(request) for request in requests]


def boxing(*box):
    """A fault: this box in every frame."""
    return lambda requests: [
        saying(boxes_xyxy=np.tile(np.array(box, np.float64), (len(request.frames), 1)))([request])[0]
        for request in requests
    ]


class Stage:
    """The node's cameras and client. "front" has a target that the model found, "rear" one that was drawn.

    Each picture waits for the answer to the one before, so that a machine with little time sees no other drill.

    Attributes:
        paused: names of the cameras that show nothing.
        blank: "front" shows a wall without targets.
        offset_s: added to the stamps of "front".
        newest, answers: the newest TrackArray of each camera, and how many came.
        threads: of this process while all is well.
    """

    def __init__(self, probe, model):
        self.probe, self.model = probe, model
        self.cameras = {name: Camera(probe, topic=f"{name}/image", targets=TARGETS, size=SIZE) for name in NAMES}
        self.paused, self.blank, self.offset_s, self.threads = set(), False, 0, Counter()
        self.newest, self.answers, self.handles, self._heard = {}, Counter(), {}, []
        for name in NAMES:
            probe.create_subscription(TrackArray, f"{name}/tracks", self._heard.append, qos.TRACKS)

    def start(self):
        """Follow a target on each camera that has none; their ids."""
        for camera in self.cameras.values():
            camera.connect()
        for name in NAMES:
            if not self.tracks(name):
                goal = Goal(prompt=FIRST, camera=name) if name == "front" else self.drawn(name)
                self.handles[name] = self.probe.send(goal)
        self.run_until(lambda: None not in self.ids(), "targets on both cameras")
        return self.ids()

    def drawn(self, name, **values):
        """A goal with a box around the second target in the picture that comes next."""
        box = target_boxes(self.cameras[name].index, TARGETS, *SIZE)[1].astype(float)
        region = Region(kind=Region.BOX, x=[box[0], box[2]], y=[box[1], box[3]])
        return Goal(region=[region], camera=name, **values)

    def show_until_answered(self, message):
        """Let "front" show one message, and nothing else, until the node answers it: one that is overtaken by the next
        is never looked at."""

        def is_answered():
            return "front" in self.newest and self.newest["front"].header == message.header

        self.run_until(is_answered, "the answer to an image", front=message)

    def show(self, front=None):
        """Let every camera show its next picture, "front" perhaps another message, and hear what the node says."""
        awaited = {}
        for name, camera in self.cameras.items():
            if name not in self.paused:
                special = front if name == "front" else None
                camera.publish(special or self.message(name))
                if special is None:
                    awaited[name] = self.answers[name] + 1
        deadline = time.monotonic() + LOST_S
        while True:
            self.probe.spin_for(0.005)
            self._hear()
            if time.monotonic() > deadline or (
                awaited and all(self.answers[name] >= awaited[name] for name in awaited)
            ):
                return

    def _hear(self):
        for message in self._heard:
            self.newest[message.camera] = message
            self.answers[message.camera] += 1
        self._heard.clear()

    def forget(self):
        """What was heard so far."""
        self._hear()
        self.newest.clear()

    def message(self, name):
        message = self.cameras[name].message()
        if name == "front":
            message.header.stamp.sec += self.offset_s
            if self.blank:
                message = image_message(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8), message.header)
        return message

    def run_until(self, condition, what, front=None):
        """Until a condition holds. front: as of `show`, each time."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, f"waited for {what} in vain"
            self.show(front)

    def run_until_both_are_seen(self, ids):
        """Under their old ids."""
        self.run_until(lambda: self.ids() == ids, f"targets {ids}")

    def run(self, count):
        """Until each camera that is not paused has had so many more answers."""
        goal = {name: self.answers[name] + count for name in NAMES if name not in self.paused}
        self.run_until(lambda: all(self.answers[name] >= count for name, count in goal.items()), "answers")

    def result(self, handle):
        """The result of a goal, while the cameras go on."""
        future = handle.get_result_async()
        self.run_until(future.done, "the result")
        return future.result().result

    def cancel(self, handle):
        handle.cancel_goal_async()
        return self.result(handle)

    def tracks(self, name):
        """The newest tracks of a camera."""
        return self.newest[name].tracks if name in self.newest else []

    def ids(self):
        """Of the oldest target of each camera, if it is in sight."""
        oldest = [min(self.tracks(name), key=lambda track: track.id, default=None) for name in NAMES]
        return [None if track is None or track.state != Track.TRACKED else track.id for track in oldest]

    def status(self, name):
        """The newest diagnostics of a camera or of the model: level, message, values."""
        for _, array in reversed(self.probe.diagnostics):
            for item in array.status:
                if item.name.endswith(name):
                    return item.level, item.message, {value.key: value.value for value in item.values}
        return None, "", {}

    def events(self, kind):
        return [event for event in self.probe.events if event.event == kind]

    def run_until_diagnosed(self, name, level, says="", front=None):
        """Until a status has a level and says so. front: as of `show`, each time."""

        def is_diagnosed():
            return self.status(name)[0] == level and says in self.status(name)[1]

        self.run_until(is_diagnosed, f"{says!r} of {name}", front)

    def try_a_new_goal(self):
        """What a user would do next: it works as ever."""
        handle = self.probe.send(Goal(prompt=SECOND, camera="front"))
        self.run_until(lambda: any(track.phrase == SECOND for track in self.tracks("front")), "a new target")
        result = self.cancel(handle)
        assert (result.error_code, [track.phrase for track in result.tracks]) == (Result.CANCELED, [SECOND])
        self.run_until(lambda: all(track.phrase != SECOND for track in self.tracks("front")), "its end")

    def change(self, *transitions):
        """Ask for transitions all at once, as an impatient lifecycle manager does; whether each succeeded."""
        client = self.probe.service(ChangeState, "perception/change_state", WAIT_S)
        futures = [client.call_async(ChangeState.Request(transition=Transition(id=number))) for number in transitions]
        self.probe.spin_until(lambda: all(future.done() for future in futures), WAIT_S, "the transitions")
        return [future.result().success for future in futures]

    @contextmanager
    def set(self, name, value):
        """A parameter of the node has another value within the block."""
        self._set(name, value)
        yield
        self._set(name, PARAMETERS[name])

    def _set(self, name, value):
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        (result,) = self.probe.call(SetParameters, "perception/set_parameters", request, WAIT_S).results
        assert result.successful, result.reason

    @contextmanager
    def fault(self, fault):
        """The model misbehaves within the block."""
        self.model.fault = fault
        try:
            yield
        finally:
            self.model.fault = None
            if isinstance(fault, Hang):
                fault.go_on.set()


def os_threads():
    """Of this process, by name: Python's and those of the middleware."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it ended in the meantime
            names.append((task / "comm").read_text().strip())
    return Counter(names)


def start_tracker_threads():
    """All of the pool that the trackers of a process share: it stays, and is no leak."""
    count = parallel._cores()
    barrier = threading.Barrier(count)
    list(parallel._threads().map(lambda _: barrier.wait(30), range(count)))


def segments():
    """Shared memory of Fast DDS that this process has mapped, by file."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if "/dev/shm/fastdds_" in line or "/dev/shm/fastrtps_" in line}


def held():
    """Images and pipelines that somebody still refers to."""
    gc.collect()
    return sum(isinstance(thing, (Frame, CameraPipeline)) for thing in gc.get_objects())


@pytest.fixture(scope="module")
def stage():
    held_before, segments_before = held(), segments()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(DOMAIN))
        opencv_threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # as in the node's own process; a pool that OpenCV starts at its first use is no leak
        start_tracker_threads()
        rclpy.init(args=[])
        probe, model = Probe(), FaultyModel()
        threads_before = os_threads()
        with running_node(lambda name, run: model, cameras=list(NAMES), **PARAMETERS):
            made = Stage(probe, model)
            made.start()
            made.threads = os_threads()
            yield made
            used = segments() - segments_before
        gc.collect()  # a node and its action servers know each other
        threads_after = os_threads()
        probe.close()
        rclpy.shutdown()
        cv2.setNumThreads(opencv_threads)
    del made, probe
    assert used, "the check found no shared memory at all"
    assert held() <= held_before, "images and pipelines"
    assert not threads_after - threads_before, "threads"
    assert not segments() - segments_before, "shared memory"
    assert not [path for path in used if Path(path).exists() and "port" not in path], "files in /dev/shm"


@pytest.fixture
def ids(stage):
    """Of the targets that are followed on both cameras. After the drill they are, and no thread more than before is."""
    yield stage.start()
    stage.start()
    stage.run_until(lambda: not os_threads() - stage.threads, "the end of a thread")


ENDED = TrackEvent.ENDED
FAILED, NOT_FOUND = Result.MODEL_ERROR, Result.NOT_FOUND


@pytest.mark.parametrize(
    ("fault", "outcome", "says", "counted"),
    [
        (raising(ModelError, "the weights are gone"), FAILED, "the weights are gone", "failed"),
        (raising(MemoryError), FAILED, "MemoryError", "failed"),
        (raising(RuntimeError, "CUDA out of memory"), FAILED, "CUDA out of memory", "failed"),
        (raising(OSError, "the device is gone"), FAILED, "the device is gone", "failed"),
        (lambda requests: [], FAILED, "the model gave 0 replies", "failed"),
        (saying(id="another"), FAILED, "or to others", "failed"),
        (saying(boxes_xyxy=None), FAILED, "its boxes are None", "failed"),
        (saying(boxes_xyxy=np.zeros((99, 4))), FAILED, "(99, 4)", "failed"),
        (saying(score=float("nan")), FAILED, "score is nan", "failed"),
        (saying(status=ReplyStatus.UNREADABLE, message="<<<>>>"), FAILED, "<<<>>>", "unreadable"),
        (boxing(np.inf, 0, np.inf, 9), FAILED, "neither four finite numbers nor NaN", "failed"),
        (boxing(np.nan, 0, 9, 9), FAILED, "neither four finite numbers nor NaN", "failed"),
        (boxing(40, 10, 10, 40), FAILED, "its corners are swapped", "failed"),
        (boxing(5000, 5000, 5050, 5050), NOT_FOUND, "outside the image", "ok"),
        (Hang(), Result.TIMEOUT, "it hangs or is too slow", None),
    ],
)
def test_whatever_the_model_does_tracks_go_on_and_the_goal_says_why(stage, ids, fault, outcome, says, counted):
    def count():
        return int(stage.status("model")[2].get(f"replies_{counted}", 0))

    before = count()
    stage.probe.events.clear()
    with stage.fault(fault):
        handle = stage.probe.send(Goal(prompt=SECOND, camera="front"))
        stage.run_until(lambda: count() > before + 1 if counted else fault.entered.is_set(), "the count")
        if outcome in (Result.NOT_FOUND, Result.TIMEOUT):
            with stage.set("timeout", 0.01):
                result = stage.result(handle)
        else:
            result = stage.result(handle)
        stage.run(5)
        stage.run_until_both_are_seen(ids)
    assert result.error_code == outcome
    assert says in result.error_msg
    stage.run_until(lambda: stage.events(TrackEvent.REJECTED), "the event")
    assert [event.text for event in stage.events(TrackEvent.REJECTED)] == [result.error_msg]
    stage.try_a_new_goal()
    stage.run_until_diagnosed("model", DiagnosticStatus.OK)


BAD_BOX = np.array([np.nan, 0, 9, 9])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (raising(MemoryError), "MemoryError"),
        (saying(text="\ud800"), "not Unicode"),
        (saying(grounded=(Grounded(label="a", box_xyxy=BAD_BOX),)), "not four finite numbers"),
        (saying(grounded=(Grounded(label="a", box_xyxy=np.zeros(3)),)), "not four finite numbers"),
        (saying(grounded=(Grounded(label="\udc80", box_xyxy=np.zeros(4)),)), "not Unicode"),
        (saying(invocation=Invocation(Module.IMAGE_EDITING, ("x",), tuple(BAD_BOX))), "not four finite numbers"),
        (saying(invocation=Invocation(Module.IMAGE_EDITING, ("\ud800",))), "not Unicode"),
    ],
)
def test_whatever_the_model_answers_the_question_ends_and_the_next_one_is_answered(stage, ids, fault, says):
    with stage.fault(fault):
        result = stage.result(stage.probe.ask(Converse.Goal(text="what is it?", camera="front")))
        assert result.error_code == Converse.Result.MODEL_ERROR
        assert says in result.error_msg
    result = stage.result(stage.probe.ask(Converse.Goal(text="what is it?", camera="front")))
    assert (result.error_code, result.reply) == (Converse.Result.NONE, "squares")
    stage.run_until_both_are_seen(ids)


def stops(stage):
    """Until it is noticed: the target's goal stays, its feedback says so."""
    stage.paused.add("front")
    stage.probe.feedback.clear()
    with stage.set("max_image_age", 1.0):  # or 2.5 times the period of images, where that is longer
        stage.run_until_diagnosed("front", DiagnosticStatus.STALE, "no image for longer than")
        stage.run_until(lambda: any(item.phase == Feedback.INPUT_STALE for item in stage.probe.feedback), "feedback")
        question = stage.probe.ask(Converse.Goal(text="what is it?", camera="front"))
        assert stage.result(question).error_code == Converse.Result.INPUT_STALE
    stage.paused.clear()


def changes_size(stage):
    small = np.zeros((48, 64, 3), np.uint8)
    stage.show_until_answered(image_message(small, stage.message("front").header))


def shows_one_pixel(stage):
    stage.show_until_answered(image_message(np.zeros((1, 1, 3), np.uint8), stage.message("front").header))


def jumps_back(stage):
    stage.offset_s -= 100


def jumps_ahead(stage):
    stage.offset_s += 3600


def last_stamp_there_is(stage):
    message = stage.message("front")
    message.header.stamp.sec, message.header.stamp.nanosec = 2**31 - 1, 10**9 - 1
    stage.show_until_answered(message)


def sends_garbage(stage):
    stamped = [stage.message("front") for _ in range(2)]
    stamped[0].header.stamp.sec, stamped[1].header.stamp.nanosec = -(2**31), 2**32 - 1
    messages = {
        "this has 100": Image(width=64, height=48, step=192, encoding="rgb8", data=bytes(100)),
        "4294967295x4294967295": Image(width=2**32 - 1, height=2**32 - 1, step=2**32 - 1, encoding="mono8"),
        "sepia": Image(encoding="sepia", width=1, height=1, step=3, data=b"123"),
        "encoding ''": Image(),
        "-2147483648 s": stamped[0],
        "4294967295 ns": stamped[1],
    }
    for says, message in messages.items():
        stage.run_until_diagnosed("front", DiagnosticStatus.WARN, says, front=message)
    assert int(stage.status("front")[2]["bad"]) >= len(messages)


JUMP, CHANGE = TrackEvent.REASON_TIME_JUMP, TrackEvent.REASON_IMAGE_CHANGED


@pytest.mark.parametrize(
    ("fault", "reason", "says"),
    [
        (stops, None, ""),
        (sends_garbage, None, ""),
        (jumps_ahead, None, ""),
        (jumps_back, JUMP, "image stamps went back by"),
        (changes_size, CHANGE, "the image size changed from 320x240 to 64x48"),
        (shows_one_pixel, CHANGE, "the image size changed from 320x240 to 1x1"),
        (last_stamp_there_is, JUMP, "image stamps went back by"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_whatever_a_camera_does_its_target_goes_on_or_ends_with_the_reason(stage, ids, fault, reason, says):
    stage.probe.events.clear()
    fault(stage)
    if reason is None:
        stage.run(10)
        stage.run_until_both_are_seen(ids)
    else:
        result = stage.result(stage.handles["front"])
        assert result.error_code == Result.LOST
        assert says in result.error_msg
        assert "send the goal again" in result.error_msg
        stage.run_until(lambda: stage.events(ENDED), "the event")
        (event,) = stage.events(ENDED)
        assert (event.reason, event.track_id, event.text) == (reason, ids[0], result.error_msg)
        stage.run_until(lambda: stage.ids() == [None, ids[1]], "the end of one target alone")
    stage.try_a_new_goal()


def before_any_image(stage):
    stage.paused.add("front")
    return stage.probe.send(Goal(prompt=SECOND, camera="front"))


def while_the_model_thinks(stage):
    stage.model.fault = Hang()
    handle = stage.probe.send(Goal(prompt=SECOND, camera="front"))
    stage.run_until(stage.model.fault.entered.is_set, "the model's turn")
    return handle


def while_it_waits_for_its_image(stage):
    goal = stage.drawn("front")
    goal.region_stamp = stage.message("front").header.stamp
    goal.region_stamp.sec += 60
    handle = stage.probe.send(goal)
    stage.run(3)
    return handle


def while_it_is_followed(stage):
    count = len(stage.tracks("front"))
    handle = stage.probe.send(stage.drawn("front"))
    stage.run_until(lambda: len(stage.tracks("front")) == count + 1, "the target")
    return handle


def while_it_is_lost(stage):
    handle = while_it_is_followed(stage)
    stage.blank = True
    stage.run_until(lambda: all(track.state == Track.LOST for track in stage.tracks("front")), "the loss")
    return handle


def while_its_camera_is_silent(stage):
    handle = while_it_is_followed(stage)
    stage.paused.add("front")
    with stage.set("max_image_age", 1.0):
        stage.probe.feedback.clear()
        stage.run_until(lambda: any(item.phase == Feedback.INPUT_STALE for item in stage.probe.feedback), "feedback")
    return handle


@pytest.mark.parametrize(
    "phase",
    [
        before_any_image,
        while_the_model_thinks,
        while_it_waits_for_its_image,
        while_it_is_followed,
        while_it_is_lost,
        while_its_camera_is_silent,
    ],
    ids=lambda phase: phase.__name__,
)
def test_a_goal_is_cancelled_in_every_phase(stage, ids, phase):
    handle = phase(stage)
    known = {track.id for track in stage.tracks("front")}
    result = stage.cancel(handle)
    assert (result.error_code, result.error_msg) == (Result.CANCELED, "cancelled by the client")
    assert handle.cancel_goal_async() is not None
    if isinstance(stage.model.fault, Hang):
        stage.model.fault.go_on.set()
    stage.model.fault, stage.blank = None, False
    stage.paused.clear()
    stage.run_until_both_are_seen(ids)
    stage.run(5)
    assert {track.id for track in stage.tracks("front")} == {ids[0]} <= known
    stage.try_a_new_goal()


def test_cancelling_what_has_ended_changes_nothing(stage, ids):
    handle = stage.probe.send(Goal(prompt=SECOND, camera="front", duration=duration_from_ns(10_000_000)))
    assert stage.result(handle).error_code == Result.NONE
    future = handle.cancel_goal_async()
    stage.run_until(future.done, "the answer")
    assert future.result().return_code == CancelGoal.Response.ERROR_GOAL_TERMINATED
    assert stage.result(handle).error_code == Result.NONE


def test_twenty_goals_at_once(stage, ids):
    """Ten drawn, ten by prompt; each has a target of its own, and all can be cancelled at once."""
    goals = [stage.drawn("front") if number % 2 else Goal(prompt=SECOND, camera="front") for number in range(20)]
    futures = [stage.probe.track.send_goal_async(goal) for goal in goals]
    stage.run_until(lambda: all(future.done() for future in futures), "twenty answers")
    handles = [future.result() for future in futures]
    assert all(handle.accepted for handle in handles)
    stage.run_until(lambda: len(stage.tracks("front")) == 21, "twenty targets more")
    assert len({track.id for track in stage.tracks("front")}) == 21
    results = [handle.get_result_async() for handle in handles]
    for handle in handles:
        handle.cancel_goal_async()
    stage.run_until(lambda: all(future.done() for future in results), "twenty results")
    assert {future.result().result.error_code for future in results} == {Result.CANCELED}
    stage.run_until(lambda: stage.ids() == ids and len(stage.tracks("front")) == 1, "what was there before")
    stage.try_a_new_goal()


CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE


@pytest.mark.parametrize("hangs", [False, True], ids=["answers", "hangs"])
@pytest.mark.parametrize(
    "transitions", [(DEACTIVATE, ACTIVATE), (DEACTIVATE, CLEANUP, CONFIGURE, ACTIVATE)], ids=["briefly", "with_cleanup"]
)
def test_taken_down_in_mid_goal_every_client_hears_it_and_all_works_again(stage, ids, transitions, hangs):
    """The transitions come all at once, so that none waits for what the one before has left to do."""
    with stage.fault(Hang()) if hangs else contextlib.nullcontext():
        handles = [
            *stage.handles.values(),
            stage.probe.ask(Converse.Goal(text="what is it?", camera="rear", standing=True)),
        ]
        if hangs:
            handles.append(stage.probe.ask(Converse.Goal(text="what is it?", camera="front")))
            stage.run_until(stage.model.fault.entered.is_set, "the model's turn")
        futures = [handle.get_result_async() for handle in handles]
        stage.run(3)
        assert stage.change(*transitions) == [True] * len(transitions)
        stage.probe.spin_until(lambda: all(future.done() for future in futures), WAIT_S, "the results")
        outcomes = [future.result().result.error_code for future in futures]
        assert outcomes == [Result.SHUTDOWN] * 2 + [Converse.Result.SHUTDOWN] * (len(futures) - 2)
    stage.forget()
    assert min(stage.start()) > max(ids), "no id is used twice"
    stage.try_a_new_goal()

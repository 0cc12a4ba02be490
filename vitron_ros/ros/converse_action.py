"""The Converse action: questions and commands about what a camera sees now, answered by the model."""

import math
import queue
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from rclpy.action import CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future
from vitron_msgs.action import Converse
from vitron_msgs.msg import Invocation

from vitron_ros.boxes import Boxes, xyxy_from_norm
from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PerceptionConfig
from vitron_ros.errors import RegionError
from vitron_ros.frame import Frame
from vitron_ros.grounding.intent import read_intent
from vitron_ros.grounding.request import (
    ConversationTurn,
    ModelReply,
    ModelRequest,
    ReplyStatus,
    Task,
    regions_problem,
    text_problem,
)
from vitron_ros.ros.answer_messages import answer_message
from vitron_ros.ros.camera_port import CameraPort, unknown_camera
from vitron_ros.ros.conversions import goal_id, region_from_message
from vitron_ros.ros.goal_server import GoalServer
from vitron_ros.streaming.conversations import Conversations
from vitron_ros.streaming.model_worker import ModelWorker
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.streaming.standing import Standing


@dataclass(slots=True, eq=False)
class _Question:
    """An open goal. `is_withdrawn`, `is_asked`, `fed_ns` and `seen` are read and set by several threads, each in one
    step.

    Attributes:
        request: of a standing question, without its frames; None: it is asked once.
        is_asked: a standing question waits for an answer.
        ends_ns: of a standing question, on the node's clock; None: never.
        newest: of a standing question, the newest image that it was asked with. Asked twice with one image, the model
            would confirm its own slip.
        seen: the targets that were seen in the newest image that it was asked with, and their boxes (4,) px.
    """

    handle: ServerGoalHandle
    future: Future
    conversation_id: str
    is_withdrawn: bool = False
    fed_ns: int = 0
    standing: Standing | None = None
    request: ModelRequest | None = None
    is_asked: bool = False
    ends_ns: int | None = None
    times: int = 0
    newest: Frame | None = None
    seen: dict[int, Boxes] = field(default_factory=dict)


class ConverseAction:
    """Callbacks run in the executor's thread. The view is taken in the camera's, the reply comes from the model's; both
    end in a queue, and a guard condition wakes the executor, so that nothing ever blocks it.

    Args:
        ports: the cameras by name.
        model: the model's worker; None: there is none, and every question ends with MODEL_ERROR.
        publish: publishes an invocation.
    """

    def __init__(
        self,
        node: LifecycleNode,
        ports: dict[str, CameraPort],
        config: Callable[[], PerceptionConfig],
        model: ModelWorker | None,
        publish: Callable[[Invocation], None],
    ) -> None:
        self._node = node
        self._ports = ports
        self._config = config
        self._model = model
        self._publish = publish
        self._conversations = Conversations(config().conversations, config().conversation_turns)
        self._open: dict[str, _Question] = {}
        self._finished: queue.SimpleQueue[tuple[str, Converse.Result]] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[tuple[ModelRequest, ModelReply]] = queue.SimpleQueue()
        self._guard = node.create_guard_condition(self._settle)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(config().keyframe_period, self._ask_again, clock=steady)
        self._server = GoalServer(
            node, Converse, "converse", judge=self._on_goal, execute=self._execute, cancel=self._on_cancel
        )

    def destroy(self) -> None:
        """Take no more questions, and go when the clients of those that were open have their results."""
        self.shutdown()
        self._node.destroy_timer(self._timer)
        self._model = None
        self._server.retire(lambda: self._node.destroy_guard_condition(self._guard))

    def shutdown(self) -> None:
        """End every open question, since the node is being deactivated."""
        for name in list(self._open):
            self._end(name, Converse.Result.SHUTDOWN, "the node was deactivated")
        self._settle()

    def _on_goal(self, goal: Converse.Goal) -> GoalResponse:
        port = self._ports.get(goal.camera)
        limit = self._config().max_goals
        if not goal.text.strip():
            problem = "say or ask something in text"
        elif not (math.isfinite(goal.duration) and goal.duration >= 0):
            problem = f"duration is {goal.duration}; it must be a finite number that is not negative"
        elif goal.duration and not goal.standing:
            problem = "duration is for a question that is standing; set standing, or leave duration out"
        elif port is None:
            problem = unknown_camera(goal.camera, self._ports)
        elif not port.is_active:
            problem = "the node is not active; activate it first"
        elif self._server.open >= limit:
            problem = f"{self._server.open} questions are open, the limit is max_goals={limit}"
        else:
            return GoalResponse.ACCEPT
        self._node.get_logger().warning(f"question refused: {problem}")
        return GoalResponse.REJECT

    async def _execute(self, handle: ServerGoalHandle) -> Converse.Result:
        result = await self._answer(handle)
        if result.outcome == Converse.Result.OK:
            handle.succeed()
        elif result.outcome == Converse.Result.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result

    async def _answer(self, handle: ServerGoalHandle) -> Converse.Result:
        goal, name = handle.request, goal_id(handle)
        conversation_id = goal.conversation_id or uuid.uuid4().hex
        port = self._ports.get(goal.camera)
        if port is None or not port.is_active:
            return Converse.Result(outcome=Converse.Result.SHUTDOWN, message="the node was deactivated")
        if self._model is None:
            text = "no model loaded: set the parameter model to vitron-tiny or to a folder with a checkpoint"
            return Converse.Result(outcome=Converse.Result.MODEL_ERROR, message=text, conversation_id=conversation_id)
        if read_intent(goal.text).control == "stop":
            return self._stop(goal, conversation_id)
        question = _Question(handle, Future(), conversation_id)
        if problem := text_problem(goal.text) or regions_problem(len(goal.regions)):
            return Converse.Result(
                outcome=Converse.Result.NOT_UNDERSTOOD, message=problem, conversation_id=conversation_id
            )
        try:
            regions = tuple(region_from_message(region) for region in goal.regions)
        except RegionError as error:
            return Converse.Result(
                outcome=Converse.Result.BAD_REGION, message=str(error), conversation_id=conversation_id
            )
        self._open[name] = question
        request = ModelRequest(
            id=name,
            task=Task.ASK,
            frames=(),
            text=goal.text,
            regions=regions,
            history=self._conversations.history(goal.camera, conversation_id),
            min_score=self._config().model_min_score,
            is_cancelled=lambda: question.is_withdrawn,
            on_text=None if goal.standing else lambda text: self._feed(question, text),
        )
        if goal.standing:
            return await self._watch(question, request)
        model = self._model
        port.post(lambda pipeline: self._ask(model, port, pipeline, request))
        if handle.is_cancel_requested:
            self._withdraw(name)
        result: Converse.Result = await question.future
        return result

    def _stop(self, goal: Converse.Goal, conversation_id: str) -> Converse.Result:
        """End what stands in a conversation; of a goal without one, what stands at its camera."""
        names = [
            name
            for name, question in self._open.items()
            if question.standing is not None
            and question.handle.request.camera == goal.camera
            and goal.conversation_id in ("", question.conversation_id)
        ]
        for name in names:
            self._end(name, Converse.Result.OK, "ended by a later text")
        done = f"{len(names)} standing questions ended." if names else "No question stands here."
        reply = f"{done} A goal of track ends when its client cancels it."
        return Converse.Result(outcome=Converse.Result.OK, reply=reply, score=1.0, conversation_id=conversation_id)

    async def _watch(self, question: _Question, request: ModelRequest) -> Converse.Result:
        """A question that is asked with every keyframe, unless the model still thinks about it."""
        duration = question.handle.request.duration
        if duration:
            question.ends_ns = self._now_ns() + int(duration * SECOND_NS)
        question.standing, question.request = Standing(self._config().model_tries), request
        if question.handle.is_cancel_requested:
            self._withdraw(request.id)
        result: Converse.Result = await question.future
        return result

    def _ask_again(self) -> None:
        """Now and then: ask what stands, and end what has stood long enough."""
        for name, question in list(self._open.items()):
            port = self._ports[question.handle.request.camera]
            now_ns = self._now_ns()
            if question.ends_ns is not None:  # a clock may begin anew, as with a bag that loops
                lasting_ns = int(question.handle.request.duration * SECOND_NS)
                question.ends_ns = min(question.ends_ns, now_ns + lasting_ns)
            if question.ends_ns is not None and now_ns >= question.ends_ns:
                self._end(name, Converse.Result.OK, "")
                continue
            if question.request is None or question.is_asked or self._model is None or not port.is_active:
                continue
            question.is_asked, question.times = True, question.times + 1
            request = replace(question.request, id=f"{name} {question.times}")
            port.post(partial(self._ask, self._model, port, request=request))

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _ask(self, model: ModelWorker, port: CameraPort, pipeline: CameraPipeline, request: ModelRequest) -> None:
        """In the camera's thread: ask about what it sees now."""
        frames = pipeline.view(port.now_ns())
        question = self._open.get(_name(request))
        if question is not None and question.standing is not None:
            newest = frames[-1] if frames else None
            if newest is None or newest is question.newest:  # what stands outlives a pause, and waits for a slow camera
                question.is_asked = False
                return
            question.newest = newest
        if not frames:
            self._end(_name(request), Converse.Result.INPUT_STALE, pipeline.blindness())
            return
        try:
            for region in request.regions:
                region.bounding_box(frames[-1].width, frames[-1].height)
        except RegionError as error:
            self._end(_name(request), Converse.Result.BAD_REGION, str(error))
            return
        if question is not None:
            question.seen = pipeline.seen()
        model.submit(replace(request, frames=frames), self._take)

    def _take(self, request: ModelRequest, reply: ModelReply) -> None:
        """In the model's thread."""
        self._replies.put((request, reply))
        self._guard.trigger()

    def _end(self, name: str, outcome: int, message: str) -> None:
        """From any thread: end a question without an answer."""
        question = self._open.get(name)
        if question is not None:
            question.is_withdrawn = True
            said = question.standing.said if question.standing is not None else ""
            result = Converse.Result(
                outcome=outcome, message=message, reply=said, conversation_id=question.conversation_id
            )
            self._finished.put((name, result))
            self._guard.trigger()

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        self._withdraw(goal_id(handle))
        return CancelResponse.ACCEPT

    def _withdraw(self, name: str) -> None:
        self._end(name, Converse.Result.CANCELED, "cancelled by the client")

    def _settle(self) -> None:
        while not self._finished.empty():
            name, result = self._finished.get()
            self._close(name, result)
        while not self._replies.empty():
            request, reply = self._replies.get()
            question = self._open.get(_name(request))
            if question is None:
                continue
            result = answer_message(request, reply, question.conversation_id, question.seen)
            if question.standing is None:
                self._remember(question, request, reply)
                self._tell(result)
                self._close(_name(request), result)
            else:
                self._hear(question, question.standing, request, reply, result)

    def _hear(
        self,
        question: _Question,
        standing: Standing,
        request: ModelRequest,
        reply: ModelReply,
        result: Converse.Result,
    ) -> None:
        """Speak, stay silent, or give up."""
        question.is_asked = False
        if standing.hear(reply):
            self._remember(question, request, reply)
            self._tell(result)
            question.handle.publish_feedback(Converse.Feedback(text=standing.said, header=result.header))
        elif standing.has_failed(reply):
            self._close(_name(request), result)

    def _tell(self, result: Converse.Result) -> None:
        for invocation in result.invocations:
            self._publish(invocation)

    def _close(self, name: str, result: Converse.Result) -> None:
        """The first result of a question counts."""
        question = self._open.pop(name, None)
        if question is not None:
            question.future.set_result(result)

    def _remember(self, question: _Question, request: ModelRequest, reply: ModelReply) -> None:
        if reply.text and reply.status in (ReplyStatus.OK, ReplyStatus.ABSENT):
            exchange = ConversationTurn(question=request.text, reply=reply.text, box_xyxy=_subject_box(request, reply))
            self._conversations.add(question.handle.request.camera, question.conversation_id, exchange)

    def _feed(self, question: _Question, text: str) -> None:
        """In the model's thread: the text so far, no more often than `feedback_rate`."""
        steady_ns = time.monotonic_ns()  # the node's clock may stand still, or begin anew with a bag
        if question.is_withdrawn or steady_ns - question.fed_ns < SECOND_NS / self._config().feedback_rate:
            return
        question.fed_ns = steady_ns
        question.handle.publish_feedback(Converse.Feedback(text=text))


def _name(request: ModelRequest) -> str:
    """Of the goal that asks."""
    return request.id.partition(" ")[0]


def _subject_box(request: ModelRequest, reply: ModelReply) -> Boxes | None:
    """What a turn was about: what the answer names, what a module is to work on, or what the person pointed at."""
    frame = request.frames[-1]
    if reply.grounded:
        return reply.grounded[0].box_xyxy
    if reply.invocation is not None and reply.invocation.region is not None:
        return xyxy_from_norm(reply.invocation.region, frame.width, frame.height)
    return request.regions[0].bounding_box(frame.width, frame.height) if request.regions else None

"""The Converse action: questions and commands about what a camera sees now, answered by the model."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode
from vitron_msgs.action import Converse
from vitron_msgs.msg import Invocation

from vitron_ros.boxes import Boxes, xyxy_from_norm
from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PerceptionConfig
from vitron_ros.errors import ConfigError, RegionError
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
from vitron_ros.region import Region
from vitron_ros.ros.answer_messages import answer_message
from vitron_ros.ros.camera_port import CameraPort, active_port
from vitron_ros.ros.conversions import ns_from_duration, region_from_message
from vitron_ros.ros.goal_server import GoalServer, OpenGoal
from vitron_ros.streaming.conversations import Conversations
from vitron_ros.streaming.model_worker import ModelWorker
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.streaming.standing_question import StandingQuestion

NO_MODEL = "no model loaded: set the parameter model to vitron-tiny or to a folder with a checkpoint"


@dataclass(slots=True, eq=False)
class Question(OpenGoal):
    """An open goal of Converse.

    Attributes:
        standing: None: it is asked once.
        seen: the targets that were seen in the newest image that it was asked with, and their boxes (4,) px. Set by the
            camera's thread.
    """

    conversation_id: str = ""
    standing: StandingQuestion | None = None
    seen: dict[int, Boxes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.conversation_id = self.request.conversation_id or uuid.uuid4().hex


class ConverseAction(GoalServer[Question]):
    """The images of a question are taken in its camera's thread, the reply comes from the model's.

    Args:
        ports: the cameras by name.
        model: the model's worker; None: there is none, and every question ends with MODEL_ERROR.
        publish: publishes an invocation.
    """

    goal_class = Question

    def __init__(
        self,
        node: LifecycleNode,
        ports: dict[str, CameraPort],
        config: Callable[[], PerceptionConfig],
        model: ModelWorker | None,
        publish: Callable[[Invocation], None],
    ) -> None:
        super().__init__(node, Converse, "converse", config)
        self._ports = ports
        self._config = config
        self._model = model
        self._publish = publish
        self._conversations = Conversations(config().conversations, config().conversation_turns)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(config().keyframe_period, self._ask_standing, clock=steady)

    def destroy(self) -> None:
        self.node.destroy_timer(self._timer)
        super().destroy()
        self._model = None

    def check(self, request: Converse.Goal) -> None:
        duration_ns = ns_from_duration(request.duration, "duration")
        if not request.text.strip():
            raise ConfigError("say or ask something in text")
        if duration_ns < 0:
            raise ConfigError(f"duration is {duration_ns / SECOND_NS:g} s; it must not be negative")
        if duration_ns and not request.standing:
            raise ConfigError("duration is for a question that is standing; set standing, or leave duration out")
        active_port(self._ports, request.camera)

    def begin(self, goal: Question) -> None:
        port, codes = active_port(self._ports, goal.request.camera), Converse.Result
        if self._model is None:
            self.end(goal, codes.MODEL_ERROR, NO_MODEL)
        elif read_intent(goal.request.text).control == "stop":
            self._stop_standing(goal)
        elif problem := text_problem(goal.request.text) or regions_problem(len(goal.request.regions)):
            self.end(goal, codes.NOT_UNDERSTOOD, problem)
        else:
            try:
                regions = tuple(region_from_message(region) for region in goal.request.regions)
            except RegionError as error:
                self.end(goal, codes.BAD_REGION, str(error))
                return
            request = self._model_request(goal, regions)
            if goal.request.standing:
                goal.standing = self._standing(goal, request)
            else:
                self._post(goal, port, request)

    def cancel(self, goal: Question) -> None:
        self.end(goal, Converse.Result.CANCELED, "cancelled by the client")

    def result(self, goal: Question, error_code: int, error_msg: str) -> Converse.Result:
        result = super().result(goal, error_code, error_msg)
        result.conversation_id = goal.conversation_id
        result.reply = goal.standing.answers.current if goal.standing is not None else ""
        return result

    def _model_request(self, goal: Question, regions: tuple[Region, ...]) -> ModelRequest:
        """Without frames: those of the moment in which it is asked are added then."""
        return ModelRequest(
            id=goal.id,
            task=Task.ASK,
            frames=(),
            text=goal.request.text,
            regions=regions,
            history=self._conversations.history(goal.request.camera, goal.conversation_id),
            min_score=self._config().model_min_score,
            is_cancelled=lambda: goal.is_over,
            on_text=None if goal.request.standing else partial(self._on_text, goal),
        )

    def _standing(self, goal: Question, request: ModelRequest) -> StandingQuestion:
        return StandingQuestion(
            request,
            tries=self._config().model_tries,
            duration_ns=ns_from_duration(goal.request.duration, "duration"),
            now_ns=self._now_ns(),
        )

    def _stop_standing(self, goal: Question) -> None:
        """End the standing questions of a conversation; of a goal without one, those of its camera."""
        standing = [
            other
            for other in self.open.values()
            if other.standing is not None
            and other.request.camera == goal.request.camera
            and goal.request.conversation_id in ("", other.conversation_id)
        ]
        for other in standing:
            self.end(other, Converse.Result.NONE, "ended by a later text")
        done = f"{len(standing)} standing questions ended." if standing else "No question stands here."
        result = self.result(goal, Converse.Result.NONE, "")
        result.reply, result.score = f"{done} A goal of track ends when its client cancels it.", 1.0
        self.finish(goal, result)

    def _ask_standing(self) -> None:
        """Once a keyframe: ask the standing questions, and end those that have stood long enough."""
        for goal in list(self.open.values()):
            port = self._ports[goal.request.camera]
            if goal.standing is None:
                continue
            if goal.standing.is_over(self._now_ns()):
                self.end(goal, Converse.Result.NONE, "")
            elif port.is_active and (request := goal.standing.next_request()) is not None:
                self._post(goal, port, request)

    def _now_ns(self) -> int:
        return int(self.node.get_clock().now().nanoseconds)

    def _post(self, goal: Question, port: CameraPort, request: ModelRequest) -> None:
        if self._model is not None:
            port.post(partial(self._ask, goal, port, self._model, request))

    def _ask(
        self, goal: Question, port: CameraPort, model: ModelWorker, request: ModelRequest, pipeline: CameraPipeline
    ) -> None:
        """In the camera's thread: ask about what it sees now."""
        frames = pipeline.view(port.now_ns())
        if goal.standing is not None and not goal.standing.accept(frames[-1] if frames else None):
            return
        if not frames:
            self.end(goal, Converse.Result.INPUT_STALE, pipeline.blindness())
            return
        try:
            for region in request.regions:
                region.bounding_box(frames[-1].width, frames[-1].height)
        except RegionError as error:
            self.end(goal, Converse.Result.BAD_REGION, str(error))
            return
        goal.seen = pipeline.seen()
        model.submit(replace(request, frames=frames), partial(self._on_reply, goal))

    def _on_text(self, goal: Question, text: str) -> None:
        """In the model's thread: the reply so far."""
        self.publish_feedback(goal, lambda: Converse.Feedback(text=text))

    def _on_reply(self, goal: Question, request: ModelRequest, reply: ModelReply) -> None:
        """In the model's thread."""
        self.call(goal, partial(self._answer, request=request, reply=reply))

    def _answer(self, goal: Question, request: ModelRequest, reply: ModelReply) -> None:
        result = answer_message(request, reply, goal.conversation_id, goal.seen)
        if goal.standing is None:
            self._tell(goal, request, reply, result)
            self.finish(goal, result)
            return
        goal.standing.answered()
        if goal.standing.answers.update(reply):
            self._tell(goal, request, reply, result)
            feedback = Converse.Feedback(text=goal.standing.answers.current, header=result.header)
            goal.handle.publish_feedback(feedback)
        elif goal.standing.answers.has_failed(reply):
            self.finish(goal, result)

    def _tell(self, goal: Question, request: ModelRequest, reply: ModelReply, result: Converse.Result) -> None:
        """Remember an answer that is told, and publish what modules are to do."""
        if reply.text and reply.status in (ReplyStatus.OK, ReplyStatus.ABSENT):
            turn = ConversationTurn(question=request.text, reply=reply.text, box_xyxy=_subject_box(request, reply))
            self._conversations.add(goal.request.camera, goal.conversation_id, turn)
        for invocation in result.invocations:
            self._publish(invocation)


def _subject_box(request: ModelRequest, reply: ModelReply) -> Boxes | None:
    """What a turn was about: what the answer names, what a module is to work on, or what the person pointed at."""
    frame = request.frames[-1]
    if reply.grounded:
        return reply.grounded[0].box_xyxy
    if reply.invocation is not None and reply.invocation.region is not None:
        return xyxy_from_norm(reply.invocation.region, frame.width, frame.height)
    return request.regions[0].bounding_box(frame.width, frame.height) if request.regions else None

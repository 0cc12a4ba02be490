"""Runs goals on the nodes segmentation, editing and generation, and notices when such a node dies."""

import time
from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.task import Future
from vitron_msgs.action import RunModule

from vitron_ros.module_registry import Node as NodeName
from vitron_ros.ros import qos

SILENCE_S = 4.0  # without a word of a node that speaks four times a second: it has died
LOOK_S = 0.25  # how often that is looked at
SETTLE_S = 0.5  # a server that was found needs as long to find its client, whose first goal it would else lose

OnFeedback = Callable[[RunModule.Feedback], object]


class ModuleCall:
    """One goal on its way. Its executor's thread owns it.

    Attributes:
        result: a RunModule.Result, always in the end: with UNREACHABLE where the node is not there, or has died.
    """

    def __init__(self, client: ActionClient, goal: RunModule.Goal, on_feedback: OnFeedback | None, name: str) -> None:
        self.result = Future()
        self._client = client
        self._goal: RunModule.Goal | None = goal
        self._on_feedback = on_feedback
        self._name = name
        self._handle: ClientGoalHandle | None = None
        self._is_cancelled = False
        self._heard_s = time.monotonic()

    def cancel(self) -> None:
        """Ask the node to stop; the result comes as ever, with CANCELED."""
        self._is_cancelled = True
        if self._handle is not None:
            self._handle.cancel_goal_async()

    def look(self, *, is_ready: bool) -> None:
        """Send the goal once the server is ready, and fail where nothing was heard for `SILENCE_S`."""
        if self.result.done():
            return
        if self._goal is not None and self._is_cancelled:
            self._end(RunModule.Result(error_code=RunModule.Result.CANCELED, error_msg="cancelled before it was sent"))
        elif self._goal is not None and is_ready:
            goal, self._goal = self._goal, None
            self._heard_s = time.monotonic()
            self._client.send_goal_async(goal, feedback_callback=self._hear).add_done_callback(self._accept)
        elif time.monotonic() - self._heard_s > SILENCE_S:
            what = "is not there: start it" if self._goal is not None else "is silent: it has died, or its machine has"
            self.fail(f"the node {self._name} {what}")

    def fail(self, text: str) -> None:
        """End with UNREACHABLE."""
        self._end(RunModule.Result(error_code=RunModule.Result.UNREACHABLE, error_msg=text))

    def _accept(self, future: Future) -> None:
        self._heard_s = time.monotonic()
        handle = self._handle = future.result()
        if handle is None or not handle.accepted:
            self.fail(f"the node {self._name} takes no goals: activate it")
            return
        if self._is_cancelled:
            handle.cancel_goal_async()
        handle.get_result_async().add_done_callback(self._finish)

    def _hear(self, message: Any) -> None:
        self._heard_s = time.monotonic()
        if self._on_feedback is not None and not self.result.done():
            self._on_feedback(message.feedback)

    def _finish(self, future: Future) -> None:
        response = future.result()
        if response is None or response.status == GoalStatus.STATUS_UNKNOWN:
            self.fail(f"the node {self._name} was started again, and its goal is gone: send it again")
        else:
            self._end(response.result)

    def _end(self, result: RunModule.Result) -> None:
        if not self.result.done():
            self.result.set_result(result)


class ModuleClient:
    """Sends goals to one module's node. Make it early: its first goal waits until the node has found it.

    Args:
        node: spins it; the module's node is in the same namespace.
        serves: the module's node.
    """

    def __init__(self, node: Node, serves: NodeName) -> None:
        self._node = node
        self._name = serves
        self._calls: list[ModuleCall] = []
        self._ready_s: float | None = None
        self._client = ActionClient(
            node,
            RunModule,
            f"{serves}/run",
            goal_service_qos_profile=qos.GOALS,
            result_service_qos_profile=qos.GOALS,
            cancel_service_qos_profile=qos.GOALS,
        )
        self._timer = node.create_timer(LOOK_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def run(self, goal: RunModule.Goal, on_feedback: OnFeedback | None = None) -> ModuleCall:
        """Send a goal; its end comes in `ModuleCall.result`, a failure within 5 s of the node's death."""
        call = ModuleCall(self._client, goal, on_feedback, self._name)
        self._calls.append(call)
        self._look()
        return call

    def destroy(self) -> None:
        """Fail what is open."""
        for call in self._calls:
            call.fail("the client was closed")
        self._node.destroy_timer(self._timer)
        self._client.destroy()

    def _look(self) -> None:
        now_s = time.monotonic()
        if not self._client.server_is_ready():
            self._ready_s = None
        elif self._ready_s is None:
            self._ready_s = now_s
        is_ready = self._ready_s is not None and now_s - self._ready_s >= SETTLE_S
        for call in self._calls:
            call.look(is_ready=is_ready)
        self._calls = [call for call in self._calls if not call.result.done()]

"""Goals of other nodes, without blocking: a node that dies while its goal runs is noticed."""

import time
import uuid
from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.task import Future
from unique_identifier_msgs.msg import UUID

from vitron_ros.ros import qos

SILENCE_S = 4.0  # without a word of a node that speaks four times a second: it has died
LOOK_S = 0.25  # how often that is looked at
FORGET_S = 30.0  # for which a dead node's server still seems to be there: Fast DDS takes 20 s to notice
SETTLE_S = 0.5  # a server that was found needs as long to find its client, whose first goal it would else lose

OnFeedback = Callable[[Any], object]


class RemoteGoal:
    """One goal on its way. Its executor's thread owns it.

    Args:
        name: the node's.
        on_life: called whenever the node speaks of this goal, also after its end.

    Attributes:
        result: of the action's type, always in the end: with UNREACHABLE where the node is not there, or has died.
        was_silent: it ended so, after the goal was sent.
    """

    def __init__(
        self,
        client: ActionClient,
        action: Any,
        goal: Any,
        on_feedback: OnFeedback | None,
        name: str,
        on_life: Callable[[], object],
    ) -> None:
        self.result = Future()
        self.was_silent = False
        self._client = client
        self._action = action
        self._goal: Any = goal  # None: it was sent
        self._on_feedback = on_feedback
        self._name = name
        self._on_life = on_life
        self._handle: ClientGoalHandle | None = None  # once it was sent
        self._is_followed = False  # it was accepted, and its result is waited for
        self._is_cancelled = False
        self._heard_s = time.monotonic()

    def cancel(self) -> None:
        """Ask the node to stop; the result comes as ever, with CANCELED."""
        if not self.result.done():
            self._is_cancelled = True
            if self._handle is not None:
                self._handle.cancel_goal_async()

    def look(self, *, is_ready: bool) -> None:
        """Send the goal once the server is ready, and fail where nothing was heard for `SILENCE_S`."""
        if self.result.done():
            return
        if self._goal is not None and self._is_cancelled:
            self._end_with("CANCELED", "cancelled before it was sent")
        elif self._goal is not None and is_ready:
            goal, self._goal = self._goal, None
            self._heard_s = time.monotonic()
            goal_id = UUID(uuid=list(uuid.uuid4().bytes))
            # Made before the node has accepted, so that a goal can be cancelled at any time.
            self._handle = ClientGoalHandle(self._client, goal_id, self._action.Impl.SendGoalService.Response())
            sent = self._client.send_goal_async(goal, feedback_callback=self._hear, goal_uuid=goal_id)
            sent.add_done_callback(self._accept)
        elif time.monotonic() - self._heard_s > SILENCE_S:
            self.was_silent = self._goal is None
            what = "is silent: it has died, or its machine has" if self.was_silent else "is not there: start it"
            self.cancel()  # should it only have hung, nobody wants the goal any more
            self.fail(f"the node {self._name} {what}")

    def fail(self, text: str) -> None:
        """End with UNREACHABLE."""
        self._end_with("UNREACHABLE", text)

    def _accept(self, future: Future) -> None:
        handle = future.result()
        if handle is not None and handle.accepted:
            self._follow()
        else:
            self.fail(f"the node {self._name} does not take this goal: activate it, or see its log")

    def _follow(self) -> None:
        """Wait for the result of a goal that was accepted."""
        self._heard_s = time.monotonic()
        self._on_life()
        if self._handle is not None and not self._is_followed:
            self._is_followed = True
            if self._is_cancelled:  # by a request that may have come before the goal
                self._handle.cancel_goal_async()
            self._handle.get_result_async().add_done_callback(self._finish)

    def _hear(self, message: Any) -> None:
        # Feedback says that the goal was accepted, too: a server that has not found its client yet loses its response.
        self._follow()
        if self._on_feedback is not None and not self.result.done():
            self._on_feedback(message.feedback)

    def _finish(self, future: Future) -> None:
        response = future.result()
        self._on_life()
        if response is None or response.status == GoalStatus.STATUS_UNKNOWN:
            self.fail(f"the node {self._name} was started again, and its goal is gone: send it again")
        else:
            self._end(response.result)

    def _end_with(self, code: str, text: str) -> None:
        kind = self._action.Result
        self._end(kind(error_code=getattr(kind, code), error_msg=text))

    def _end(self, result: Any) -> None:
        if not self.result.done():
            self.result.set_result(result)


class RemoteAction:
    """Sends goals to one action of another node. Make it early: its first goal waits until that node has found it.

    Args:
        node: spins it; the other node is in the same namespace.
        action: its generated class, whose results have the codes CANCELED and UNREACHABLE, and which gives feedback
            more often than every `SILENCE_S`.
        name: of the action, such as "editing/run".
        server: the other node's name, for people.
    """

    def __init__(self, node: Node, action: Any, name: str, server: str) -> None:
        self._node = node
        self._action = action
        self._name = server
        self._calls: list[RemoteGoal] = []
        self._ready_s: float | None = None
        self._dead: dict[bytes, float] = {}  # endpoints of nodes that fell silent, and when
        self._client = ActionClient(node, action, name, **qos.GOAL_SERVICES)
        self._feedback_topic = f"{node.resolve_service_name(name)}/_action/feedback"
        self._timer = node.create_timer(LOOK_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def run(self, goal: Any, on_feedback: OnFeedback | None = None) -> RemoteGoal:
        """Send a goal; its end comes in `RemoteGoal.result`, a failure within 5 s of the node's death."""
        call = RemoteGoal(self._client, self._action, goal, on_feedback, self._name, self._revive)
        self._calls.append(call)
        self._look()
        return call

    def destroy(self) -> None:
        """Cancel what is open, and fail it."""
        for call in self._calls:
            call.cancel()
            call.fail("the client was closed")
        self._node.destroy_timer(self._timer)
        self._client.destroy()

    @property
    def is_ready(self) -> bool:
        """Whether the node takes a goal at once."""
        return self._ready_s is not None and time.monotonic() - self._ready_s >= SETTLE_S

    def _look(self) -> None:
        if not self._client.server_is_ready() or not self._endpoints() - self._dead.keys():
            self._ready_s = None
        elif self._ready_s is None:
            self._ready_s = time.monotonic()
        for call in self._calls:
            call.look(is_ready=self.is_ready)
        self._bury()
        self._calls = [call for call in self._calls if not call.result.done()]

    def _bury(self) -> None:
        """Note whose server is dead: a goal that it was sent would be lost, though it seems to be there."""
        now_s = time.monotonic()
        if any(call.was_silent for call in self._calls):
            self._dead |= dict.fromkeys(self._endpoints(), now_s)
            self._ready_s = None
        self._dead = {endpoint: since_s for endpoint, since_s in self._dead.items() if now_s - since_s < FORGET_S}

    def _revive(self) -> None:
        """A node that was taken for dead has spoken: it only hung."""
        self._dead.clear()

    def _endpoints(self) -> set[bytes]:
        """Of the servers that seem to be there."""
        infos = self._node.get_publishers_info_by_topic(self._feedback_topic)
        return {bytes(info.endpoint_gid) for info in infos}

"""What all actions of a node have in common: goals in, feedback and results out, and an end that clients hear of."""

import queue
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ConfigError, InactiveError, VitronError
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import goal_id

DEACTIVATED = "the node was deactivated"
BUG = "a bug ended this goal; the node's log has the trace"


class GoalLimits(Protocol):
    """The settings that every goal server needs."""

    @property
    def max_goals(self) -> int: ...

    @property
    def feedback_rate(self) -> float: ...


@dataclass(slots=True, eq=False)
class OpenGoal:
    """A goal that was accepted and has begun.

    Attributes:
        result: of the action's type, once the goal has ended.
        is_over: it needs no more work. Set from any thread, before the result is.
        feedback_ns: steady time of the newest feedback.
    """

    handle: ServerGoalHandle
    result: Future = field(default_factory=Future)
    is_over: bool = False
    feedback_ns: int = 0

    @property
    def id(self) -> str:
        return goal_id(self.handle)

    @property
    def request(self) -> Any:
        """The goal's message."""
        return self.handle.request


G = TypeVar("G", bound=OpenGoal)


class GoalServer(ABC, Generic[G]):
    """An action server; a subclass says which goals it takes, and how one begins and is cancelled.

    Every action has `error_code` and `error_msg` in its result, and the codes NONE, CANCELED, SHUTDOWN and
    INTERNAL_ERROR. A goal succeeds with NONE, is canceled with CANCELED and aborted with any other code.

    Callbacks run in the executor's thread; `call`, `end`, `finish` and `publish_feedback` may be called from any.
    rclpy changes a goal's state in the executor's thread only: what other threads bring waits in a queue until a guard
    condition wakes it, and each goal's coroutine awaits a future, so that nothing blocks the executor.

    What a subclass raises is a bug, but for the `VitronError` of `check`: its trace is logged, and that goal is
    rejected, or ends with INTERNAL_ERROR, while the others go on.

    Args:
        action: its generated class.
        limits: the present settings.
    """

    goal_class: ClassVar[type[Any]] = OpenGoal

    def __init__(self, node: LifecycleNode, action: Any, name: str, limits: Callable[[], GoalLimits]) -> None:
        self.node = node
        self.result_class = action.Result
        self.open: dict[str, G] = {}
        self._name = name
        self._limits = limits
        self._accepted = 0  # and not ended
        self._executing = 0  # coroutines that rclpy runs: those of goals that have just ended, too
        self._is_retiring = False
        self._is_empty = Future()
        self._calls: queue.SimpleQueue[tuple[G, Callable[[G], object]]] = queue.SimpleQueue()
        self._server = ActionServer(
            node,
            action,
            name,
            execute_callback=self._execute,
            goal_callback=self._on_goal,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
            **qos.GOAL_SERVICES,
        )
        self._guard = node.create_guard_condition(self._run_calls)

    @abstractmethod
    def check(self, request: Any) -> None:
        """Raises VitronError if a goal cannot be accepted."""

    @abstractmethod
    def begin(self, goal: G) -> None:
        """Start work on an accepted goal; `finish` or `end` is called later, or at once.

        Raises InactiveError if the node is not active any more.
        """

    @abstractmethod
    def cancel(self, goal: G) -> None:
        """Make an open goal end soon with CANCELED."""

    def rejected(self, request: Any, error: VitronError) -> None:
        """Told of a goal that was not accepted: a rejection carries no text."""

    def result(self, goal: G, error_code: int, error_msg: str) -> Any:
        """The result of a goal that ends by `end`."""
        return self.result_class(error_code=error_code, error_msg=error_msg)

    def finish(self, goal: G, result: Any) -> None:
        """End a goal with a result; the first one counts."""
        goal.is_over = True
        self.call(goal, partial(self._settle, result=result))

    def end(self, goal: G, error_code: int, error_msg: str) -> None:
        """End a goal without more to tell than this."""
        self.finish(goal, self.result(goal, error_code, error_msg))

    def end_all(self, error_code: int, error_msg: str) -> int:
        """End every open goal, from the executor's thread; how many there were. A new one is taken at once."""
        goals = list(self.open.values())
        for goal in goals:
            self.end(goal, error_code, error_msg)
        self._run_calls()
        return len(goals)

    def end_by_bug(self, goal: G) -> None:
        """End a goal because of the exception that is being handled, whose trace is logged."""
        self._log_bug("aborted")
        self.end(goal, self.result_class.INTERNAL_ERROR, BUG)

    def call(self, goal: G, step: Callable[[G], object]) -> None:
        """Let the executor's thread take a step for a goal, if it is open by then."""
        self._calls.put((goal, step))
        self._guard.trigger()

    def publish_feedback(self, goal: G, message: Callable[[], Any]) -> None:
        """Tell the client how a goal stands, no more often than `feedback_rate`."""
        steady_ns = time.monotonic_ns()  # the node's clock may stand still, or begin anew with a bag
        if goal.is_over or steady_ns - goal.feedback_ns < SECOND_NS / self._limits().feedback_rate:
            return
        goal.feedback_ns = steady_ns
        goal.handle.publish_feedback(message())

    def shutdown(self) -> None:
        """End every open goal, since the node is being deactivated."""
        self.end_all(self.result_class.SHUTDOWN, DEACTIVATED)

    def destroy(self) -> None:
        """End the open goals, take no more, and go once the clients have their results. Called twice it does nothing.

        rclpy sends a result some turns of the executor after the goal's coroutine has returned; a server that is
        destroyed before that leaves its clients waiting for ever. It goes at once if nobody spins the node.
        """
        if self._is_retiring:
            return
        self.shutdown()
        self._is_retiring = True
        if self.node.executor is None:
            self._destroy()
        else:
            self.node.executor.create_task(self._outlast)

    async def _outlast(self) -> None:
        if self._executing:
            await self._is_empty
        self.node.executor.create_task(self._destroy)  # behind the tasks that send results

    def _destroy(self) -> None:
        self._server.destroy()
        self.node.destroy_guard_condition(self._guard)

    def _on_goal(self, request: Any) -> GoalResponse:
        try:
            self._check(request)
        except VitronError as error:
            self.node.get_logger().warning(f"goal of {self._name} rejected: {error}")
            self.rejected(request, error)
        except Exception:
            self._log_bug("rejected")
        else:
            return GoalResponse.ACCEPT
        return GoalResponse.REJECT

    def _check(self, request: Any) -> None:
        if self._is_retiring:
            raise InactiveError
        self.check(request)
        limit = self._limits().max_goals
        if self._accepted >= limit:
            raise ConfigError(f"{self._accepted} goals are open, the limit is max_goals={limit}")

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        # Not before: a client that goes away at once is sent no response, and its goal never begins.
        self._accepted += 1
        self._executing += 1
        handle.execute()

    async def _execute(self, handle: ServerGoalHandle) -> Any:
        try:
            goal = self.open[goal_id(handle)] = self.goal_class(handle)
            self._begin(goal)
            result = await goal.result
            self._set_state(handle, result.error_code)
            return result
        finally:
            self._executing -= 1
            if self._is_retiring and not self._executing:
                self._is_empty.set_result(None)

    def _begin(self, goal: G) -> None:
        if self._is_retiring:
            self.end(goal, self.result_class.SHUTDOWN, DEACTIVATED)
            return
        self._take(goal, self.begin)
        if goal.handle.is_cancel_requested:  # it came before the goal had begun
            self._take(goal, self.cancel)

    def _set_state(self, handle: ServerGoalHandle, error_code: int) -> None:
        if error_code == self.result_class.NONE:
            handle.succeed()
        elif error_code == self.result_class.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        goal = self.open.get(goal_id(handle))
        if goal is not None:
            self._take(goal, self.cancel)
        return CancelResponse.ACCEPT

    def _run_calls(self) -> None:
        while not self._calls.empty():
            goal, step = self._calls.get()
            if goal.id in self.open:
                self._take(goal, step)

    def _take(self, goal: G, step: Callable[[G], object]) -> None:
        """Take a step for a goal; what it raises ends that goal alone."""
        try:
            step(goal)
        except InactiveError:
            self.end(goal, self.result_class.SHUTDOWN, DEACTIVATED)
        except Exception:
            self.end_by_bug(goal)

    def _settle(self, goal: G, result: Any) -> None:
        del self.open[goal.id]
        self._accepted -= 1
        goal.result.set_result(result)

    def _log_bug(self, effect: str) -> None:
        self.node.get_logger().error(f"a goal of {self._name} was {effect} because of a bug\n{traceback.format_exc()}")

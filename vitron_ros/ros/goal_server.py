"""An action server that can be taken down while goals are open."""

import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from vitron_ros.ros import qos


class GoalServer:
    """Counts its open goals, and goes only after their clients have heard how they ended. Single-threaded.

    rclpy sends a result some turns of the executor after the goal's coroutine has returned. A server that is destroyed
    before that leaves its clients waiting for ever. What a goal's callbacks raise is a bug: its trace is logged, and
    that goal is rejected, or aborted with the outcome SHUTDOWN, while the others go on.

    Args:
        judge: whether to take a goal.
        execute: carries a goal out, sets its state and gives back its result.
        cancel: whether to take the request to cancel a goal.

    Attributes:
        open: goals that were accepted and have not ended.
    """

    def __init__(
        self,
        node: LifecycleNode,
        kind: Any,
        name: str,
        *,
        judge: Callable[[Any], GoalResponse],
        execute: Callable[[ServerGoalHandle], Coroutine[Any, Any, Any]],
        cancel: Callable[[ServerGoalHandle], CancelResponse],
    ) -> None:
        self.open = 0
        self._node = node
        self._kind = kind
        self._judge = judge
        self._execute = execute
        self._is_retiring = False
        self._empty: Future = Future()
        self._server = ActionServer(
            node,
            kind,
            name,
            execute_callback=self._run,
            goal_callback=self._on_goal,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=cancel,
            goal_service_qos_profile=qos.GOALS,
            result_service_qos_profile=qos.GOALS,
            cancel_service_qos_profile=qos.GOALS,
        )

    def retire(self, then: Callable[[], None]) -> None:
        """Take no more goals, outlast those that are open, be destroyed, call `then`.

        Whoever executes the goals must end them. It happens at once if nobody spins the node.
        """
        self._is_retiring = True
        if self._node.executor is None:
            self._destroy(then)
        else:
            self._node.executor.create_task(self._outlast, then)

    async def _outlast(self, then: Callable[[], None]) -> None:
        if self.open:
            await self._empty
        self._node.executor.create_task(self._destroy, then)  # behind the tasks that send results

    def _destroy(self, then: Callable[[], None]) -> None:
        self._server.destroy()
        then()

    def _on_goal(self, goal: Any) -> GoalResponse:
        try:
            return GoalResponse.REJECT if self._is_retiring else self._judge(goal)
        except Exception:
            self._log_bug("refused")
            return GoalResponse.REJECT

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        self.open += 1  # not before: a client that goes away at once is sent no response, and its goal never begins
        handle.execute()

    async def _run(self, handle: ServerGoalHandle) -> Any:
        try:
            return await self._execute(handle)
        except Exception:
            self._log_bug("aborted")
            if handle.is_active:
                handle.abort()
            result = self._kind.Result
            return result(outcome=result.SHUTDOWN, message="a bug ended this goal; the node's log has the trace")
        finally:
            self.open -= 1
            if self._is_retiring and not self.open:
                self._empty.set_result(None)

    def _log_bug(self, fate: str) -> None:
        self._node.get_logger().error(f"a goal was {fate} because of a bug\n{traceback.format_exc()}")

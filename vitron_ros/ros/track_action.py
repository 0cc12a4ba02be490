"""The TrackObject action: goals in from clients, to the camera that they concern, and their fate back."""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.action import CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future
from vitron_msgs.action import TrackObject

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PerceptionConfig
from vitron_ros.errors import ConfigError, RegionError
from vitron_ros.ros.camera_port import CameraPort, unknown_camera
from vitron_ros.ros.conversions import goal_id, request_from_goal, result_message, track_array
from vitron_ros.ros.goal_server import GoalServer
from vitron_ros.streaming.goals import GoalFeedback, GoalResult, Outcome
from vitron_ros.streaming.pipeline import Report
from vitron_ros.tracking.track import Reason


@dataclass(slots=True)
class _OpenGoal:
    handle: ServerGoalHandle
    future: Future
    fed_ns: int = 0


class TrackAction:
    """Callbacks run in the executor's thread; `deliver` is called by the cameras' workers.

    rclpy changes a goal's state in the executor's thread only: results wait in a queue until a guard condition wakes
    it, and each goal's coroutine sleeps on a future, so that nothing ever blocks the executor.

    Args:
        ports: the cameras by name; empty while the node is inactive.
        reject: publishes why a goal was not accepted, since a rejection carries no text.
    """

    def __init__(
        self,
        node: LifecycleNode,
        ports: dict[str, CameraPort],
        config: Callable[[], PerceptionConfig],
        reject: Callable[[TrackObject.Goal, Reason, str], None],
    ) -> None:
        self._node = node
        self._ports = ports
        self._config = config
        self._reject = reject
        self._open: dict[str, _OpenGoal] = {}
        self._finished: queue.SimpleQueue[tuple[str, GoalResult]] = queue.SimpleQueue()
        self._guard = node.create_guard_condition(self._settle)
        self._server = GoalServer(
            node, TrackObject, "track", judge=self._on_goal, execute=self._execute, cancel=self._on_cancel
        )

    def shutdown(self) -> None:
        """End every goal that no worker has ended, since the node is being deactivated or its worker died."""
        for name in list(self._open):
            self._finished.put((name, GoalResult(outcome=Outcome.SHUTDOWN, message="the node was deactivated")))
        self._settle()

    def destroy(self) -> None:
        """Take no more goals, and go when the clients of those that were open have their results."""
        self.shutdown()
        self._server.retire(lambda: self._node.destroy_guard_condition(self._guard))

    def deliver(self, port: CameraPort, report: Report) -> None:
        """Take what one step of a camera says of its goals."""
        for name, feedback in report.feedback.items():
            self._feed(port, name, feedback)
        for item in report.finished.items():
            self._finished.put(item)
        if report.finished:
            self._guard.trigger()

    def _on_goal(self, goal: TrackObject.Goal) -> GoalResponse:
        try:
            request = request_from_goal(goal)
        except RegionError as error:
            return self._refuse(goal, Reason.BAD_REGION, str(error))
        except ConfigError as error:
            return self._refuse(goal, Reason.NONE, str(error))
        port = self._ports.get(request.camera)
        if port is None:
            return self._refuse(goal, Reason.NONE, unknown_camera(request.camera, self._ports))
        if not port.is_active:
            return self._refuse(goal, Reason.SHUTDOWN, "the node is not active; activate it first")
        count, limit = self._server.open, self._config().max_goals
        if count >= limit:
            return self._refuse(goal, Reason.NONE, f"{count} goals are open, the limit is max_goals={limit}")
        return GoalResponse.ACCEPT

    def _refuse(self, goal: TrackObject.Goal, reason: Reason, text: str) -> GoalResponse:
        self._node.get_logger().warning(f"goal refused: {text}")
        self._reject(goal, reason, text)
        return GoalResponse.REJECT

    async def _execute(self, handle: ServerGoalHandle) -> TrackObject.Result:
        result = await self._follow(handle)
        if result.outcome is Outcome.OK:
            handle.succeed()
        elif result.outcome is Outcome.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result_message(result)

    async def _follow(self, handle: ServerGoalHandle) -> GoalResult:
        port = self._ports.get(handle.request.camera)
        if port is None or not port.is_active:
            return GoalResult(outcome=Outcome.SHUTDOWN, message="the node was deactivated")
        name = goal_id(handle)
        request = request_from_goal(handle.request)
        future: Future = Future()
        self._open[name] = _OpenGoal(handle, future)
        accepted_ns = port.now_ns()
        port.post(lambda pipeline: pipeline.add(name, request, accepted_ns))
        if handle.is_cancel_requested:  # the request came before the pipeline knew the goal
            port.post(lambda pipeline: pipeline.cancel(name))
        result: GoalResult = await future
        return result

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        port = self._ports.get(handle.request.camera)
        if port is not None and port.is_active:
            name = goal_id(handle)
            port.post(lambda pipeline: pipeline.cancel(name))
        return CancelResponse.ACCEPT

    def _settle(self) -> None:
        while not self._finished.empty():
            name, result = self._finished.get()
            goal = self._open.pop(name, None)  # the first result of a goal counts
            if goal is not None:
                goal.future.set_result(result)

    def _feed(self, port: CameraPort, name: str, feedback: GoalFeedback) -> None:
        goal = self._open.get(name)
        steady_ns = time.monotonic_ns()  # the node's clock may stand still, or begin anew with a bag
        if goal is None or steady_ns - goal.fed_ns < SECOND_NS / self._config().feedback_rate:
            return
        goal.fed_ns = steady_ns
        message = TrackObject.Feedback(phase=int(feedback.phase))
        if (frame := port.last_frame) is not None:
            message.tracks = track_array(frame, feedback.tracks, port.skipped, port.load_shedding)
            message.latency = (port.now_ns() - frame.stamp_ns) / SECOND_NS if frame.stamp_ns else 0.0
        goal.handle.publish_feedback(message)

"""The TrackObject action: goals in from clients, to the camera that they concern, and their results back."""

from collections.abc import Callable
from functools import partial

from rclpy.lifecycle import LifecycleNode
from vitron_msgs.action import TrackObject

from vitron_ros.config import PerceptionConfig
from vitron_ros.errors import InactiveError, RegionError, VitronError
from vitron_ros.ros.camera_port import CameraPort, active_port
from vitron_ros.ros.conversions import duration_from_ns, request_from_goal, result_message, track_array
from vitron_ros.ros.goal_server import GoalServer, OpenGoal
from vitron_ros.streaming.goals import GoalFeedback
from vitron_ros.streaming.pipeline import Report
from vitron_ros.tracking.track import Reason

REASONS: dict[type[VitronError], Reason] = {RegionError: Reason.BAD_REGION, InactiveError: Reason.SHUTDOWN}


class TrackAction(GoalServer[OpenGoal]):
    """`deliver` is called by the cameras' workers.

    Args:
        ports: the cameras by name.
        reject: publishes why a goal was not accepted, since a rejection carries no text.
    """

    def __init__(
        self,
        node: LifecycleNode,
        ports: dict[str, CameraPort],
        config: Callable[[], PerceptionConfig],
        reject: Callable[[TrackObject.Goal, Reason, str], None],
    ) -> None:
        super().__init__(node, TrackObject, "track", config)
        self._ports = ports
        self._reject = reject

    def deliver(self, port: CameraPort, report: Report) -> None:
        """Take what one step of a camera says of its goals."""
        for name, feedback in report.feedback.items():
            if (goal := self.open.get(name)) is not None:
                self.publish_feedback(goal, partial(_feedback_message, port, feedback))
        for name, result in report.finished.items():
            if (goal := self.open.get(name)) is not None:
                self.finish(goal, result_message(result))

    def check(self, request: TrackObject.Goal) -> None:
        request_from_goal(request)
        active_port(self._ports, request.camera)

    def rejected(self, request: TrackObject.Goal, error: VitronError) -> None:
        self._reject(request, REASONS.get(type(error), Reason.NONE), str(error))

    def begin(self, goal: OpenGoal) -> None:
        port = active_port(self._ports, goal.request.camera)
        request, accepted_ns = request_from_goal(goal.request), port.now_ns()
        port.post(lambda pipeline: pipeline.add(goal.id, request, accepted_ns))

    def cancel(self, goal: OpenGoal) -> None:
        active_port(self._ports, goal.request.camera).post(lambda pipeline: pipeline.cancel(goal.id))


def _feedback_message(port: CameraPort, feedback: GoalFeedback) -> TrackObject.Feedback:
    message = TrackObject.Feedback(phase=int(feedback.phase))
    if (frame := port.last_frame) is not None:
        message.tracks = track_array(frame, feedback.tracks, port.skipped, port.load_shedding)
        if frame.stamp_ns:
            message.latency = duration_from_ns(port.now_ns() - frame.stamp_ns)
    return message

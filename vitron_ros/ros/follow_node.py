"""The node follow: a robot follows what a phrase names, and keeps its distance.

It passes each goal of its action `follow` on to perception, and turns that goal's tracks in space into velocities on
`cmd_vel`. It never moves without a goal.
"""

import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy

# isort: split
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import Quaternion, Twist, TwistStamped
from std_srvs.srv import Trigger
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Track3D, Track3DArray

from vitron_ros.errors import ConfigError, InactiveError
from vitron_ros.following.controller import Array, FollowController, Standstill, Velocity, from_optical
from vitron_ros.following.settings import FollowConfig
from vitron_ros.ros import qos
from vitron_ros.ros.camera_port import unknown_camera
from vitron_ros.ros.clock_watch import ClockWatch
from vitron_ros.ros.configured_node import ConfiguredNode
from vitron_ros.ros.conversions import ns_from_time, request_from_goal
from vitron_ros.ros.goal_server import GoalServer, OpenGoal
from vitron_ros.ros.remote_action import RemoteAction, RemoteGoal
from vitron_ros.ros.run import run_node

COMMANDS = {"Twist": Twist, "TwistStamped": TwistStamped}
LOG_S = 1.0  # between two lines about why the robot stands, at least


@dataclass(slots=True, eq=False)
class FollowGoal(OpenGoal):
    """remote: the goal at perception. track_ids: of its targets, as far as feedback has named them."""

    remote: RemoteGoal | None = None
    track_ids: frozenset[int] = frozenset()


def place_of(track: Track3D, message: Track3DArray, base_frame: str) -> tuple[Array, Array] | None:
    """Position (3,) and covariance (3, 3) of a track in the axes of the robot; None: its frame is not the robot's.

    Positions that were not turned are in the optical axes of a camera, which looks ahead.
    """
    position = np.array([track.position.x, track.position.y, track.position.z])
    covariance = np.asarray(track.covariance, np.float64).reshape(3, 3)
    if message.rotation == Quaternion():
        return from_optical(position, covariance)
    return (position, covariance) if message.header.frame_id == base_frame else None


class FollowAction(GoalServer[FollowGoal]):
    """Goals of the robot, one at a time, each carried out by perception's action `track`.

    Args:
        track: perception's action.
        has_begun, has_ended: called when the robot may move, and when it must stand.
    """

    goal_class = FollowGoal

    def __init__(self, node: "FollowNode", track: RemoteAction) -> None:
        super().__init__(node, TrackObject, "follow", lambda: node.config)
        self._follower = node
        self._track = track

    def check(self, request: TrackObject.Goal) -> None:
        if self._follower.stage != "active":
            raise InactiveError
        wanted = request_from_goal(request)
        known = self._follower.config.cameras or ("",)
        if wanted.camera not in known:
            raise ConfigError(unknown_camera(wanted.camera, known))
        if self.open:
            raise ConfigError("the robot follows something already; cancel that goal first")

    def begin(self, goal: FollowGoal) -> None:
        request = goal.request
        request.max_targets = 1
        goal.remote = self._track.run(request, partial(self._hear, goal))
        self._follower.controller.begin()
        goal.remote.result.add_done_callback(lambda future: self.finish(goal, future.result()))

    def cancel(self, goal: FollowGoal) -> None:
        """Stand at once; the goal ends when perception says so."""
        goal.is_over = True
        self._follower.stop()
        if goal.remote is not None:
            goal.remote.cancel()

    def finish(self, goal: FollowGoal, result: TrackObject.Result) -> None:
        if goal.id not in self.open:  # it ended before; what perception says of it now must not stop the next one
            return
        self._follower.stop()
        if goal.remote is not None and not goal.remote.result.done():
            goal.remote.cancel()
        super().finish(goal, result)

    def target(self, camera: str) -> frozenset[int]:
        """Ids of the tracks of that camera which the robot follows."""
        goals = [goal for goal in self.open.values() if not goal.is_over and goal.request.camera == camera]
        return goals[0].track_ids if goals else frozenset()

    def _hear(self, goal: FollowGoal, feedback: TrackObject.Feedback) -> None:
        if not goal.track_ids and feedback.tracks.tracks:
            self._follower.check_source(goal.request.camera)
        goal.track_ids = frozenset(track.id for track in feedback.tracks.tracks)
        self.publish_feedback(goal, lambda: feedback)


class FollowNode(ConfiguredNode[FollowConfig]):
    """Wires tracks in space to velocities; how to drive is the controller's.

    Transitions, and what follows when one fails:
        configure: reads parameters, makes the publisher, the client of `track` and the action server.
        activate: subscribes to the cameras' tracks in space, starts the timer of the velocities.
        deactivate: stops the robot, ends its goal, unsubscribes.
        cleanup: destroys the publisher, the client and the action server.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__("follow", FollowConfig(), **kwargs)
        self.controller = FollowController(self.config)
        self._clock_watch = ClockWatch(self)
        self._entities = ExitStack()  # from activate to deactivate
        self._told: Standstill | None = Standstill.NO_GOAL
        self._told_s = 0.0
        self._foreign_frame = ""  # of the newest positions that could not be used

    def configure(self) -> str:
        config = self.read_config()
        self.controller = FollowController(config)
        self._commands = self.managed_publisher(COMMANDS[config.command_type], "cmd_vel", qos.COMMAND_VELOCITY)
        track = RemoteAction(self, TrackObject, "track", "perception")
        self.undo.callback(track.destroy)
        self._action = FollowAction(self, track)
        self.undo.callback(self._action.destroy)
        self.undo.callback(self.destroy_service, self.create_service(Trigger, "~/stop", self._on_stop))
        return (
            f"configured: {config.command_type} on {self._commands.topic_name}, {config.distance:g} m from the target"
        )

    def activate(self) -> str:
        self._foreign_frame = ""
        topics = []
        for camera in self.config.cameras or ("",):
            topic = f"{camera}/tracks_3d".lstrip("/")
            subscription = self.create_subscription(
                Track3DArray,
                topic,
                partial(self._on_tracks, camera),
                **qos.overridable(self, "subscription", topic, qos.TRACKS),
            )
            self._entities.callback(self.destroy_subscription, subscription)
            topics.append(subscription.topic_name)
        self._entities.callback(self.destroy_timer, self.steady_timer(1 / self.config.rate, self._on_time))
        return f"active: tracks in space on {', '.join(topics)}"

    def deactivate(self) -> None:
        with ExitStack() as steps:
            steps.callback(self._entities.close)
            steps.callback(self._action.shutdown)
            steps.callback(self.stop)

    def reconfigured(self) -> None:
        self.controller.config = self.config

    def check_source(self, camera: str) -> None:
        """Warn where perception follows a target of that camera, and gives no positions."""
        topic = self.resolve_topic_name(f"{camera}/tracks_3d".lstrip("/"))
        if not self.count_publishers(topic):
            self.get_logger().warning(f"nobody publishes {topic}, so the robot stands: set publish_3d of perception")

    def stop(self) -> None:
        """Stand, and move no more for the goal that there is. From the executor's thread."""
        self.controller.end()
        self._drive()

    def _on_tracks(self, camera: str, message: Track3DArray) -> None:
        ids = self._action.target(camera)
        stamp_ns = ns_from_time(message.header.stamp)
        for track in message.tracks:
            if track.id not in ids:
                continue
            if track.status == Track3D.OK:
                self._see(track, message)
            elif track.status == Track3D.NOT_SEEN:
                self.controller.lose(stamp_ns)
            self._drive()

    def _see(self, track: Track3D, message: Track3DArray) -> None:
        place = place_of(track, message, self.config.base_frame)
        if place is not None:
            self.controller.see(*place, ns_from_time(message.header.stamp))
        elif message.header.frame_id != self._foreign_frame:
            self._foreign_frame = message.header.frame_id
            self.get_logger().error(
                f"positions are in frame {self._foreign_frame!r}, so the robot stands: set target_frame of perception "
                f"to base_frame={self.config.base_frame}, or leave it empty for a camera that looks ahead"
            )

    def _on_time(self) -> None:
        if self._action.open:
            self._drive()

    def _drive(self) -> None:
        now = self.get_clock().now()
        velocity = self.controller.step(now.nanoseconds, is_clock_running=not self._clock_watch.problem)
        self._commands.publish(self._command(velocity, now))
        self._tell_standstill()

    def _command(self, velocity: Velocity, now: Any) -> Twist | TwistStamped:
        twist = Twist()
        twist.linear.x, twist.angular.z = velocity.linear, velocity.angular
        if self.config.command_type == "Twist":
            return twist
        stamped = TwistStamped(twist=twist)
        stamped.header.stamp, stamped.header.frame_id = now.to_msg(), self.config.base_frame
        return stamped

    def _tell_standstill(self) -> None:
        standstill = self.controller.standstill
        if standstill is not self._told and time.monotonic() - self._told_s > LOG_S:
            self._told, self._told_s = standstill, time.monotonic()
            unused = ", ".join(f"{count} {reason}" for reason, count in self.controller.refused.items() if count)
            said = "follows" if standstill is None else f"stands: {standstill.value}"
            self.get_logger().info(f"{said}; poses that were not used: {unused}" if unused else said)

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        count = self._action.end_all(TrackObject.Result.CANCELED, "stopped by the service stop")
        self.stop()
        response.success = True
        response.message = "the robot stands; its goal has ended" if count else "the robot stands; it had no goal"
        return response


def main(argv: Sequence[str] | None = None) -> int:
    """The console script `follow`."""
    return run_node(FollowNode, argv)


if __name__ == "__main__":
    sys.exit(main())

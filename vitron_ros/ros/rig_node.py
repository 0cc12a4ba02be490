"""The node rig: several cameras of one perception node as one, with ids that are the same for the same thing.

A goal of its action `rig/track` becomes one goal for each camera. Positions of all cameras must be in one frame:
perception's parameter `target_frame`.
"""

import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy

# isort: split
import copy
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from rclpy.task import Future
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Track, Track3D, Track3DArray, TrackArray

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ConfigError, InactiveError
from vitron_ros.rig.matcher import Observation, RigMatcher
from vitron_ros.rig.settings import RigConfig
from vitron_ros.ros import qos
from vitron_ros.ros.configured_node import ConfiguredNode
from vitron_ros.ros.conversions import duration_from_ns, ns_from_duration, ns_from_time, request_from_goal
from vitron_ros.ros.goal_server import GoalServer, OpenGoal
from vitron_ros.ros.messages_3d import point, vector
from vitron_ros.ros.remote_action import RemoteAction, RemoteGoal
from vitron_ros.ros.run import run_node

LOOK_S = 0.1  # how often the time limits of goals are looked at
FOR_EVER = duration_from_ns(10**6 * SECOND_NS)  # a camera that does not see the target yet goes on looking
SEEN = (Track.TENTATIVE, Track.TRACKED)


@dataclass(slots=True, eq=False)
class RigGoal(OpenGoal):
    """remotes: the goals at perception, by camera. tracks: of the newest feedback of each camera.

    Attributes:
        begun_ns, found_ns, seen_ns: by the node's clock; the latter two 0: not yet.
    """

    remotes: dict[str, RemoteGoal] = field(default_factory=dict)
    tracks: dict[str, TrackArray] = field(default_factory=dict)
    begun_ns: int = 0
    found_ns: int = 0
    seen_ns: int = 0


class RigAction(GoalServer[RigGoal]):
    """Goals of all cameras together. What a camera alone would time out on, the rig does."""

    goal_class = RigGoal

    def __init__(self, node: "RigNode", track: RemoteAction) -> None:
        super().__init__(node, TrackObject, "rig/track", lambda: node.config)
        self._rig = node
        self._track = track

    def check(self, request: TrackObject.Goal) -> None:
        if self._rig.stage != "active":
            raise InactiveError
        wanted = request_from_goal(request)
        if wanted.region is not None:
            raise ConfigError("a region is of one camera; give the rig a prompt, or that camera's goal to perception")
        if wanted.camera:
            raise ConfigError("a goal of the rig is for all of its cameras; leave camera empty")

    def begin(self, goal: RigGoal) -> None:
        goal.begun_ns = self._rig.now_ns()
        for camera in self._rig.config.cameras:
            request = copy.copy(goal.request)
            request.camera, request.timeout = camera, FOR_EVER
            request.lost_timeout = request.duration = duration_from_ns(0)
            remote = goal.remotes[camera] = self._track.run(request, partial(self._hear, goal, camera))
            remote.result.add_done_callback(partial(self._on_result, goal, camera))

    def cancel(self, goal: RigGoal) -> None:
        self.end(goal, TrackObject.Result.CANCELED, "cancelled")

    def finish(self, goal: RigGoal, result: TrackObject.Result) -> None:
        super().finish(goal, result)
        for remote in goal.remotes.values():
            remote.cancel()

    def result(self, goal: RigGoal, error_code: int, error_msg: str) -> TrackObject.Result:
        return TrackObject.Result(error_code=error_code, error_msg=error_msg, tracks=self._tracks(goal))

    def look(self) -> None:
        """End the goals whose time is over."""
        now_ns = self._rig.now_ns()
        for goal in [goal for goal in self.open.values() if not goal.is_over]:
            self._expire(goal, now_ns)

    def _expire(self, goal: RigGoal, now_ns: int) -> None:
        # The clock may begin anew, as with a bag that loops.
        goal.begun_ns, goal.found_ns, goal.seen_ns = (
            min(time_ns, now_ns) for time_ns in (goal.begun_ns, goal.found_ns, goal.seen_ns)
        )
        request, codes = goal.request, TrackObject.Result
        timeout_ns = ns_from_duration(request.timeout, "timeout") or int(self._rig.config.timeout * SECOND_NS)
        lost_ns = ns_from_duration(request.lost_timeout, "lost_timeout")
        duration_ns = ns_from_duration(request.duration, "duration")
        if not goal.found_ns:
            if now_ns - goal.begun_ns > timeout_ns:
                self.end(goal, codes.NOT_FOUND, f"no camera found it within {timeout_ns / SECOND_NS:g} s")
        elif duration_ns and now_ns - goal.found_ns >= duration_ns:
            self.end(goal, codes.NONE, f"followed for {duration_ns / SECOND_NS:g} s")
        elif lost_ns and now_ns - goal.seen_ns > lost_ns:
            self.end(goal, codes.LOST, f"no camera has seen it for {lost_ns / SECOND_NS:g} s")

    def _hear(self, goal: RigGoal, camera: str, feedback: TrackObject.Feedback) -> None:
        goal.tracks[camera] = feedback.tracks
        if any(track.state in SEEN for track in feedback.tracks.tracks):
            goal.seen_ns = self._rig.now_ns()
            goal.found_ns = goal.found_ns or goal.seen_ns
        tracks = self._tracks(goal)
        message = TrackObject.Feedback(latency=feedback.latency, phase=_phase(goal, tracks))
        message.tracks = TrackArray(header=feedback.tracks.header, camera=camera, tracks=tracks)
        self.publish_feedback(goal, lambda: message)

    def _tracks(self, goal: RigGoal) -> list[Track]:
        """Of each of the goal's targets that has a place in the rig, the track of the camera that sees it best."""
        best: dict[int, Track] = {}
        for camera, array in goal.tracks.items():
            for track in array.tracks:
                target = self._rig.matcher.target_of(camera, track.id)
                if target is None:
                    continue
                mine = copy.copy(track)
                mine.id = target.id
                if mine.id not in best or _rank(mine) > _rank(best[mine.id]):
                    best[mine.id] = mine
        return [best[rig_id] for rig_id in sorted(best)]

    def _on_result(self, goal: RigGoal, camera: str, future: Future) -> None:
        """A camera's goal has ended by itself; the others go on, and the last one's reason is the rig's."""
        if goal.is_over:
            return
        result = future.result()
        reason = f"camera {camera}: {result.error_msg}"
        if all(remote.result.done() for remote in goal.remotes.values()):
            self.end(goal, result.error_code, reason)
        else:
            self._rig.get_logger().warning(f"{reason}; the goal {goal.id} goes on with the other cameras")


def _rank(track: Track) -> tuple[bool, float]:
    return track.state in SEEN, float(track.score)


def _phase(goal: RigGoal, tracks: Sequence[Track]) -> int:
    if not goal.found_ns:
        return int(TrackObject.Feedback.GROUNDING)
    is_seen = any(track.state in SEEN for track in tracks)
    return int(TrackObject.Feedback.TRACKING if is_seen else TrackObject.Feedback.REACQUIRING)


class RigNode(ConfiguredNode[RigConfig]):
    """Wires the cameras' positions to the matcher; what is the same thing is the matcher's to say.

    Transitions, and what follows when one fails:
        configure: reads parameters, makes the publisher, the client of `track` and the action server.
        activate: subscribes to the cameras' tracks in space, with no target known.
        deactivate: unsubscribes, ends all goals.
        cleanup: destroys the publisher, the client and the action server.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__("rig", RigConfig(), **kwargs)
        self.matcher = RigMatcher()
        self._frames: dict[str, str] = {}  # in which each camera's positions are
        self._entities = ExitStack()  # from activate to deactivate

    def configure(self) -> str:
        config = self.read_config()
        config.require_cameras()
        self._publisher = self.managed_publisher(Track3DArray, "rig/tracks_3d", qos.TRACKS)
        track = RemoteAction(self, TrackObject, "track", "perception")
        self.undo.callback(track.destroy)
        self._action = RigAction(self, track)
        self.undo.callback(self._action.destroy)
        return f"configured: cameras {', '.join(config.cameras)} as one rig"

    def activate(self) -> str:
        self.matcher = RigMatcher()
        self._frames.clear()
        for camera in self.config.cameras:
            topic = f"{camera}/tracks_3d"
            profile = qos.overridable(self, "subscription", topic, qos.TRACKS)
            subscription = self.create_subscription(Track3DArray, topic, partial(self._on_tracks, camera), **profile)
            self._entities.callback(self.destroy_subscription, subscription)
        self._entities.callback(self.destroy_timer, self.steady_timer(LOOK_S, self._action.look))
        return f"active: {self._publisher.topic_name}"

    def deactivate(self) -> None:
        with ExitStack() as steps:
            steps.callback(self._action.shutdown)
            steps.callback(self._entities.close)

    def now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_tracks(self, camera: str, message: Track3DArray) -> None:
        if not self._is_of_one_frame(camera, message.header.frame_id):
            return
        tracks = [track for track in message.tracks if track.status == Track3D.OK]
        observations = [_observation(camera, track) for track in tracks]
        stamp_ns = ns_from_time(message.header.stamp)
        targets = self.matcher.update(camera, observations, stamp_ns)
        for track, target in zip(tracks, targets, strict=True):
            state, covariance = target.predicted(stamp_ns)  # as it is, unless this observation was not believed
            track.id = target.id
            track.position, track.velocity = point(state[:3]), vector(state[3:])
            track.covariance = covariance[:3, :3].ravel()
        message.tracks = sorted(tracks, key=lambda track: int(track.id))
        self._publisher.publish(message)

    def _is_of_one_frame(self, camera: str, frame_id: str) -> bool:
        """Whether a camera's positions can be compared with the others'; said once for each change."""
        if self._frames.get(camera) != frame_id:
            self._frames[camera] = frame_id
            if len(set(self._frames.values())) > 1:
                said = ", ".join(f"{name}: {frame!r}" for name, frame in sorted(self._frames.items()))
                self.get_logger().error(f"positions are in different frames ({said}): set target_frame of perception")
        return len(set(self._frames.values())) == 1


def _observation(camera: str, track: Track3D) -> Observation:
    position = np.array([track.position.x, track.position.y, track.position.z])
    covariance = np.asarray(track.covariance, np.float64).reshape(3, 3)
    return Observation(camera, int(track.id), track.phrase, position, covariance)


def main(argv: Sequence[str] | None = None) -> int:
    """The console script `rig`."""
    return run_node(RigNode, argv)


if __name__ == "__main__":
    sys.exit(main())

"""The services `track_phrase` and `stop`: for callers that want no action, such as a script or a button."""

import itertools
import queue
from collections.abc import Callable, Mapping
from operator import methodcaller

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future
from std_srvs.srv import Trigger
from vitron_msgs.srv import TrackPhrase

from vitron_ros.config import PerceptionConfig
from vitron_ros.errors import ConfigError, VitronError
from vitron_ros.ros.camera_port import CameraPort, active_port
from vitron_ros.ros.goal_server import DEACTIVATED
from vitron_ros.streaming.goals import GoalFeedback, GoalResult, TrackRequest
from vitron_ros.streaming.pipeline import Report


class PhraseServices:
    """Goals that are given by a service call. It is answered once the target is found, or is not.

    Service callbacks run in the executor's thread; `deliver` is called by the cameras' workers.

    Args:
        ports: the cameras by name.
        config: the present settings.
    """

    def __init__(
        self, node: LifecycleNode, ports: Mapping[str, CameraPort], config: Callable[[], PerceptionConfig]
    ) -> None:
        self._node = node
        self._ports = ports
        self._config = config
        self._numbers = itertools.count(1)
        self._goals: dict[str, CameraPort] = {}
        self._waiting: dict[str, Future] = {}  # what becomes of goals whose callers have no answer yet
        self._news: queue.SimpleQueue[tuple[str, GoalFeedback | GoalResult]] = queue.SimpleQueue()
        # Answers are awaited, and a group of its own kind lets other callbacks run meanwhile.
        self._track = node.create_service(
            TrackPhrase, "track_phrase", self._on_track, callback_group=ReentrantCallbackGroup()
        )
        self._stop = node.create_service(Trigger, "stop", self._on_stop)
        self._guard = node.create_guard_condition(self._take_news)

    def deliver(self, report: Report) -> None:
        """Take what one step of a camera says of these goals."""
        news: list[tuple[str, GoalFeedback | GoalResult]] = [
            (name, feedback)
            for name, feedback in report.feedback.items()
            if name in self._waiting and any(track.is_seen for track in feedback.tracks)
        ]
        news += [(name, result) for name, result in report.finished.items() if name in self._goals]
        for item in news:
            self._news.put(item)
        if news:
            self._guard.trigger()

    def shutdown(self) -> None:
        """Forget the goals, which end with their cameras' pipelines."""
        self._goals.clear()
        for future in self._waiting.values():
            future.set_result(TrackPhrase.Response(message=DEACTIVATED))
        self._waiting.clear()

    def destroy(self) -> None:
        """Answer those who wait, then go; at once if nobody spins the node."""
        self.shutdown()
        self._node.destroy_service(self._stop)
        self._node.destroy_guard_condition(self._guard)
        if self._node.executor is None:
            self._node.destroy_service(self._track)
        else:  # behind the tasks that send these answers
            self._node.executor.create_task(self._node.destroy_service, self._track)

    async def _on_track(self, request: TrackPhrase.Request, response: TrackPhrase.Response) -> TrackPhrase.Response:
        try:
            goal = TrackRequest(prompt=request.prompt, camera=request.camera)
            port = active_port(self._ports, request.camera)
            limit = self._config().max_goals
            if len(self._goals) >= limit:
                raise ConfigError(f"{len(self._goals)} phrases are followed, the limit is max_goals={limit}")
        except VitronError as error:
            response.message = str(error)
            return response
        name, accepted_ns = f"track_phrase {next(self._numbers)}", port.now_ns()
        self._goals[name] = port
        answer = self._waiting[name] = Future()
        port.post(lambda pipeline: pipeline.add(name, goal, accepted_ns))
        return await answer

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        for name, port in self._goals.items():
            if port.is_active:
                port.post(methodcaller("cancel", name))
        response.success = True
        response.message = f"phrases of track_phrase that are no longer followed: {len(self._goals)}"
        return response

    def _take_news(self) -> None:
        while not self._news.empty():
            name, news = self._news.get()
            answer = self._waiting.pop(name, None)
            if isinstance(news, GoalResult):
                self._goals.pop(name, None)
            if answer is not None:
                answer.set_result(_response(news))


def _response(news: GoalFeedback | GoalResult) -> TrackPhrase.Response:
    if isinstance(news, GoalResult):
        return TrackPhrase.Response(message=news.message)
    seen = [track for track in news.tracks if track.is_seen]
    said = f"follows {', '.join(track.phrase for track in seen)}"
    return TrackPhrase.Response(success=True, message=said, track_ids=[track.id for track in seen])

"""A client of the perception node that remembers everything it hears: for the demo, the benchmark and tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import GetParameters
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from vitron_msgs.action import Converse, TrackObject
from vitron_msgs.msg import TrackArray, TrackEvent

from vitron_ros.errors import SourceError
from vitron_ros.ros import qos
from vitron_ros.ros.transport import transport_environment

SPIN_S = 0.02
PING_S = 1.0
TIMEOUT_S = 30.0  # of a node on a busy machine, and of DDS that has lost sight of it
STOP_TIMEOUT_S = 30.0


class Probe(Node):
    """Subscribes to a perception node's topics and sends it goals. Single-threaded: whoever made it spins it.

    Attributes:
        tracks, diagnostics: (arrival in ns by this node's clock, message) in order of arrival.
    """

    def __init__(self, name: str = "probe", *, cameras: Sequence[str] = ("",)) -> None:
        super().__init__(name)
        self.tracks: list[tuple[int, TrackArray]] = []
        self.events: list[TrackEvent] = []
        self.diagnostics: list[tuple[int, DiagnosticArray]] = []
        self.feedback: list[TrackObject.Feedback] = []
        for camera in cameras:
            self.create_subscription(TrackArray, f"{camera}/tracks".lstrip("/"), self._on_tracks, qos.TRACKS)
        self.create_subscription(TrackEvent, "events", self.events.append, qos.EVENTS)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.DIAGNOSTICS)
        self.track, self.converse = (
            ActionClient(self, kind, name, **qos.GOAL_SERVICES)
            for kind, name in ((TrackObject, "track"), (Converse, "converse"))
        )
        self._service_clients: dict[str, Client] = {}
        self._has_settled = False
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def _on_tracks(self, message: TrackArray) -> None:
        self.tracks.append((self.get_clock().now().nanoseconds, message))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics.append((self.get_clock().now().nanoseconds, message))

    def spin_until(self, condition: Callable[[], bool], timeout_s: float, what: str = "an answer") -> None:
        """Spin until the condition holds. Raises SourceError if it does not in time."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise SourceError(f"waited {timeout_s:g} s for {what}, in vain")
            self._executor.spin_once(timeout_sec=SPIN_S)

    def spin_for(self, duration_s: float) -> None:
        deadline = time.monotonic() + duration_s
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=SPIN_S)

    def wait_for_node(self, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until the action server is there and the node publishes tracks."""
        self.spin_until(self.track.server_is_ready, timeout_s, "the perception node")

    def call(self, kind: Any, name: str, request: Any, timeout_s: float = TIMEOUT_S) -> Any:
        """The response of a service, once it is there."""
        client = self.service(kind, name, timeout_s)
        future = client.call_async(request)
        self.spin_until(future.done, timeout_s, f"the answer of {name}")
        return future.result()

    def service(self, kind: Any, name: str, timeout_s: float = TIMEOUT_S) -> Client:
        """The client of a node's service, such as "perception/reset", that is ready and has found this client."""
        client = self._service_clients.get(name)
        if client is None:
            client = self._service_clients[name] = self.create_client(kind, name)
            self.settle(name.rpartition("/")[0])
        self.spin_until(client.service_is_ready, timeout_s, f"the service {name}")
        return client

    def settle(self, node: str = "perception") -> None:
        """Wait until a node has found every client that this one has made so far.

        A server that has not found its client yet drops an answer after 0.1 s, and no client can see that. Discovery
        goes in order: a node that answers a new client has found the older ones.
        """
        client = self.create_client(GetParameters, f"{node}/get_parameters")
        self.spin_until(client.service_is_ready, TIMEOUT_S, f"the node {node}")
        for _ in range(round(TIMEOUT_S / PING_S)):
            future = client.call_async(GetParameters.Request())
            with suppress(SourceError):
                self.spin_until(future.done, PING_S)
                break
        self.destroy_client(client)

    def send(self, goal: TrackObject.Goal, timeout_s: float = TIMEOUT_S) -> ClientGoalHandle:
        """The handle of the goal, accepted or not."""
        self._settle_once()
        future = self.track.send_goal_async(
            goal, feedback_callback=lambda message: self.feedback.append(message.feedback)
        )
        self.spin_until(future.done, timeout_s, "the answer to a goal")
        return future.result()

    def ask(self, goal: Converse.Goal, timeout_s: float = TIMEOUT_S) -> ClientGoalHandle:
        """The handle of the question, accepted or not."""
        self._settle_once()
        future = self.converse.send_goal_async(goal)
        self.spin_until(future.done, timeout_s, "the answer to a question's goal")
        return future.result()

    def _settle_once(self) -> None:
        """Before the first goal."""
        if not self._has_settled:
            self.settle()
            self._has_settled = True

    def cancel(self, handle: ClientGoalHandle, timeout_s: float = TIMEOUT_S) -> TrackObject.Result:
        """Cancel a goal and return its result."""
        handle.cancel_goal_async()
        return self.result(handle, timeout_s)

    def result(self, handle: ClientGoalHandle, timeout_s: float = TIMEOUT_S) -> TrackObject.Result:
        """The goal's result, once it has ended."""
        future = handle.get_result_async()
        self.spin_until(future.done, timeout_s, "the result of a goal")
        return future.result().result

    def close(self) -> None:
        self._executor.shutdown()
        self.track.destroy()
        self.converse.destroy()
        self.destroy_node()


def use_private_domain() -> None:
    """Let this process and those that it starts speak with each other alone, on this machine, by shared memory."""
    os.environ.update(
        {"ROS_DOMAIN_ID": str(60 + os.getpid() % 40), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
        **transport_environment(),
    )


@contextmanager
def probe(cameras: Sequence[str] = ("",)) -> Iterator[Probe]:
    """A probe in a context of its own."""
    rclpy.init()
    made = Probe(cameras=cameras)
    try:
        yield made
    finally:
        made.close()
        rclpy.shutdown()


@contextmanager
def node_process(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that runs a module of vitron_ros, such as "ros.perception_node".

    It is stopped with SIGINT at the end, and with SIGKILL if it does not end then.
    """
    command: Sequence[str] = [sys.executable, "-m", f"vitron_ros.{module}", *arguments]
    process = subprocess.Popen(command, env={**os.environ, **(environment or {})})
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

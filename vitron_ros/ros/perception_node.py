"""The perception node: cameras in, tracks out, goals by the TrackObject action."""

import itertools
import logging
import sys
from collections.abc import Sequence

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import TrackEvent as TrackEventMsg

from vitron_ros.config import PerceptionConfig
from vitron_ros.errors import ConfigError
from vitron_ros.ros import qos
from vitron_ros.ros.camera_port import CameraPort
from vitron_ros.ros.conversions import event_message
from vitron_ros.ros.diagnostics import camera_status
from vitron_ros.ros.logs import forward_logs
from vitron_ros.ros.parameters import change_parameters, declare_parameters, read_parameters, refused
from vitron_ros.ros.run import run_node
from vitron_ros.ros.track_action import TrackAction
from vitron_ros.streaming.pipeline import Report
from vitron_ros.tracking.track import EventKind, Reason
from vitron_ros.tracking.trackers import make_tracker
from vitron_ros.tracking.warm_up import warm_up


class PerceptionNode(LifecycleNode):
    """Wires the cameras' workers to topics; every decision about boxes is the core's.

    Transitions, and what follows when one fails:
        configure: reads parameters, makes publishers and the action server. FAILURE: stays unconfigured.
        activate: starts workers, subscribes last. FAILURE: stays inactive.
        deactivate: unsubscribes, ends all goals with outcome SHUTDOWN.
        cleanup: destroys publishers and the action server.
        error: the same as cleanup, then unconfigured.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__("perception", automatically_declare_parameters_from_overrides=True, **kwargs)
        self.has_failed = False
        self._config = PerceptionConfig()
        self._ids = itertools.count(1)
        self._ports: dict[str, CameraPort] = {}
        self._action: TrackAction | None = None
        self._is_active = False
        self._crash_guard = self.create_guard_condition(self._fail)
        forward_logs(self.get_logger(), logging.getLogger("vitron_ros"))
        declare_parameters(self, self._config)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        if self.get_parameter("autostart").value:
            self._autostart = self.create_timer(0.0, self._start, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self._config = read_parameters(self, self._config)
            warm_up(make_tracker(self._config.tracker))
        except ConfigError as error:
            self.get_logger().error(f"cannot configure: {error}")
            return TransitionCallbackReturn.FAILURE
        self._events = self.create_lifecycle_publisher(TrackEventMsg, "events", qos.EVENTS)
        self._diagnostics = self.create_lifecycle_publisher(DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        for name in self._config.cameras or ("",):
            self._ports[name] = CameraPort(
                self, name, self._config, self._ids, self._deliver, self._crash_guard.trigger
            )
        self._action = TrackAction(self, self._ports, lambda: self._config, self._publish_rejection)
        self._reset = self.create_service(Trigger, "~/reset", self._on_reset)
        self._timer = self.create_timer(
            self._config.diagnostics_period, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = super().on_activate(state)
        for port in self._ports.values():
            port.activate()
        self._is_active = True
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._is_active = False
        for port in self._ports.values():
            port.deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release()
        return super().on_error(state)

    def close(self) -> None:
        """Deactivate, so that every client hears how its goal ended while the executor still spins."""
        if self._is_active:
            self.trigger_deactivate()

    def _start(self) -> None:
        self.destroy_timer(self._autostart)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _release(self) -> None:
        """Undo configure, in reverse order. Does nothing when there is nothing to undo."""
        self._is_active = False
        if self._action is None:
            return
        self.destroy_timer(self._timer)
        self.destroy_service(self._reset)
        for port in self._ports.values():
            port.destroy()
        self._ports.clear()
        self._action.destroy()
        self._action = None
        self.destroy_lifecycle_publisher(self._diagnostics)
        self.destroy_lifecycle_publisher(self._events)

    def _on_set_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        try:
            self._config = change_parameters(self._config, parameters, active=self._is_active)
        except ConfigError as error:
            return refused(error)
        for port in self._ports.values():
            port.reconfigure(self._config)
        return SetParametersResult(successful=True)

    def _deliver(self, port: CameraPort, report: Report) -> None:
        """Called by the cameras' workers."""
        for event in report.events:
            self._events.publish(event_message(event))
        if self._action is not None:
            self._action.deliver(port, report)

    def _publish_rejection(self, goal: TrackObject.Goal, reason: Reason, text: str) -> None:
        event = TrackEventMsg(header=Header(stamp=self.get_clock().now().to_msg()), camera=goal.camera)
        event.phrase, event.event, event.reason, event.text = goal.prompt, int(EventKind.REJECTED), int(reason), text
        self._events.publish(event)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        for port in self._ports.values():
            if port.is_active:
                port.post(lambda pipeline: pipeline.reset())
        response.success = self._is_active
        response.message = "every target was dropped" if self._is_active else "the node is not active"
        return response

    def _diagnose(self) -> None:
        array = DiagnosticArray(header=Header(stamp=self.get_clock().now().to_msg()))
        for name, port in self._ports.items():
            summary = port.summary()
            if summary is not None:
                array.status.append(
                    camera_status(self.get_name(), name, summary, port.qos_problem, port.now_ns(), self._config)
                )
        if array.status:
            self._diagnostics.publish(array)

    def _fail(self) -> None:
        self.get_logger().fatal("a camera's worker died of a bug; the trace is above")
        self.has_failed = True


def main(argv: Sequence[str] | None = None) -> int:
    """The console script `perception`."""
    cv2.setNumThreads(1)  # a worker a camera is what there is to share out; OpenCV's own threads would only compete
    return run_node(PerceptionNode, argv)


if __name__ == "__main__":
    sys.exit(main())

"""The perception node: cameras in, tracks out; goals by the TrackObject action, questions by Converse."""

import itertools
import logging
import sys
from collections.abc import Callable, Sequence

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
from vitron_msgs.msg import Invocation as InvocationMsg
from vitron_msgs.msg import TrackEvent as TrackEventMsg

from vitron_ros.config import ModelRun, PerceptionConfig
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.grounding.request import LONGEST_TEXT, LanguageVision
from vitron_ros.ros import qos
from vitron_ros.ros.camera_port import CameraPort
from vitron_ros.ros.converse_action import ConverseAction
from vitron_ros.ros.conversions import event_message
from vitron_ros.ros.diagnostics import camera_status, model_status
from vitron_ros.ros.logs import forward_logs
from vitron_ros.ros.memory import give_back
from vitron_ros.ros.parameters import change_parameters, declare_parameters, read_parameters, refused
from vitron_ros.ros.run import run_node
from vitron_ros.ros.track_action import TrackAction
from vitron_ros.streaming.model_worker import ModelWorker
from vitron_ros.streaming.models import load_model
from vitron_ros.streaming.pipeline import Report
from vitron_ros.tracking.track import EventKind, Reason
from vitron_ros.tracking.trackers import make_tracker
from vitron_ros.tracking.warm_up import warm_up

EXPIRE_PERIOD_S = 0.2  # how soon a question is given up that the model does not answer


class PerceptionNode(LifecycleNode):
    """Wires the cameras' workers and the model's to topics; every decision about boxes is the core's.

    Transitions, and what follows when one fails:
        configure: reads parameters, loads the model, makes publishers and action servers. FAILURE: stays unconfigured.
        activate: starts the cameras' workers, subscribes last. FAILURE: stays inactive.
        deactivate: unsubscribes, ends all goals with outcome SHUTDOWN. The model stays.
        cleanup: destroys publishers and action servers, lets the model go.
        error: the same as cleanup, then unconfigured.

    Args:
        load: makes the model of a name, for a device and a backend.
    """

    def __init__(self, load: Callable[[str, ModelRun], LanguageVision] = load_model, **kwargs: object) -> None:
        super().__init__("perception", automatically_declare_parameters_from_overrides=True, **kwargs)
        self.has_failed = False
        self._config = PerceptionConfig()
        self._ids = itertools.count(1)
        self._ports: dict[str, CameraPort] = {}
        self._action: TrackAction | None = None
        self._load = load
        self._model: ModelWorker | None = None
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
            config = self._config
            model = self._load(config.model, config.model_run) if config.model else None
        except (ConfigError, ModelError) as error:
            self.get_logger().error(f"cannot configure: {error}")
            return TransitionCallbackReturn.FAILURE
        if model is not None:
            self._model = ModelWorker(model, timeout_s=self._config.model_timeout, crashed=self._crash_guard.trigger)
            self._model.start()
        self._events = self.create_lifecycle_publisher(TrackEventMsg, "events", qos.EVENTS)
        self._diagnostics = self.create_lifecycle_publisher(DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        self._invocations = self.create_lifecycle_publisher(InvocationMsg, "invocations", qos.INVOCATIONS)
        for name in self._config.cameras or ("",):
            self._ports[name] = CameraPort(
                self,
                name,
                self._config,
                self._ids,
                self._deliver,
                self._crash_guard.trigger,
                0 if model is None else model.max_frames,
            )
        self._action = TrackAction(self, self._ports, lambda: self._config, self._publish_rejection)
        self._converse = ConverseAction(self, self._ports, lambda: self._config, self._model, self._invocations.publish)
        self._reset = self.create_service(Trigger, "~/reset", self._on_reset)
        self._timer = self.create_timer(
            self._config.diagnostics_period, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        if self._model is not None:
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self._expiry = self.create_timer(EXPIRE_PERIOD_S, self._model.expire, clock=steady)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = super().on_activate(state)
        for port in self._ports.values():
            port.activate()
        self._is_active = True
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._is_active = False
        self._converse.shutdown()
        for port in self._ports.values():
            port.deactivate()
        give_back()
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

    def destroy_node(self) -> None:
        """Let the model and its thread go too, in whatever state the node is."""
        self.executor = None  # nobody spins it any more
        self._release()
        super().destroy_node()

    def _start(self) -> None:
        self.destroy_timer(self._autostart)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _release(self) -> None:
        """Undo configure. Does nothing when there is nothing to undo.

        The model is first to go, since it answers what is open to the others; then they do, in reverse order.
        """
        self._is_active = False
        if self._action is None:
            return
        if self._model is not None:
            self.destroy_timer(self._expiry)
            del self._expiry  # it would keep the model
            self._model.stop()
            self._model = None
        self.destroy_timer(self._timer)
        self.destroy_service(self._reset)
        self._converse.shutdown()
        self._converse.destroy()
        for port in self._ports.values():
            port.destroy()
        self._ports.clear()
        self._action.destroy()
        self._action = None
        self.destroy_lifecycle_publisher(self._invocations)
        self.destroy_lifecycle_publisher(self._diagnostics)
        self.destroy_lifecycle_publisher(self._events)
        give_back()

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
        if self._model is not None:
            for request in report.requests:
                self._model.submit(request, port.receive)
        if self._action is not None:
            self._action.deliver(port, report)

    def _publish_rejection(self, goal: TrackObject.Goal, reason: Reason, text: str) -> None:
        event = TrackEventMsg(header=Header(stamp=self.get_clock().now().to_msg()), camera=goal.camera)
        event.phrase, event.event = goal.prompt[:LONGEST_TEXT], int(EventKind.REJECTED)
        event.reason, event.text = int(reason), text
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
        node_name = self.get_fully_qualified_name()
        for name, port in self._ports.items():
            summary = port.summary()
            if summary is not None:
                array.status.append(
                    camera_status(node_name, name, summary, port.qos_problem, port.now_ns(), self._config)
                )
        if self._model is not None:
            array.status.append(model_status(node_name, self._model.summary(), self._config))
        if array.status:
            self._diagnostics.publish(array)

    def _fail(self) -> None:
        self.get_logger().fatal("a worker died of a bug; the trace is above")
        self.has_failed = True


def main(argv: Sequence[str] | None = None) -> int:
    """The console script `perception`."""
    cv2.setNumThreads(1)  # a worker a camera is what there is to share out; OpenCV's own threads would only compete
    return run_node(PerceptionNode, argv)


if __name__ == "__main__":
    sys.exit(main())

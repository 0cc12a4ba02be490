"""The perception node: cameras in, tracks out; goals by the TrackObject action, questions by Converse."""

import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy

# isort: split
import itertools
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Invocation as InvocationMsg
from vitron_msgs.msg import TrackEvent as TrackEventMsg

from vitron_ros.config import ModelRun, PerceptionConfig
from vitron_ros.geometry.localizer import Lookup
from vitron_ros.grounding.request import ABILITIES, LONGEST_TEXT, LanguageVision, Task
from vitron_ros.ros import qos
from vitron_ros.ros.camera_port import CameraPort
from vitron_ros.ros.clock_watch import ClockWatch
from vitron_ros.ros.configured_node import ConfiguredNode
from vitron_ros.ros.converse_action import ConverseAction
from vitron_ros.ros.conversions import event_message
from vitron_ros.ros.diagnostics import camera_status, clock_problem, model_status
from vitron_ros.ros.logs import camera_words
from vitron_ros.ros.phrase_services import PhraseServices
from vitron_ros.ros.run import run_node
from vitron_ros.ros.track_action import TrackAction
from vitron_ros.ros.transforms import TransformSource
from vitron_ros.streaming.model_worker import ModelWorker
from vitron_ros.streaming.models import load_model
from vitron_ros.streaming.pipeline import Report
from vitron_ros.tracking.track import EventKind, Reason
from vitron_ros.tracking.trackers import make_tracker
from vitron_ros.tracking.warm_up import warm_up

EXPIRE_PERIOD_S = 0.2  # how soon a question is given up that the model does not answer


class PerceptionNode(ConfiguredNode[PerceptionConfig]):
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
        super().__init__("perception", PerceptionConfig(), **kwargs)
        self._ids = itertools.count(1)
        self._ports: dict[str, CameraPort] = {}
        self._clock_watch = ClockWatch(self)
        self._was_clock_stopped = False  # when it was last looked at
        self._skewed: set[str] = set()  # cameras whose clocks the log has named since activation
        self._load = load
        self._model: ModelWorker | None = None

    def configure(self) -> str:
        config = self.read_config()
        warm_up(make_tracker(config.tracker))
        model = self._load(config.model, config.model_run) if config.model else None
        worker = None
        if model is not None:
            self._tell_lacks(config.model, model.tasks)
            worker = ModelWorker(model, timeout_s=config.model_timeout, crashed=self.crash_guard.trigger)
        undo = self.undo
        undo.callback(self.trim_memory)
        self._events = self.managed_publisher(TrackEventMsg, "events", qos.EVENTS)
        self._diagnostics = self.managed_publisher(DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        self._invocations = self.managed_publisher(InvocationMsg, "invocations", qos.INVOCATIONS)
        self._track = TrackAction(self, self._ports, lambda: self.config, self._publish_rejection)
        undo.callback(self._track.destroy)
        undo.callback(self._ports.clear)
        lookup = self._transforms(config)
        self._phrases = PhraseServices(self, self._ports, lambda: self.config)
        undo.callback(self._phrases.destroy)
        for name in config.cameras or ("",):
            port = CameraPort(self, name, config, self._ids, self._deliver, self.crash_guard.trigger, model, lookup)
            self._ports[name] = port
        self._converse = ConverseAction(self, self._ports, lambda: self.config, worker, self._invocations.publish)
        undo.callback(self._converse.destroy)
        undo.callback(self.destroy_service, self.create_service(Trigger, "~/reset", self._on_reset))
        undo.callback(self.destroy_timer, self.steady_timer(config.diagnostics_period, self._diagnose))
        if worker is not None:
            undo.callback(self.destroy_timer, self.steady_timer(EXPIRE_PERIOD_S, worker.expire))
            undo.callback(self._stop_model)  # the first to go, since it answers what is open to the others
            self._model = worker
            worker.start()
        cameras = f"cameras {', '.join(config.cameras)}" if config.cameras else "one camera"
        said = "no model" if model is None else f"model {config.model} on {model.describe().device}"
        return f"configured: {cameras}, tracker {config.tracker}, {said}"

    def activate(self) -> str:
        warm_up(make_tracker(self.config.tracker))  # it may be another than that of configure, or its files be gone
        self._skewed.clear()
        for port in self._ports.values():
            port.activate()
        return f"active: {'; '.join(port.topics for port in self._ports.values())}"

    def deactivate(self) -> None:
        with ExitStack() as steps:  # from the last to the first, each whatever the one before raises
            steps.callback(self.trim_memory)
            steps.callback(self._phrases.shutdown)
            steps.callback(self._track.shutdown)
            for port in self._ports.values():
                steps.callback(port.deactivate)
            steps.callback(self._converse.shutdown)

    def _transforms(self, config: PerceptionConfig) -> Lookup | None:
        """Of the transforms to `target_frame`, where positions are wanted there."""
        if not (config.publish_3d and config.target_frame):
            return None
        source = TransformSource(self, config.target_frame)
        self.undo.callback(source.close)
        return source.lookup

    def _tell_lacks(self, name: str, tasks: frozenset[Task]) -> None:
        """Once, what clients will be refused since the model cannot do it."""
        lacks = [ABILITIES[task] for task in (Task.FIND, Task.ASK) if task not in tasks]
        if lacks:
            self.get_logger().warning(f"the model {name} cannot {' or '.join(lacks)}: such requests will be refused")

    def _stop_model(self) -> None:
        model, self._model = self._model, None
        if model is not None:
            model.stop()

    def judge(self, config: PerceptionConfig) -> None:
        if config.tracker != self.config.tracker:
            warm_up(make_tracker(config.tracker))

    def reconfigured(self) -> None:
        for port in self._ports.values():
            port.reconfigure(self.config)

    def _deliver(self, port: CameraPort, report: Report) -> None:
        """Called by the cameras' workers."""
        for event in report.events:
            self._events.publish(event_message(event))
        if self._model is not None:
            for request in report.requests:
                self._model.submit(request, port.receive)
        self._track.deliver(port, report)
        self._phrases.deliver(report)

    def _publish_rejection(self, goal: TrackObject.Goal, reason: Reason, text: str) -> None:
        event = TrackEventMsg(header=Header(stamp=self.get_clock().now().to_msg()), camera=goal.camera)
        event.phrase, event.event = goal.prompt[:LONGEST_TEXT], int(EventKind.REJECTED)
        event.reason, event.text = int(reason), text
        self._events.publish(event)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        for port in self._ports.values():
            if port.is_active:
                port.post(lambda pipeline: pipeline.reset())
        response.success = self.stage == "active"
        response.message = "every target was dropped" if response.success else "the node is not active"
        return response

    def _diagnose(self) -> None:
        array = DiagnosticArray(header=Header(stamp=self.get_clock().now().to_msg()))
        node_name, stopped_clock = self.get_fully_qualified_name(), self._clock_watch.problem
        if stopped_clock and not self._was_clock_stopped:
            self.get_logger().warning(stopped_clock)
        self._was_clock_stopped = bool(stopped_clock)
        for name, port in self._ports.items():
            summary = port.summary()
            if summary is not None:
                if not stopped_clock:
                    self._tell_skew(name, clock_problem(summary, port.now_ns(), self.config.max_image_age))
                array.status.append(
                    camera_status(
                        node_name,
                        name,
                        summary,
                        port.qos_problem,
                        port.now_ns(),
                        self.config,
                        port.source_problem,
                        port.positions,
                        stopped_clock,
                    )
                )
        if self._model is not None:
            array.status.append(model_status(node_name, self._model.summary(), self.config))
        if array.status:
            self._diagnostics.publish(array)

    def _tell_skew(self, camera: str, problem: str) -> None:
        if problem and camera not in self._skewed:
            self._skewed.add(camera)
            self.get_logger().warning(f"{camera_words(camera)}: {problem}")


def main(argv: Sequence[str] | None = None) -> int:
    """The console script `perception`."""
    cv2.setNumThreads(1)  # a worker a camera is what there is to share out; OpenCV's own threads would only compete
    return run_node(PerceptionNode, argv)


if __name__ == "__main__":
    sys.exit(main())

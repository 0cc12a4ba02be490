"""The nodes segmentation, editing and generation: each does the jobs of its modules by the RunModule action."""

import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy

# isort: split
import resource
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError
from vitron_ros.module_registry import REGISTRY
from vitron_ros.module_registry import Node as NodeName
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.module import ModuleBackend
from vitron_ros.modules.settings import MIB, ModuleConfig
from vitron_ros.modules.worker import ModuleWorker
from vitron_ros.ros import qos
from vitron_ros.ros.configured_node import ConfiguredNode
from vitron_ros.ros.image_history import ImageHistory
from vitron_ros.ros.run import run_node
from vitron_ros.ros.run_module_action import TOLD_S, RunModuleAction

STOP_TIMEOUT_S = 5.0  # for the job that runs to notice that it is cancelled


class ModuleNode(ConfiguredNode[ModuleConfig]):
    """Wires a module's worker to its action and the cameras; what is done to images is the backend's.

    Transitions, and what follows when one fails:
        configure: reads parameters, loads the backend, makes the action server. FAILURE: stays unconfigured.
        activate: subscribes to the cameras, where a history is kept.
        deactivate: unsubscribes, ends all goals with SHUTDOWN. The backend stays.
        cleanup: destroys the action server, lets the backend go.

    Args:
        serves: its name, as in the registry.
        load: makes the backend of a name, as `load_backend`.
    """

    def __init__(
        self,
        serves: NodeName,
        load: Callable[[NodeName, str, ModelRun], ModuleBackend] = load_backend,
        **kwargs: object,
    ) -> None:
        super().__init__(serves, ModuleConfig(), **kwargs)
        self._serves = serves
        self._load = load
        self._histories: dict[str, ImageHistory] = {}

    def configure(self) -> str:
        config, undo = self.read_config(), self.undo
        limit_process(config)
        load = partial(self._load, self._serves, config.backend, config.model_run)
        backend = load()
        _limit_threads(config.threads)  # of what the backend imported, too
        about = self._about = backend.describe()
        undo.callback(self.trim_memory)
        worker = self._worker = ModuleWorker(
            load,
            idle_unload_s=config.idle_unload,
            failed=lambda task, error: self._action.load_failed(task, error),
            crashed=self.crash_guard.trigger,
            unloaded=self.trim_memory,
            niceness=config.niceness,
            name=self._serves,
        )
        self._diagnostics = self.managed_publisher(DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        self._action = RunModuleAction(
            self,
            self._serves,
            lambda: self.config,
            worker,
            about,
            self._histories,
            lambda: self.stage == "active",
        )
        undo.callback(self._action.destroy)
        undo.callback(self.destroy_timer, self.steady_timer(TOLD_S, self._action.tell))
        undo.callback(self.destroy_timer, self.steady_timer(config.diagnostics_period, self._diagnose))
        worker.start(backend)
        undo.callback(self._stop_worker, worker)
        modules = ", ".join(entry.name for entry in REGISTRY.values() if about.actions.get(entry.module))
        return f"configured: backend {about.name}, licence {about.licence}: {modules}"

    def activate(self) -> str:
        config = self.config
        if config.history:
            for name in config.cameras or ("",):
                self._histories[name] = ImageHistory(self, name, config)
        kept = f"; keeps {config.history:g} s of the images of each camera" if config.history else ""
        return f"active: {self.get_fully_qualified_name()}/run{kept}"

    def deactivate(self) -> None:
        with ExitStack() as steps:
            steps.callback(self.trim_memory)
            steps.callback(self._action.shutdown)
            while self._histories:
                steps.callback(self._histories.popitem()[1].close)

    def _stop_worker(self, worker: ModuleWorker) -> None:
        self._action.shutdown()  # cancels the job that runs
        if not worker.stop(STOP_TIMEOUT_S):
            self.get_logger().warning(f"a job did not stop within {STOP_TIMEOUT_S:g} s; it goes on until it is done")

    def _diagnose(self) -> None:
        """What the node does: OK, or a warning where the queue is full."""
        name, count, config = self.get_fully_qualified_name(), self._worker.count, self.config
        is_full = count >= config.max_queue
        values = {
            "backend": self._about.name,
            "licence": self._about.licence,
            "loaded": self._worker.is_loaded,
            "goals": count,
            **{f"ended with {outcome}": number for outcome, number in sorted(self._action.outcomes.items())},
        }
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if is_full else DiagnosticStatus.OK,
            name=name.lstrip("/"),
            hardware_id=name.lstrip("/"),
            message=f"{count} goals run or wait, max_queue={config.max_queue}" if count else "at rest",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        header = Header(stamp=self.get_clock().now().to_msg())
        self._diagnostics.publish(DiagnosticArray(header=header, status=[status]))


def limit_process(config: ModuleConfig) -> None:
    """Take no more threads than told, and fail to allocate rather than take memory that others need.

    Raises:
        ConfigError: the process uses more memory than it may already.
    """
    _limit_threads(config.threads)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = config.max_memory * MIB or hard  # that may be below infinity, as of a container
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    except ValueError as error:
        raise ConfigError(f"max_memory is {config.max_memory}; the system allows {hard // MIB} MiB at most") from error


def _limit_threads(count: int) -> None:
    cv2.setNumThreads(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def segmentation(argv: Sequence[str] | None = None) -> int:
    """The console script `segmentation`."""
    return run_node(lambda: ModuleNode("segmentation"), argv)


def editing(argv: Sequence[str] | None = None) -> int:
    """The console script `editing`."""
    return run_node(lambda: ModuleNode("editing"), argv)


def generation(argv: Sequence[str] | None = None) -> int:
    """The console script `generation`."""
    return run_node(lambda: ModuleNode("generation"), argv)


def main(argv: Sequence[str]) -> int:
    """`python -m vitron_ros.ros.module_node NAME`: the node of that name."""
    nodes = {"segmentation": segmentation, "editing": editing, "generation": generation}
    if len(argv) < 2 or argv[1] not in nodes:
        sys.exit(f"say which node: {', '.join(nodes)}")
    return nodes[argv[1]](argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv))

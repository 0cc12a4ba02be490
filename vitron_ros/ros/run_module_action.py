"""The RunModule action: goals are queued, done one after the other by a worker, and told how far they are."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vitron_msgs.action import RunModule

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import InactiveError, VitronError
from vitron_ros.frame import Frame
from vitron_ros.frame import Image as Pixels
from vitron_ros.module_registry import REGISTRY, ModuleEntry
from vitron_ros.module_registry import Node as NodeName
from vitron_ros.modules.instructions import read_instructions
from vitron_ros.modules.module import (
    BackendDescription,
    BadJob,
    ModuleBackend,
    Progress,
    TimedOut,
    Unsupported,
)
from vitron_ros.modules.settings import MIB, ModuleConfig
from vitron_ros.modules.worker import ModuleWorker, Task, failure_of, run_job
from vitron_ros.offline.module_input import input_path, read_input
from vitron_ros.offline.module_output import check_formats, new_folder, write_results
from vitron_ros.ros.camera_port import unknown_camera
from vitron_ros.ros.conversions import image_message, ns_from_time, outcome_name
from vitron_ros.ros.goal_server import GoalServer, OpenGoal
from vitron_ros.ros.image_history import ImageHistory
from vitron_ros.ros.module_messages import ERROR_CODES, frames_from_messages, job_from_goal, result_message

TOLD_S = 0.25  # between two feedbacks of a goal: by them its client knows that the node lives
WORK_SHARE = 0.9  # of a goal's progress, where files are written after the work


@dataclass(frozen=True)
class _Limits:
    """More goals than wait are accepted, since a rejection carries no text: they end with QUEUE_FULL."""

    max_goals: int = 1000
    feedback_rate: float = 1000.0


@dataclass(slots=True, eq=False)
class ModuleGoal(OpenGoal):
    """An open goal.

    Attributes:
        images: messages that it works on, until they are decoded.
        preview: the result so far that its client was not shown yet. Set by the worker.
        preview_ns: steady time of the newest preview that was shown.
    """

    progress: Progress = field(default_factory=Progress)
    task: Task | None = None
    images: Sequence[Image | CompressedImage] = ()
    preview: Pixels | None = None
    preview_ns: int = 0


class RunModuleAction(GoalServer[ModuleGoal]):
    """Goals are checked in the executor's thread; images are decoded, worked on and written in the worker's.

    Args:
        serves: the node's name in the registry.
        backend: what the node's backend is.
        histories: the cameras that are listened to, by name.
        is_active: whether the node takes goals.
    """

    goal_class = ModuleGoal

    def __init__(
        self,
        node: LifecycleNode,
        serves: NodeName,
        config: Callable[[], ModuleConfig],
        worker: ModuleWorker,
        backend: BackendDescription,
        histories: Mapping[str, ImageHistory],
        is_active: Callable[[], bool],
    ) -> None:
        super().__init__(node, RunModule, "~/run", _Limits)
        self.outcomes: Counter[str] = Counter()
        self._serves = serves
        self._config = config
        self._worker = worker
        self._backend = backend
        self._histories = histories
        self._is_active = is_active

    def check(self, request: RunModule.Goal) -> None:
        if not self._is_active():
            raise InactiveError

    def begin(self, goal: ModuleGoal) -> None:
        try:
            entry = self._checked(goal.request)
            goal.images, goal.request.images = self._messages(goal.request, entry), []
            goal.progress = Progress(self._teller(goal))
            goal.task = lambda backend: self._work(goal, entry, backend)
            self._worker.submit(goal.task, self._config().max_queue)
        except VitronError as error:
            self._end(goal, error)

    def cancel(self, goal: ModuleGoal) -> None:
        if goal.task is not None and self._worker.withdraw(goal.task):
            self.end(goal, self.result_class.CANCELED, "cancelled by the client while it waited")
        goal.progress.cancel()

    def shutdown(self) -> None:
        for goal in list(self.open.values()):
            self.cancel(goal)
        super().shutdown()

    def finish(self, goal: ModuleGoal, result: RunModule.Result) -> None:
        goal.images, goal.preview = (), None
        goal.request.images, goal.request.masks = [], []  # rclpy keeps a goal for some time after its end
        if not goal.is_over:
            self.outcomes[outcome_name(result)] += 1
        super().finish(goal, result)

    def tell(self) -> None:
        """Send every open goal's client how it stands; called every `TOLD_S`."""
        for goal in list(self.open.values()):
            if not goal.is_over:
                waiting = 0 if goal.task is None else self._worker.waiting_before(goal.task)
                feedback = RunModule.Feedback(waiting=waiting, progress=goal.progress.fraction)
                feedback.preview = self._preview(goal)
                goal.handle.publish_feedback(feedback)

    def load_failed(self, task: Task, error: Exception) -> None:
        """In the worker's thread: the backend could not be loaded again for a task."""
        for goal in list(self.open.values()):
            if goal.task is task:
                self._end(goal, error)

    def _checked(self, request: RunModule.Goal) -> ModuleEntry:
        """Which module is meant. Raises VitronError for what can be told to be wrong before any work is done."""
        config = self._config()
        module, action, _ = read_instructions(request.invocation.module, request.invocation.instructions)
        entry = REGISTRY[module]
        if entry.node != self._serves:
            raise Unsupported(f"{entry.name} is done by the node {entry.node}, this is {self._serves}")
        can = self._backend.actions.get(module, frozenset())
        if action not in can:
            known = ", ".join(sorted(can)) or "nothing"
            raise Unsupported(f"the backend {self._backend.name} does not {action} here, it does {known}")
        for image in (*request.images, *request.masks, *request.reference):
            config.check_images(image.width, image.height, max(len(request.images), len(request.masks)))
        if entry.node == "generation":
            count = (request.frame_count or 1) if entry.makes_clip else 1
            config.check_images(request.width or 1, request.height or 1, count)
        check_formats(request.formats)
        if request.output:
            new_folder(config.output_folder, request.output)
        elif request.files_only or request.formats:
            raise BadJob("files_only and formats are for results in files; name a folder in output")
        return entry

    def _messages(self, request: RunModule.Goal, entry: ModuleEntry) -> Sequence[Image | CompressedImage]:
        """The images of a goal as messages; none where it works on a file, or on nothing."""
        if request.images or request.input or entry.input == "none":
            return list(request.images)
        history = self._histories.get(request.invocation.camera)
        if history is None and self._histories:
            raise BadJob(unknown_camera(request.invocation.camera, self._histories))
        if history is None:
            raise BadJob(f"{entry.name} needs images: give some, name an input, or let the node keep a history")
        first_ns, last_ns = ns_from_time(request.first_stamp), ns_from_time(request.last_stamp)
        if entry.input == "image":
            return [history.one(first_ns or ns_from_time(request.invocation.header.stamp))]
        return history.clip(first_ns, last_ns)

    def _work(self, goal: ModuleGoal, entry: ModuleEntry, backend: ModuleBackend) -> None:
        """In the worker's thread."""
        try:
            if not goal.is_over:
                self.finish(goal, self._result(goal, entry, backend))
        except Exception as error:
            self._end(goal, error)

    def _result(self, goal: ModuleGoal, entry: ModuleEntry, backend: ModuleBackend) -> RunModule.Result:
        request, config = goal.request, self._config()
        goal.progress.report(0.0)
        job = job_from_goal(request, self._frames(goal, entry, config))
        if not request.files_only:
            config.check_message(job)
        share = WORK_SHARE if request.output else 1.0
        result = run_job(backend, job, goal.progress.part(0.0, share))
        path = ""
        if request.output:
            path = str(
                write_results(
                    new_folder(config.output_folder, request.output),
                    job,
                    result,
                    request.formats,
                    max_bytes=config.max_output * MIB,
                    min_free_bytes=config.min_free_disk * MIB,
                ).absolute()
            )
        now_ns = self.node.get_clock().now().nanoseconds
        message = result_message(job, result, now_ns=now_ns, files_only=request.files_only)
        message.backend = f"{self._backend.name} ({self._backend.licence})"
        message.path = path
        return message

    def _frames(self, goal: ModuleGoal, entry: ModuleEntry, config: ModuleConfig) -> tuple[Frame, ...]:
        request = goal.request
        if request.input and not goal.images and entry.input != "none":
            return read_input(
                input_path(config.input_folder, request.input),
                config,
                goal.progress,
                first_ns=ns_from_time(request.first_stamp),
                last_ns=ns_from_time(request.last_stamp),
                most=1 if entry.input == "image" else None,
            )
        frames = frames_from_messages(goal.images, request.invocation.camera)
        goal.images = ()
        if frames:
            config.check_images(frames[0].width, frames[0].height, len(frames))
        return frames

    def _teller(self, goal: ModuleGoal) -> Callable[[float, Pixels | None], None]:
        """What takes a goal's progress, in the worker's thread."""
        started_s: float | None = None

        def tell(fraction: float, preview: Pixels | None) -> None:
            nonlocal started_s
            started_s = time.monotonic() if started_s is None else started_s
            limit_s = self._config().job_timeout
            if time.monotonic() - started_s > limit_s:
                raise TimedOut(f"it took longer than job_timeout={limit_s:g} s; give less, or raise the limit")
            if preview is not None:
                goal.preview = preview

        return tell

    def _preview(self, goal: ModuleGoal) -> list[Image]:
        config, steady_ns = self._config(), time.monotonic_ns()
        preview = goal.preview
        if preview is None or steady_ns - goal.preview_ns < SECOND_NS / config.preview_rate:
            return []
        goal.preview, goal.preview_ns = None, steady_ns
        height, width = preview.shape[:2]
        if width > config.preview_width:
            size = (config.preview_width, max(1, round(height * config.preview_width / width)))
            preview = np.asarray(cv2.resize(preview, size, interpolation=cv2.INTER_AREA), np.uint8)
        return [image_message(preview, Header())]

    def _end(self, goal: ModuleGoal, error: Exception) -> None:
        """End a goal by what went wrong, from any thread; the trace of a bug is logged."""
        error = failure_of(error)
        if isinstance(error, VitronError):
            code = next((code for kind, code in ERROR_CODES.items() if isinstance(error, kind)), None)
            self.end(goal, self.result_class.MODULE_ERROR if code is None else code, str(error))
        else:
            self.end_by_bug(goal)

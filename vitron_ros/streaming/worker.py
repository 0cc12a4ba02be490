"""The thread of one camera: takes the newest image, decodes it, steps the pipeline, hands the report on."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ImageError
from vitron_ros.frame import Frame
from vitron_ros.streaming.latest import Latest
from vitron_ros.streaming.load_shedding import LoadShedder, LoadSheddingLevel
from vitron_ros.streaming.pipeline import CameraPipeline, Report
from vitron_ros.streaming.statistics import StreamStatistics, StreamSummary

logger = logging.getLogger(__name__)

TICK_S = 0.05  # how often time passes for goals while no image comes
BAD_FRAME_LOG_PERIOD_S = 1.0

Command = Callable[[CameraPipeline], None]
Message = TypeVar("Message")


class CameraWorker(Generic[Message]):
    """Owns a pipeline and the only thread that touches it.

    `put`, `post` and `summary` may be called from any thread; `deliver` and `crashed` are called from the worker's.

    Args:
        decode: message to frame; an ImageError counts the message as bad and the stream goes on.
        clock: now, in ns, by the clock that goals are timed with.
        deliver: takes each report that says something.
        crashed: called once, after the trace is logged, if the worker dies of a bug.
        timer: ns, of how long the work takes.
    """

    def __init__(
        self,
        pipeline: CameraPipeline,
        *,
        decode: Callable[[Message], Frame],
        clock: Callable[[], int],
        deliver: Callable[[Report], None],
        crashed: Callable[[], None],
        name: str = "camera",
        timer: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.statistics = StreamStatistics()
        self._pipeline = pipeline
        self._decode = decode
        self._clock = clock
        self._deliver = deliver
        self._crashed = crashed
        self._timer = timer
        self._load_shedder = LoadShedder()
        self._latest: Latest[Message] = Latest()
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._stopping = False
        self._logged_s = float("-inf")
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, message: Message, lost: int = 0) -> None:
        """The newest image; one that was not taken yet is dropped and counted.

        Args:
            lost: images that were sent since the one before it, and did not come.
        """
        self._latest.put(message, lost)

    def post(self, command: Command) -> None:
        """Run something on the pipeline, in the worker, before the next image."""
        self._commands.put(command)
        self._latest.wake()

    def stop(self) -> None:
        """End every goal, deliver the last report, and wait for the thread."""
        self._stopping = True
        self._latest.wake()
        self._thread.join()

    @property
    def load_shedding(self) -> LoadSheddingLevel:
        """What is left out since the machine is too slow."""
        return self._load_shedder.load_shedding

    @property
    def skipped(self) -> int:
        """Images that were sent before the newest that was processed, and were not processed."""
        return self._latest.missed_before + self.statistics.unusable

    def summary(self) -> StreamSummary:
        return self.statistics.summary(
            received=self._latest.received,
            dropped=self._latest.dropped,
            lost=self._latest.lost,
            silent_after_s=self._pipeline.silent_after_ns / SECOND_NS,
            load_shedding=self.load_shedding,
        )

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn(self._latest.take(TICK_S))
            self._run_commands()
            self._hand_on(self._pipeline.shutdown())
        except Exception:
            logger.exception("the worker of camera thread %s died", self._thread.name)
            self._crashed()

    def _turn(self, message: Message | None) -> None:
        started_ns = self._timer()
        self._run_commands()
        frame = None if message is None else self._decoded(message)
        self._hand_on(self._pipeline.tick(self._clock()) if frame is None else self._step(frame))
        self._pipeline.catch_up(lambda: self._latest.is_waiting)
        ended_ns = self._timer()
        load_shedding = self._load_shedder.worked(ended_ns, ended_ns - started_ns)
        if load_shedding is not self._pipeline.load_shedding:
            self._pipeline.load_shedding = load_shedding
            logger.warning(
                "the machine is %s; left out: %s",
                "too slow" if load_shedding else "fast enough again",
                load_shedding.text,
            )

    def _run_commands(self) -> None:
        while not self._commands.empty():
            self._commands.get()(self._pipeline)

    def _decoded(self, message: Message) -> Frame | None:
        try:
            return self._decode(message)
        except ImageError as error:
            self.statistics.bad_frame(str(error), self._clock())
            self._pipeline.skip(str(error))
            if time.monotonic() - self._logged_s > BAD_FRAME_LOG_PERIOD_S:
                self._logged_s = time.monotonic()
                logger.warning("image skipped: %s", error)
            return None

    def _step(self, frame: Frame) -> Report:
        arrival_ns, started_ns, late = self._clock(), self._timer(), self._pipeline.late_frames
        report = self._pipeline.step(frame, arrival_ns)
        if self._pipeline.late_frames > late:
            self.statistics.late_frame()
        else:
            self.statistics.frame(arrival_ns, self._timer() - started_ns, frame.stamp_ns)
        return report

    def _hand_on(self, report: Report) -> None:
        if report.frame or report.events or report.finished or report.feedback:
            self._deliver(report)

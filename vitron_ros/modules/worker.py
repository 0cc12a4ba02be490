"""The thread of a module's node: runs one task after the other on a backend that it loads, and unloads when idle."""

import errno
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable

from vitron_ros.modules.module import (
    DiskFull,
    ModuleBackend,
    ModuleFailure,
    ModuleJob,
    ModuleResult,
    OutOfMemory,
    Progress,
    QueueFull,
)

logger = logging.getLogger(__name__)

Task = Callable[[ModuleBackend], None]
"""What is done with the backend. Whatever goes wrong, it tells those who wait for it and raises nothing."""

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "insufficient memory", "failed to allocate", "bad_alloc")


class ModuleWorker:
    """Owns a backend and the only thread that touches it. All methods may be called from any thread.

    Args:
        load: makes the backend; called again after it was unloaded.
        idle_unload_s: without a task, until the backend is let go.
        failed: told why the backend could not be loaded again, with the task that waited for it.
        crashed: called once, after the trace is logged, if the worker dies of a bug.
        unloaded: called after the backend was let go.
        niceness: how far the thread, and those that it starts, yield the CPU to others.
    """

    def __init__(
        self,
        load: Callable[[], ModuleBackend],
        *,
        idle_unload_s: float,
        failed: Callable[[Task, Exception], object],
        crashed: Callable[[], object],
        unloaded: Callable[[], object] = lambda: None,
        niceness: int = 0,
        name: str = "module",
    ) -> None:
        self._load = load
        self._idle_unload_s = idle_unload_s
        self._failed = failed
        self._crashed = crashed
        self._unloaded = unloaded
        self._niceness = niceness
        self._backend: ModuleBackend | None = None
        self._tasks: deque[Task] = deque()
        self._running: Task | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self, backend: ModuleBackend) -> None:
        """Begin, with a backend that was loaded already."""
        self._backend = backend
        self._thread.start()

    def submit(self, task: Task, limit: int) -> None:
        """Run a task after those that wait.

        Raises:
            QueueFull: `limit` tasks run or wait.
        """
        with self._changed:
            if (count := self.count) >= limit:
                raise QueueFull(f"{count} goals run or wait, the limit is max_queue={limit}; try again later")
            self._tasks.append(task)
            self._changed.notify()

    def withdraw(self, task: Task) -> bool:
        """Take back a task that waits; whether it did. One that runs is not touched."""
        with self._changed:
            if task not in self._tasks:
                return False
            self._tasks.remove(task)
            return True

    def waiting_before(self, task: Task) -> int:
        """How many tasks come before it; 0: it runs, or has run."""
        with self._changed:
            return list(self._tasks).index(task) + (self._running is not None) if task in self._tasks else 0

    @property
    def count(self) -> int:
        """Tasks that run or wait."""
        return len(self._tasks) + (self._running is not None)

    @property
    def is_loaded(self) -> bool:
        return self._backend is not None

    def stop(self, timeout_s: float) -> bool:
        """Drop what waits, and wait for what runs, which the caller has cancelled; whether it ended in time."""
        with self._changed:
            self._stopping = True
            self._tasks.clear()
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        if self._niceness:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._niceness)  # Linux: of this thread alone
        try:
            while (task := self._next()) is not None:
                self._do(task)
                del task  # with the images that it holds
                self._running = None
        except Exception:
            logger.exception("the worker of %s died", self._thread.name)
            self._crashed()

    def _next(self) -> Task | None:
        """The next task, once there is one; None: stop."""
        idle_from_s = time.monotonic()
        with self._changed:
            while not self._tasks and not self._stopping:
                left_s = idle_from_s + self._idle_unload_s - time.monotonic()
                if self._backend is not None and left_s <= 0:
                    self._backend = None
                    self._unloaded()
                    logger.info("%s was idle for %g s: its backend is unloaded", self._thread.name, self._idle_unload_s)
                self._changed.wait(left_s if self._backend is not None else None)
            if self._stopping:
                return None
            self._running = self._tasks.popleft()
            return self._running

    def _do(self, task: Task) -> None:
        if self._backend is None:
            try:
                self._backend = self._load()
            except Exception as error:
                self._failed(task, error)
                return
        task(self._backend)


def run_job(backend: ModuleBackend, job: ModuleJob, progress: Progress) -> ModuleResult:
    """Do a job.

    Raises:
        Cancelled, ModuleFailure: it could not be done. What comes of too little memory or disk is told apart.
        Anything else: a bug of the backend.
    """
    try:
        progress.report(0.0)
        result = backend.run(job, progress)
        progress.report(1.0)
        return result
    except ModuleFailure:
        raise
    except Exception as error:
        raise failure_of(error) from error


def failure_of(error: Exception) -> Exception:
    """The ModuleFailure that an error amounts to, or the error itself."""
    if isinstance(error, MemoryError) or any(word in str(error).lower() for word in _MEMORY_WORDS):
        return OutOfMemory("there is not enough memory for this job; take smaller or fewer images")
    for known in (error, error.__cause__):
        if isinstance(known, OSError) and known.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull("the disk is full; free space and try again")
    return error

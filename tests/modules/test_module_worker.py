"""The queue of a module's node, the life of its backend, and what errors amount to."""

import errno
import threading
import time

import pytest

from tests.modules.fake_backend import FakeBackend
from tests.modules.test_module import frames
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import BadJob, Cancelled, DiskFull, ModuleJob, OutOfMemory, Progress, QueueFull
from vitron_ros.modules.worker import ModuleWorker, run_job

JOB = ModuleJob(module=Module.IMAGE_SEGMENTATION, action="segment", frames=frames(1))


@pytest.fixture
def made():
    """What was loaded, and a function that makes a worker, which is stopped in the end."""
    workers = []

    def make(load=FakeBackend, idle_unload_s=60.0, failed=lambda task, error: None):
        crashed = threading.Event()
        workers.append(ModuleWorker(load, idle_unload_s=idle_unload_s, failed=failed, crashed=crashed.set))
        workers[-1].start(load())
        return workers[-1], crashed

    yield make
    for worker in workers:
        worker.stop(5.0)


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_tasks_run_in_order_and_the_queue_has_a_limit(made):
    worker, _ = made()
    started, gate, done = threading.Event(), threading.Event(), []
    tasks = [lambda backend, number=number: (started.set(), gate.wait(10), done.append(number)) for number in range(3)]
    for task in tasks:
        worker.submit(task, limit=3)
    assert started.wait(10)
    assert [worker.waiting_before(task) for task in tasks] == [0, 1, 2]
    with pytest.raises(QueueFull, match="3 goals run or wait"):
        worker.submit(lambda backend: None, limit=3)
    assert worker.withdraw(tasks[1]) and not worker.withdraw(tasks[0])
    gate.set()
    wait_for(lambda: len(done) == 2)
    assert done == [0, 2]


def test_an_idle_backend_is_unloaded_and_loaded_again(made):
    loaded = []
    worker, _ = made(load=lambda: loaded.append(FakeBackend()) or loaded[-1], idle_unload_s=0.05)
    wait_for(lambda: not worker.is_loaded)
    used = []
    worker.submit(used.append, limit=1)
    wait_for(lambda: used)
    assert used == [loaded[1]]


def test_a_backend_that_cannot_be_loaded_again_fails_its_task_alone(made):
    errors, backends = [], [FakeBackend(), MemoryError(), FakeBackend()]

    def load():
        if isinstance(made_next := backends.pop(0), Exception):
            raise made_next
        return made_next

    worker, _ = made(load=load, idle_unload_s=0.01, failed=lambda task, error: errors.append(error))
    wait_for(lambda: not worker.is_loaded)
    used = []
    worker.submit(used.append, limit=1)
    wait_for(lambda: errors)
    worker.submit(used.append, limit=1)
    wait_for(lambda: used)
    assert len(used) == 1


def test_a_task_that_raises_is_a_bug_that_is_told(made):
    worker, crashed = made()
    worker.submit(lambda backend: 1 / 0, limit=1)
    assert crashed.wait(10)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), OutOfMemory),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), OutOfMemory),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), OutOfMemory),
        (RuntimeError("OpenCV(4.8) error: (-4:Insufficient memory) Failed to allocate 8 bytes"), OutOfMemory),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFull),
        (BadJob("no such colour"), BadJob),
        (Cancelled(), Cancelled),
        (KeyError("a bug"), KeyError),
    ],
)
def test_what_an_error_amounts_to(error, kind):
    with pytest.raises(kind):
        run_job(FakeBackend(error), JOB, Progress())


def test_a_cancelled_job_ends_at_its_next_report():
    backend, progress = FakeBackend(), Progress()
    backend.gate.clear()
    threading.Timer(0.05, progress.cancel).start()
    with pytest.raises(Cancelled):
        run_job(backend, JOB, progress)

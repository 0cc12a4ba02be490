"""Where the tasks of a long run are executed: in this process, in several of this machine, or on a Ray cluster."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import connection, get_context, parent_process
from typing import Protocol, TypeVar

from vitron_ros.errors import ConfigError

Task = TypeVar("Task")
Result = TypeVar("Result")

PATIENCE_S = 10.0  # until a cluster's head node lets connect


class Execute(Protocol):
    """Gives the results of tasks as they come, in any order. Function, tasks and results must be picklable."""

    def __call__(self, function: Callable[[Task], Result], tasks: Sequence[Task], /) -> Iterator[Result]: ...


def executor(processes: int, ray_address: str | None) -> Execute:
    """`on_ray` if there is an address, else `in_processes`."""
    return in_processes(processes) if ray_address is None else on_ray(ray_address)


def in_processes(processes: int) -> Execute:
    """Tasks in so many processes of this machine, in this one if there is to be but one."""

    def execute(function: Callable[[Task], Result], tasks: Sequence[Task], /) -> Iterator[Result]:
        if processes == 1 or len(tasks) < 2:
            yield from map(function, tasks)
            return
        pool = ProcessPoolExecutor(min(processes, len(tasks)), get_context("spawn"), _end_with_parent)
        try:
            for future in as_completed([pool.submit(function, task) for task in tasks]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    return execute


def on_ray(address: str) -> Execute:
    """Tasks on a Ray cluster, one CPU each. Its machines need this package and see the data under the same paths.

    Raises:
        ConfigError: Ray is not installed, or no cluster answers there; when tasks are executed.
    """

    def execute(function: Callable[[Task], Result], tasks: Sequence[Task], /) -> Iterator[Result]:
        try:
            import ray
        except ImportError as error:
            raise ConfigError(f"a cluster is used through Ray ({error}); run: pip install ray") from error
        try:
            _knock(address)
            ray.init(address=address, log_to_driver=False)
        except (OSError, ValueError) as error:
            raise ConfigError(f"no Ray cluster answers at {address}: {error}") from error
        try:
            remote = ray.remote(num_cpus=1)(function)
            waiting = [remote.remote(task) for task in tasks]
            while waiting:
                done, waiting = ray.wait(waiting, num_returns=1)
                yield ray.get(done[0])
        finally:
            ray.shutdown()

    return execute


def _knock(address: str) -> None:
    """Raises OSError where nobody listens at HOST:PORT; Ray itself goes on trying for more than five minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), PATIENCE_S).close()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next task for ever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

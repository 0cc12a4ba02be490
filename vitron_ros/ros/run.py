"""Start a node, spin it until it is told to stop, and take it down in order."""

import os
import signal
from collections.abc import Callable, Sequence
from typing import Protocol

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from vitron_ros.errors import ConfigError
from vitron_ros.ros.leftovers import free_leftovers

POLL_S = 0.1  # how soon a signal is noticed
GOODBYE_S = 0.5  # for results and last messages to leave


class Runnable(Protocol):
    """A lifecycle node that says whether it must stop, and how to stop it."""

    has_failed: bool

    def close(self) -> None:
        """Deactivate and clean up, so that clients hear of it while the node still spins."""


def init_and_catch_signals(argv: Sequence[str] | None) -> list[int]:
    """Free the shared memory of killed processes and start rclpy; the list fills with the signal that says stop.

    That is SIGINT or SIGTERM. rclpy's own handlers shut the context down before anybody can say goodbye, so ours only
    take a note.
    """
    freed = free_leftovers()
    rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
    if freed:
        get_logger("vitron_ros").info(f"freed {freed >> 20} MiB of /dev/shm that killed processes had left")
    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stop.append(received))
    return stop


def run_node(make_node: Callable[[], LifecycleNode], argv: Sequence[str] | None = None) -> int:
    """Exit code of a process that hosts one node: 0 after SIGINT or SIGTERM, 1 if it failed or could not be made."""
    stop = init_and_catch_signals(argv)
    try:
        node = make_node()
    except ConfigError as error:
        get_logger("vitron_ros").fatal(str(error))
        rclpy.shutdown()
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not stop and not node.has_failed:
            executor.spin_once(timeout_sec=POLL_S)
        node.close()
        deadline = node.get_clock().now().nanoseconds + int(GOODBYE_S * 1e9)
        while node.get_clock().now().nanoseconds < deadline:
            executor.spin_once(timeout_sec=POLL_S)
        return 1 if node.has_failed else os.EX_OK
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown()

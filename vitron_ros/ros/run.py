"""Start a node, spin it until it is told to stop, and take it down in order."""

import atexit
import gc
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence

import rclpy
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from vitron_ros.doctor import check_domain
from vitron_ros.errors import ConfigError
from vitron_ros.ros.managed_node import ManagedNode
from vitron_ros.ros.stale_shared_memory import free_stale_segments
from vitron_ros.ros.transport import transport_environment

POLL_S = 0.1  # how soon a signal is noticed
FLUSH_S = 0.5  # for results and last messages to leave


def init_and_catch_signals(argv: Sequence[str] | None) -> list[int]:
    """Free the shared memory of killed processes and start rclpy; the list fills with the signal that says stop.

    That is SIGINT or SIGTERM. rclpy's own handlers shut the context down before anybody can say goodbye, so ours only
    take a note. Ends the process with a sentence where the environment or the arguments keep rclpy from starting.
    """
    domain = check_domain(os.environ.get("ROS_DOMAIN_ID", ""), "")
    if domain.status == "fail":
        sys.exit(f"{domain.finding}; {domain.remedy}")
    os.environ.update(transport_environment())  # `ros2 run` sets nothing, and images need more than Fast DDS's default
    freed = free_stale_segments()
    try:
        rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        sys.exit(f"ROS cannot start: {_first_line(error)}; see: vitron doctor")
    if freed:
        get_logger("vitron_ros").info(f"freed {freed >> 10} KiB of /dev/shm that killed processes had left")
    stop: list[int] = []
    _on_signals(stop.append)
    return stop


def _on_signals(act: Callable[[int], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: act(received))


def pause(duration_s: float, stop: Sequence[int]) -> None:
    """Sleep, but no longer than until `stop` holds something."""
    deadline_s = time.monotonic() + duration_s
    while not stop and (left_s := deadline_s - time.monotonic()) > 0:
        time.sleep(min(left_s, POLL_S))


def run_node(make_node: Callable[[], ManagedNode], argv: Sequence[str] | None = None) -> int:
    """Exit code of a process that hosts one node: 0 after SIGINT or SIGTERM, 1 if it failed or could not be made.

    Waiting is by steady time: with `use_sim_time` the node's own clock may stand still.
    """
    stop = init_and_catch_signals(argv)
    atexit.register(_let_go)
    try:
        node = make_node()
    except (ConfigError, NameValidationException, ParameterException, RuntimeError) as error:
        get_logger("vitron_ros").fatal(f"cannot make the node: {_first_line(error)}")
        rclpy.shutdown()
        return 1

    def note(number: int) -> None:
        stop.append(number)
        if node.is_configuring:  # no goals are open, and a model may take minutes to load
            raise KeyboardInterrupt

    _on_signals(note)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        _spin(executor, lambda: bool(stop) or node.has_failed)
    except KeyboardInterrupt:
        node.get_logger().info("stopped while it was being configured")
    except Exception:  # a bug: clients still hear how their goals end
        node.get_logger().fatal(f"a callback died of a bug\n{traceback.format_exc()}")
        node.has_failed = True
    try:
        node.close()
        deadline_s = time.monotonic() + FLUSH_S
        _spin(executor, lambda: time.monotonic() > deadline_s)
        return 1 if node.has_failed else os.EX_OK
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown()
        _on_signals(stop.append)  # `note` holds the node


def _let_go() -> None:
    """Let go of what ROS's entities hold in cycles: DDS's participants with their shared memory, above all.

    Python would search for them itself, in all that a model's libraries have made and several times: 1.4 s more of CPU
    time, of the five seconds that `ros2 launch` gives on a busy machine.
    """
    gc.collect()
    gc.freeze()


def _spin(executor: SingleThreadedExecutor, is_over: Callable[[], bool]) -> None:
    while not is_over():
        executor.spin_once(timeout_sec=POLL_S)


def _first_line(error: Exception) -> str:
    """Of an error of rclpy's, without the place in ROS's own sources."""
    return re.sub(r",? at /\S+:\d+", "", str(error).strip().split("\n")[0])

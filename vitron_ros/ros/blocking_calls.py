"""Goals of other nodes, sent and awaited by a thread that is not the executor's."""

import queue
import time
from collections.abc import Callable
from typing import Any, TypeVar

from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.modules.module import Cancelled, Progress
from vitron_ros.ros import qos

POLL_S = 0.02
REPLY_S = 4.0  # for a node to be found, and to take a goal
SETTLE_S = 0.5  # a server that was found needs as long to find its client, whose first goal it would else lose

T = TypeVar("T")


def wait_until(condition: Callable[[], bool], progress: Progress, timeout_s: float, failure: CommandFailure) -> None:
    """Block until it holds.

    Raises:
        CommandFailure: `failure`, where it does not in time.
        Cancelled: the progress was cancelled.
    """
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        progress.report(progress.fraction)
        if time.monotonic() > deadline_s:
            raise failure
        time.sleep(POLL_S)


def in_executor(node: Node, work: Callable[[], T], progress: Progress, drop: Callable[[T], object] | None = None) -> T:
    """What `work` gives in the executor's thread, which owns the node's clients.

    Args:
        drop: takes what it gives, in that thread, where nobody waits for it any more.
    """
    is_dropped = False

    def step() -> T | None:
        return None if is_dropped else work()

    def take_back(done: Future) -> None:
        if drop is not None and done.result() is not None:
            drop(done.result())

    executor = node.executor
    assert executor is not None
    task: Any = executor.create_task(step)
    stuck = CommandFailure(Outcome.INTERNAL_ERROR, "the node's executor stands still")
    try:
        wait_until(task.done, progress, REPLY_S, stuck)
    except (CommandFailure, Cancelled):
        is_dropped = True
        task.add_done_callback(take_back)
        raise
    result: T = task.result()
    return result


class BlockingClient:
    """Of one action of another node. Made and destroyed in the executor's thread, used in others."""

    def __init__(self, node: Node, action: Any, name: str, server: str) -> None:
        self._node = node
        self._server = server
        self._is_settled = False
        self._to_cancel: queue.SimpleQueue[ClientGoalHandle] = queue.SimpleQueue()
        self._client = ActionClient(node, action, name, **qos.GOAL_SERVICES)

    def destroy(self) -> None:
        self._send_cancels()
        self._client.destroy()

    def send(self, goal: Any, progress: Progress, hear: Callable[[Any], object] | None = None) -> ClientGoalHandle:
        """The handle of a goal that was accepted.

        Raises:
            CommandFailure: the node is not there, or takes no goal.
            Cancelled: the progress was cancelled.
        """
        missing = CommandFailure(Outcome.UNREACHABLE, f"the node {self._server} is not there: start it")
        self._is_settled &= self._client.server_is_ready()
        wait_until(self._client.server_is_ready, progress, REPLY_S, missing)
        if not self._is_settled:
            time.sleep(SETTLE_S)
            self._is_settled = True

        def on_feedback(message: Any) -> None:
            if hear is not None:
                hear(message.feedback)

        def give_up(sent: Future) -> None:
            sent.add_done_callback(self._cancel_unwanted)

        sent: Future = in_executor(
            self._node, lambda: self._client.send_goal_async(goal, feedback_callback=on_feedback), progress, give_up
        )
        silent = CommandFailure(Outcome.UNREACHABLE, f"the node {self._server} is silent: it has died, or hangs")
        try:
            wait_until(sent.done, progress, REPLY_S, silent)
        except (CommandFailure, Cancelled):
            give_up(sent)
            raise
        handle: ClientGoalHandle = sent.result()
        if not handle.accepted:
            said = f"the node {self._server} does not take this; it may be inactive or have no such camera: see its log"
            raise CommandFailure(Outcome.UNREACHABLE, said)
        return handle

    def result(self, handle: ClientGoalHandle, progress: Progress, timeout_s: float) -> Any:
        """The result of a goal; where waiting for it ends otherwise, the goal is cancelled."""
        late = CommandFailure(Outcome.TIMEOUT, f"the node {self._server} did not answer within {timeout_s:g} s")
        try:
            future: Future = in_executor(self._node, handle.get_result_async, progress)
            wait_until(future.done, progress, timeout_s, late)
        except (CommandFailure, Cancelled):
            self.cancel(handle)
            raise
        return future.result().result

    def cancel(self, handle: ClientGoalHandle) -> None:
        """Ask the node to end a goal; nobody waits for it. From any thread."""
        self._to_cancel.put(handle)
        if self._node.executor is not None:
            self._node.executor.create_task(self._send_cancels)

    def _cancel_unwanted(self, sent: Future) -> None:
        """A goal that was accepted when nobody waited for it any more."""
        handle = sent.result()
        if handle is not None and handle.accepted:
            self.cancel(handle)

    def _send_cancels(self) -> None:
        """In the executor's thread; once more by `destroy`, which the executor's task may come after."""
        while not self._to_cancel.empty():
            self._to_cancel.get().cancel_goal_async()

"""A thread that stops waiting leaves nothing behind at other nodes: what it began there is cancelled."""

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from rclpy.task import Future, Task

from vitron_ros.modules.module import Cancelled, Progress
from vitron_ros.ros import blocking_calls
from vitron_ros.ros.blocking_calls import BlockingClient, in_executor


class Executor:
    """Does its tasks when it is told to."""

    def __init__(self):
        self.tasks = []

    def create_task(self, work, *arguments):
        self.tasks.append(Task(work, arguments, executor=self))
        return self.tasks[-1]

    def turn(self):
        while self.tasks:
            self.tasks.pop(0)()


class Interrupted(Progress):
    """Cancelled as soon as somebody waits; `before`: what happens just before that is noticed."""

    def __init__(self, before=lambda: None):
        super().__init__()
        self.before = before

    def report(self, fraction, preview=None):
        self.before()
        raise Cancelled


def test_what_nobody_waits_for_is_not_done():
    done, node = [], SimpleNamespace(executor=Executor())
    with pytest.raises(Cancelled):
        in_executor(node, lambda: done.append(1), Interrupted())
    node.executor.turn()
    assert done == []


def test_what_was_done_when_the_waiting_ended_is_taken_back():
    taken, node = [], SimpleNamespace(executor=Executor())
    with pytest.raises(Cancelled):
        in_executor(node, lambda: "a goal", Interrupted(before=node.executor.turn), taken.append)
    node.executor.turn()
    assert taken == ["a goal"]


@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_goal_that_is_accepted_too_late_is_cancelled(monkeypatch, is_accepted):
    node, sent, cancelled = SimpleNamespace(executor=Executor()), Future(), []
    handle = SimpleNamespace(accepted=is_accepted, cancel_goal_async=lambda: cancelled.append(1))
    client = SimpleNamespace(server_is_ready=lambda: True, send_goal_async=lambda *_, **__: sent)
    monkeypatch.setattr(blocking_calls, "ActionClient", lambda *_, **__: client)
    monkeypatch.setattr(blocking_calls, "SETTLE_S", 0.0)
    with pytest.raises(Cancelled):
        BlockingClient(node, None, "track", "perception").send(None, Interrupted(before=node.executor.turn))
    sent.set_result(handle)
    node.executor.turn()
    assert len(cancelled) == is_accepted

"""The model's thread and its queue: batches, the newest clip, deadlines, and a model that misbehaves."""

import logging
import threading
from dataclasses import replace

import numpy as np
import pytest

from tests.fakes import ScriptedModel, found, frame, said
from vitron_ros.errors import ModelError
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.region import Region
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.model_worker import ModelWorker
from vitron_ros.streaming.request_queue import RequestQueue

WAIT_S = 30
SECOND = 1_000_000_000


def request(name="a", task=Task.FIND, index=0, **values):
    return ModelRequest(
        id=name,
        task=task,
        frames=(frame(index),),
        text="where does the mug go?" if task is Task.ASK else "mug",
        **values,
    )


class Gate:
    """A model that waits in each call until the test lets it go on."""

    def __init__(self, model=None):
        self.model = model or ScriptedModel()
        self.max_frames, self.max_requests = 8, self.model.max_requests
        self.tasks = frozenset(Task) - {Task.DESCRIBE, Task.VERIFY}
        self.uses_newest_frame_only, self.min_score = False, None
        self.entered, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.seen = []

    def reply(self, requests):
        self.seen.append([item.id for item in requests])
        self.requests = list(requests)
        self.entered.release()
        assert self.go_on.acquire(timeout=WAIT_S)
        return self.model.reply(requests)


class Rig:
    def __init__(self, model, timeout_s=10.0):
        self.now_ns = 0
        self.replies, self.delivered = {}, threading.Semaphore(0)
        self.crashed = threading.Event()
        self.worker = ModelWorker(model, timeout_s=timeout_s, crashed=self.crashed.set, clock=lambda: self.now_ns)
        self.worker.start()

    def deliver(self, asked, reply):
        self.replies.setdefault(asked.id, []).append((asked, reply))
        self.delivered.release()

    def submit(self, *requests):
        for item in requests:
            self.worker.submit(item, self.deliver)

    def wait(self, count=1):
        for _ in range(count):
            assert self.delivered.acquire(timeout=WAIT_S)

    def status(self, name):
        return self.replies[name][-1][1].status


@pytest.fixture
def rig_of():
    made = []

    def make(model, **values):
        made.append((model, Rig(model, **values)))
        return made[-1][1]

    yield make
    for model, rig in made:
        if isinstance(model, Gate):
            model.go_on.release(1000)
        assert rig.worker.stop(WAIT_S)


def test_a_reply_comes_with_the_request_that_was_answered(rig_of):
    rig = rig_of(ScriptedModel())
    rig.submit(request("a", index=3))
    rig.wait()
    asked, reply = rig.replies["a"][0]
    assert (reply.status, reply.stamps_ns) == (ReplyStatus.OK, (frame(3).stamp_ns,))
    assert asked.frames[0].index == 3


def test_what_waits_goes_as_batches_and_the_newest_clip_wins(rig_of):
    model = Gate(ScriptedModel(max_requests=3))
    rig = rig_of(model)
    rig.submit(request("first"))
    assert model.entered.acquire(timeout=WAIT_S)
    rig.submit(*[request(name, index=1) for name in "abcd"])
    rig.submit(request("b", index=9), request("first", index=9), request("asked", Task.ASK))
    assert rig.worker.summary().waiting == 5
    model.go_on.release(3)
    rig.wait(6)
    assert model.seen == [["first"], ["asked", "a", "b"], ["c", "d"]]
    assert rig.replies["b"][0][0].frames[0].index == 9
    assert rig.replies["first"][0][0].frames[0].index == 0, "it was taken already; a newer clip of it comes too late"
    assert all(len(replies) == 1 for replies in rig.replies.values())


@pytest.mark.parametrize(
    "error", [ModelError("no"), RuntimeError("CUDA out of memory"), MemoryError(), OSError("gone")]
)
def test_a_model_that_fails_gives_failed_replies_and_goes_on(rig_of, error, caplog):
    def fail(item):
        raise error

    rig = rig_of(ScriptedModel(fail, found))
    with caplog.at_level(logging.ERROR):
        rig.submit(request("a"))
        rig.wait()
    rig.submit(request("b"))
    rig.wait()
    assert (rig.status("a"), rig.status("b")) == (ReplyStatus.FAILED, ReplyStatus.OK)
    assert (str(error) or "MemoryError") in rig.replies["a"][0][1].message
    assert "Traceback" in caplog.text
    assert not rig.crashed.is_set()


def failing_for(name, error):
    """A model that raises whenever a request of that id is among those that it is asked."""

    def answer(item):
        if item.id == name:
            raise error
        return found(item)

    return ScriptedModel(answer)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ZeroDivisionError("a bug"), "ZeroDivisionError: a bug"),
        (IndexError("index out of range in self"), "IndexError: index out of range in self"),
        (AssertionError(), "AssertionError"),
        (RuntimeError("CUDA out of memory"), "CUDA out of memory"),
    ],
)
def test_what_one_request_makes_a_model_raise_costs_that_request_alone(rig_of, error, says, caplog):
    model = Gate(failing_for("bad", error))
    rig = rig_of(model)
    rig.submit(request("first"))
    assert model.entered.acquire(timeout=WAIT_S)
    rig.submit(request("a"), request("bad"), request("b"))
    model.go_on.release(9)
    rig.wait(4)
    assert [rig.status(name) for name in ("first", "a", "bad", "b")] == [
        ReplyStatus.OK, ReplyStatus.OK, ReplyStatus.FAILED, ReplyStatus.OK
    ]  # fmt: skip
    assert rig.replies["bad"][0][1].message == f"the model failed: {says}"
    assert "Traceback" in caplog.text
    summary = rig.worker.summary()
    assert (summary.replies[ReplyStatus.FAILED], summary.last_message) == (1, f"the model failed: {says}")
    assert not rig.crashed.is_set()
    rig.submit(request("after"))
    rig.wait()
    assert rig.status("after") is ReplyStatus.OK


def raises(*arguments):
    raise ValueError("not mine")


def test_a_caller_that_fails_harms_nobody_else(rig_of):
    model = Gate()
    rig = rig_of(model)
    rig.submit(request("first"))
    assert model.entered.acquire(timeout=WAIT_S)
    rig.submit(request("a"), request("bad", is_cancelled=raises), request("b"))
    rig.worker.submit(request("deaf"), raises)
    rig.worker.expire()
    model.go_on.release(9)
    rig.wait(4)
    assert [rig.status(name) for name in ("a", "bad", "b")] == [ReplyStatus.OK, ReplyStatus.FAILED, ReplyStatus.OK]
    assert "the caller's is_cancelled raised ValueError: not mine" in rig.replies["bad"][0][1].message
    assert not rig.crashed.is_set()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"text": "the red mug " * 17_000}, "the text has 204,000 characters; give 2,000 at most"),
        ({"text": "a" * 2001}, "the text has 2,001 characters"),
        ({"regions": (Region.from_point(5, 5),) * 17}, "there are 17 regions; give 16 at most"),
    ],
)
def test_what_is_too_long_never_reaches_the_model(values, says):
    model = ScriptedModel()
    requests = [request("a"), replace(request("long", Task.ASK), **values), request("b")]
    replies = answers(model, requests)
    assert [reply.status for reply in replies] == [ReplyStatus.OK, ReplyStatus.UNKNOWN, ReplyStatus.OK]
    assert says in replies[1].message
    assert [item.id for item in model.asked] == ["a", "b"]


def changed(**values):
    def answer(item):
        reply = found(item)
        return type(reply)(**{name: getattr(reply, name) for name in type(reply).__dataclass_fields__} | values)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        changed(boxes_xyxy=None),
        changed(boxes_xyxy=np.zeros((3, 4))),
        changed(boxes_xyxy=np.zeros(4)),
        changed(score=float("nan")),
        changed(score=7.0),
        changed(id="another"),
    ],
)
def test_replies_that_are_not_of_the_agreed_form_are_failures(answer):
    (reply,) = answers(ScriptedModel(answer), [request()])
    assert reply.status is ReplyStatus.FAILED
    assert (reply.id, reply.stamps_ns) == ("a", (frame(0).stamp_ns,))
    assert reply.message


def test_too_few_replies_are_failures_of_all():
    class Short(ScriptedModel):
        def reply(self, requests):
            return super().reply(requests)[:-1]

    assert [item.status for item in answers(Short(), [request("a"), request("b")])] == [ReplyStatus.FAILED] * 2


@pytest.mark.parametrize("status", [status for status in ReplyStatus if status is not ReplyStatus.OK])
def test_other_statuses_pass_as_they_are(status):
    (reply,) = answers(ScriptedModel(lambda item: said(item, status, "why")), [request()])
    assert (reply.status, reply.message) == (status, "why")


def test_what_was_withdrawn_never_reaches_the_model(rig_of):
    model, withdrawn = Gate(), []
    rig = rig_of(model)
    rig.submit(request("first"))
    assert model.entered.acquire(timeout=WAIT_S)
    rig.submit(request("a", is_cancelled=lambda: bool(withdrawn)), request("b"))
    withdrawn.append(True)
    model.go_on.release(9)
    rig.wait(3)
    assert rig.status("a") is ReplyStatus.CANCELLED
    assert model.seen == [["first"], ["b"]]


def test_the_model_is_told_when_a_request_is_withdrawn_while_it_thinks(rig_of):
    model, withdrawn = Gate(), []
    rig = rig_of(model)
    rig.submit(request("a", is_cancelled=lambda: bool(withdrawn)))
    assert model.entered.acquire(timeout=WAIT_S)
    assert not model.requests[0].is_cancelled()
    withdrawn.append(True)
    assert model.requests[0].is_cancelled()


def test_a_model_that_hangs_lets_requests_expire_and_is_left_behind(caplog):
    model = Gate()
    rig = Rig(model, timeout_s=2.0)
    rig.submit(request("taken"))
    assert model.entered.acquire(timeout=WAIT_S)
    assert model.requests[0].deadline_ns == 2 * SECOND
    rig.submit(request("waits"))
    rig.now_ns = 3 * SECOND
    assert rig.worker.summary().busy_s == 3.0
    rig.worker.expire()
    assert (rig.status("taken"), rig.status("waits")) == (ReplyStatus.DEADLINE, ReplyStatus.DEADLINE)
    rig.submit(request("never"))
    assert not rig.worker.stop(0.05)
    assert rig.status("never") is ReplyStatus.CANCELLED
    assert model.requests[0].is_cancelled(), "should it come back, it is told to give up"
    assert "left to itself" in caplog.text
    model.go_on.release(9)
    assert rig.worker.stop(WAIT_S)
    assert len(rig.replies["taken"]) == 1, "its late reply is dropped"


def test_statistics(rig_of):
    rig = rig_of(ScriptedModel(found, lambda item: said(item, ReplyStatus.UNKNOWN, "no such word"), found))
    for name in "abc":
        rig.submit(request(name))
        rig.wait()
    summary = rig.worker.summary()
    assert summary.replies == {ReplyStatus.OK: 2, ReplyStatus.UNKNOWN: 1}
    assert (summary.waiting, summary.last_status, summary.last_message) == (0, ReplyStatus.OK, "no such word")
    assert summary.latency_ms == (0.0, 0.0, 0.0)


def test_after_stop_nothing_is_taken():
    rig = Rig(ScriptedModel())
    assert rig.worker.stop(WAIT_S)
    rig.submit(request())
    assert rig.replies == {}


def test_a_newer_clip_keeps_the_place_and_the_deadline_of_its_question():
    queue = RequestQueue(timeout_ns=100)
    queue.offer(request("a"), print, 0)
    queue.offer(request("b"), print, 10)
    queue.offer(request("a", index=5), print, 90)
    assert queue.expire(100) == []
    ((item, reply),) = queue.expire(101)
    assert (item.request.id, item.request.frames[0].index, reply.status) == ("a", 5, ReplyStatus.DEADLINE)
    assert [item.request.id for item in queue.take(9)] == ["b"]


def test_the_queue_is_bounded_by_the_open_questions():
    queue = RequestQueue(timeout_ns=10**12)
    for index in range(1000):
        queue.offer(request(str(index % 7), index=index), print, index)
    assert len(queue) == 7

"""A phrase that is grounded in two views: what both must show, and what follows where they differ."""

import numpy as np
import pytest

from tests.fakes import frame
from tests.streaming.test_prompt_goals import Rig, replaced
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.goals import Outcome
from vitron_ros.tracking.track import EventKind

HERE, NEAR, THERE = [10, 10, 50, 50], [12, 12, 50, 50], [60, 10, 90, 50]
NOTHING = [np.nan] * 4


class Model:
    """Shows one box in whatever has one frame, and another in every frame of a clip; None: "none"."""

    max_frames = max_requests = 8
    tasks = frozenset(Task) - {Task.DESCRIBE, Task.VERIFY}
    uses_newest_frame_only, min_score = False, None

    def __init__(self, newest, whole, score=0.69, **of_newest):
        self.shown = newest, whole
        self.score = score
        self.of_newest = of_newest

    def reply(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        is_newest = len(request.frames) == 1
        box = self.shown[not is_newest]
        reply = ModelReply(
            id=request.id,
            task=request.task,
            status=ReplyStatus.ABSENT if box is None else ReplyStatus.OK,
            boxes_xyxy=None if box is None else np.tile(np.array(box, float), (len(request.frames), 1)),
            score=self.score if is_newest else 0.9,
        )
        return replaced(reply, **self.of_newest) if is_newest else reply


def ask(model, newest=1, frames=3):
    request = ModelRequest(
        id="a",
        task=Task.FIND,
        frames=tuple(frame(index, width=100, height=60) for index in range(frames)),
        text="the mug",
        newest=newest,
    )
    (reply,) = answers(model, [request])
    assert reply.id == "a" and len(reply.stamps_ns) == frames
    return reply


def boxes(reply):
    return None if reply.boxes_xyxy is None else reply.boxes_xyxy.tolist()


@pytest.mark.parametrize(
    ("newest", "whole", "status", "shown"),
    [
        pytest.param(HERE, NEAR, ReplyStatus.OK, [NEAR, NEAR, HERE], id="the same"),
        pytest.param(HERE, THERE, ReplyStatus.UNSURE, [THERE, THERE, HERE], id="different things"),
        pytest.param(HERE, None, ReplyStatus.UNSURE, [NOTHING, NOTHING, HERE], id="only in the newest image"),
        pytest.param(None, HERE, ReplyStatus.UNSURE, [HERE, HERE, HERE], id="only in the clip"),
        pytest.param(None, None, ReplyStatus.ABSENT, None, id="nowhere"),
    ],
)
def test_a_box_counts_where_both_looks_show_it(newest, whole, status, shown):
    reply = ask(Model(newest, whole))
    assert reply.status is status
    assert boxes(reply) == (shown if shown is None else pytest.approx(np.array(shown, float), nan_ok=True))
    assert bool(reply.message) == (status is ReplyStatus.UNSURE)


@pytest.mark.parametrize("whole", [THERE, None])
def test_a_first_look_that_is_very_sure_needs_no_second(whole):
    reply = ask(Model(HERE, whole, score=0.7))
    assert (reply.status, reply.score) == (ReplyStatus.OK, 0.7)
    assert boxes(reply)[-1] == HERE


@pytest.mark.parametrize("newest", [0, 3, 9])
def test_one_look_is_enough_where_no_second_is_asked_for_or_would_see_the_same(newest):
    reply = ask(Model(THERE, HERE), newest=newest)
    assert (reply.status, boxes(reply)) == (ReplyStatus.OK, [HERE] * 3)


@pytest.mark.parametrize(
    "status", [ReplyStatus.FAILED, ReplyStatus.UNKNOWN, ReplyStatus.UNREADABLE, ReplyStatus.CANCELLED]
)
def test_a_look_that_fails_is_the_reply(status):
    reply = ask(Model(HERE, HERE, status=status, message="why"))
    assert (reply.status, reply.message, boxes(reply)) == (status, "why", None)


def test_no_call_of_the_model_has_more_looks_than_it_takes():
    class Small(Model):
        max_requests = 3

        def reply(self, requests):
            assert len(requests) <= self.max_requests
            return super().reply(requests)

    frames = tuple(frame(index, width=100, height=60) for index in range(3))
    requests = [
        ModelRequest(id=str(number), task=Task.FIND, frames=frames, text="the mug", newest=1) for number in range(4)
    ]
    replies = answers(Small(HERE, HERE), requests)
    assert [(reply.id, reply.status) for reply in replies] == [(str(number), ReplyStatus.OK) for number in range(4)]


def test_a_look_of_the_wrong_form_is_a_failure():
    assert ask(Model(HERE, HERE, boxes_xyxy=np.zeros((2, 4)))).status is ReplyStatus.FAILED


def unsure(request, box=HERE):
    return ModelReply(
        id=request.id,
        task=request.task,
        status=ReplyStatus.UNSURE,
        message="the newest image and the clip show it in only one of the two",
        boxes_xyxy=np.tile(np.array(box, float), (len(request.frames), 1)),
        score=0.9,
    )


def test_what_is_not_sure_is_asked_again_and_believed_only_where_nothing_better_comes():
    rig = Rig(model_tries=3)
    rig.run(60)
    rig.add()
    started = []
    for _ in range(60):
        rig.run()
        rig.answer(unsure)
        started.append(any(event.kind is EventKind.STARTED for event in rig.events))
    asked = len({request.id for request in rig.asked if request.newest})
    assert any(started) and asked == 3


def test_what_is_never_sure_and_too_late_says_so():
    rig = Rig(model_tries=100, timeout=1.0)
    rig.run(60)
    rig.add()
    for _ in range(60):
        rig.run()
        rig.answer(unsure)
    assert rig.finished["goal"].outcome is Outcome.NOT_FOUND
    assert (
        "was not found within 1 s: the newest image and the clip show it in only one of the two"
        in rig.finished["goal"].message
    )

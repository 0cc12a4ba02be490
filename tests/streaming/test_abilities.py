"""What becomes of a request for a task that the model has not."""

from dataclasses import replace

import numpy as np
import pytest

from tests.fakes import ScriptedModel, found, frame, said
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.region import Region
from vitron_ros.streaming.answering import answers

FIND, ASK = frozenset([Task.FIND]), frozenset([Task.ASK])


def request(task, text="the mug", frames=3, **values):
    return ModelRequest(id="a", task=task, text=text, frames=tuple(map(frame, range(frames))), **values)


@pytest.mark.parametrize(
    ("tasks", "asked", "says"),
    [
        (FIND, request(Task.ASK, "what colour is the mug?"), "cannot answer questions; it can only find what a phrase"),
        (FIND, request(Task.FOLLOW, box_xyxy=np.array([1.0, 1, 9, 9])), "cannot follow a box"),
        (FIND, request(Task.DESCRIBE), "cannot describe a region"),
        (ASK, request(Task.FIND), "cannot find what a phrase describes; it can only answer questions"),
    ],
)
def test_it_is_refused_and_the_model_is_not_asked(tasks, asked, says):
    model = ScriptedModel(tasks=tasks)
    (reply,) = answers(model, [asked])
    assert reply.status is ReplyStatus.REFUSED and says in reply.message and not model.asked


def test_where_something_is_can_be_told_by_a_model_that_only_finds():
    (reply,) = answers(ScriptedModel(tasks=FIND), [request(Task.ASK, "where is the mug?")])
    assert reply.status is ReplyStatus.OK and len(reply.grounded) == 1


@pytest.mark.parametrize(
    ("text", "score", "status"),
    [
        ("What is this?", 0.9, ReplyStatus.OK),
        ("describe that object", 0.9, ReplyStatus.OK),
        ("What is this?", 0.3, ReplyStatus.UNSURE),
        ("What is this for?", 0.9, ReplyStatus.REFUSED),
    ],
)
def test_what_a_region_shows_can_be_told_by_a_model_that_only_describes(text, score, status):
    model = ScriptedModel(
        lambda asked: replace(said(asked, ReplyStatus.OK, score=score), message="", text="a red mug"),
        tasks=frozenset([Task.FIND, Task.DESCRIBE]),
    )
    region = Region.from_box([1, 1, 20, 20])
    (reply,) = answers(model, [request(Task.ASK, text, regions=(region,), min_score=0.5)])
    assert (reply.task, reply.status) == (Task.ASK, status)
    assert (reply.text == "a red mug") == (status is not ReplyStatus.REFUSED)


def test_a_model_of_single_images_is_not_shown_the_newest_twice():
    model = ScriptedModel(uses_newest_frame_only=True)
    answers(model, [request(Task.FIND, newest=1)])
    assert len(model.asked) == 1


@pytest.mark.parametrize(("own", "is_sure"), [(None, False), (0.3, True), (0.5, False)])
def test_the_cut_off_of_the_model_itself_holds(own, is_sure):
    model = ScriptedModel(lambda asked: found(asked, score=0.4), min_score=own)
    (reply,) = answers(model, [request(Task.FIND)])
    assert reply.is_sure(0.5) is is_sure


@pytest.mark.parametrize(
    ("boxes", "scores"),
    [
        ([[1, 1, 9, 9]], []),
        ([1, 1, 9, 9], [0.5]),
        ([[1, 1, np.nan, 9]], [0.5]),
        ([[9, 1, 1, 9]], [0.5]),
    ],
)
def test_candidates_of_a_wrong_form_fail_the_reply(boxes, scores):
    values = {"candidates_xyxy": np.array(boxes, float), "candidate_scores": np.array(scores, float)}
    (reply,) = answers(ScriptedModel(lambda asked: found(asked, **values)), [request(Task.FIND)])
    assert reply.status is ReplyStatus.FAILED and "candidate" in reply.message

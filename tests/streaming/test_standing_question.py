"""When a standing question is asked again."""

import numpy as np
import pytest

from vitron_ros.clock import SECOND_NS
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelRequest, Task
from vitron_ros.streaming.standing_question import StandingQuestion

REQUEST = ModelRequest(id="door", task=Task.ASK, frames=(), text="is somebody at the door?")


def question(duration_s=0, now_ns=0):
    return StandingQuestion(REQUEST, tries=3, duration_ns=duration_s * SECOND_NS, now_ns=now_ns)


def frame():
    return Frame(rgb=np.zeros((2, 2, 3), np.uint8), stamp_ns=1)


def test_it_is_asked_again_once_it_is_answered():
    asked = question()
    assert asked.next_request().id == "door 1"
    assert asked.accept(frame())
    assert asked.next_request() is None
    asked.answered()
    assert asked.next_request().id == "door 2"


@pytest.mark.parametrize("is_new", [False, True])
def test_it_waits_for_an_image_that_it_was_not_asked_with(is_new):
    asked, image = question(), frame()
    asked.accept(image)
    asked.answered()
    for newest in (None, image):
        assert asked.next_request() is not None
        assert not asked.accept(newest)
    assert asked.next_request() is not None
    assert asked.accept(frame() if is_new else image) is is_new


def test_it_is_over_after_its_duration_and_without_one_never():
    assert not question().is_over(10**6 * SECOND_NS)
    asked = question(duration_s=5, now_ns=100 * SECOND_NS)
    assert not asked.is_over(104 * SECOND_NS)
    assert asked.is_over(105 * SECOND_NS)


def test_a_clock_that_begins_anew_does_not_make_it_longer():
    asked = question(duration_s=5, now_ns=100 * SECOND_NS)
    assert not asked.is_over(0)
    assert asked.is_over(5 * SECOND_NS)

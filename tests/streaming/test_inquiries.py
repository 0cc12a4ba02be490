"""Open questions of one camera."""

import gc
import weakref

import numpy as np
import pytest

from vitron_ros.frame import Frame
from vitron_ros.grounding.request import Task
from vitron_ros.streaming.inquiries import Inquiries


@pytest.fixture
def no_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("end", ["close", "withdraw"])
def test_the_images_of_a_question_go_when_it_has_ended(no_collector, end):
    """A request that knew its inquiry, which knew its request, held 7 MB a question until the collector came by."""
    inquiries = Inquiries("")
    frame = Frame(rgb=np.zeros((4, 4, 3), np.uint8), stamp_ns=1)
    image = weakref.ref(frame.rgb)
    request = inquiries.ask(("goal", "a"), Task.FIND, (frame,), text="a mug")
    if end == "close":
        assert inquiries.close(request.id) == ("goal", "a")
    else:
        inquiries.withdraw(("goal", "a"))
        assert request.is_cancelled()
    del frame, request
    assert image() is None


def test_withdrawing_is_heard_by_the_newer_clip_of_the_same_question():
    inquiries = Inquiries("")
    frames = [Frame(rgb=np.zeros((4, 4, 3), np.uint8), stamp_ns=stamp_ns) for stamp_ns in (1, 2)]
    first = inquiries.ask(("goal", "a"), Task.FIND, (frames[0],), text="a mug")
    second = inquiries.ask(("goal", "a"), Task.FIND, tuple(frames), text="a mug")
    assert (second.id, len(second.frames)) == (first.id, 2)
    assert not second.is_cancelled()
    inquiries.withdraw_all()
    assert first.is_cancelled()
    assert second.is_cancelled()

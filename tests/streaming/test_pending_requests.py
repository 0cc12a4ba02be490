"""Open questions of one camera."""

import gc
import weakref

import numpy as np
import pytest

from vitron_ros.frame import Frame
from vitron_ros.grounding.request import Task
from vitron_ros.streaming.pending_requests import PendingRequests


@pytest.fixture
def no_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("end", ["close", "withdraw"])
def test_the_images_of_a_question_go_when_it_has_ended(no_collector, end):
    """A cycle between the two held 7 MB a question until the garbage collector ran."""
    pending = PendingRequests("")
    frame = Frame(rgb=np.zeros((4, 4, 3), np.uint8), stamp_ns=1)
    image = weakref.ref(frame.rgb)
    request = pending.ask(("goal", "a"), Task.FIND, (frame,), text="a mug")
    if end == "close":
        assert pending.close(request.id) == ("goal", "a")
    else:
        pending.withdraw(("goal", "a"))
        assert request.is_cancelled()
    del frame, request
    assert image() is None


def test_withdrawing_is_heard_by_the_newer_clip_of_the_same_question():
    pending = PendingRequests("")
    frames = [Frame(rgb=np.zeros((4, 4, 3), np.uint8), stamp_ns=stamp_ns) for stamp_ns in (1, 2)]
    first = pending.ask(("goal", "a"), Task.FIND, (frames[0],), text="a mug")
    second = pending.ask(("goal", "a"), Task.FIND, tuple(frames), text="a mug")
    assert (second.id, len(second.frames)) == (first.id, 2)
    assert not second.is_cancelled()
    pending.withdraw_all()
    assert first.is_cancelled()
    assert second.is_cancelled()

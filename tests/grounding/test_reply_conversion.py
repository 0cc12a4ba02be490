"""What a reply says, in pixels and in a word."""

import numpy as np
import pytest

from tests.fakes import frame
from vitron_ros.grounding.reply_conversion import boxes_of, named_boxes, status_of, text_before_tags
from vitron_ros.grounding.request import ReplyStatus, Task
from vitron_ros.model.parsing import parse_reply

NAN = [float("nan")] * 4


@pytest.mark.parametrize(
    ("task", "count", "text", "status", "boxes"),
    [
        (Task.FIND, 1, "[10,20,30,40]", ReplyStatus.OK, [[6.4, 9.6, 19.2, 19.2]]),
        (Task.FIND, 1, "Frame 1: [10,20,30,40].", ReplyStatus.OK, [[6.4, 9.6, 19.2, 19.2]]),
        (Task.FIND, 1, "none", ReplyStatus.ABSENT, [NAN]),
        (Task.FIND, 1, "Frame 1: none.", ReplyStatus.ABSENT, [NAN]),
        (Task.FIND, 1, "[10,20,30", ReplyStatus.UNREADABLE, [NAN]),
        (Task.FIND, 1, "[10,20,30,400]", ReplyStatus.UNREADABLE, [NAN]),
        (Task.FIND, 1, "It is there.", ReplyStatus.UNREADABLE, [NAN]),
        (Task.FIND, 1, "", ReplyStatus.UNREADABLE, [NAN]),
        (Task.FIND, 2, "Frame 1: [0,0,50,50], Frame 2: none.", ReplyStatus.OK, [[0, 0, 32, 24], NAN]),
        (Task.FOLLOW, 2, "Frame 2: [0,0,50,50].", ReplyStatus.OK, [NAN, [0, 0, 32, 24]]),
        (Task.FOLLOW, 2, "none", ReplyStatus.ABSENT, [NAN, NAN]),
        (Task.FOLLOW, 2, "Frame 1: none, Frame 2: none.", ReplyStatus.ABSENT, [NAN, NAN]),
        # A gap is no absence.
        (Task.FOLLOW, 2, "Frame 1: none, Frame 2: [0,0,", ReplyStatus.UNREADABLE, [NAN, NAN]),
        (Task.FIND, 2, "[0,0,50,50]", ReplyStatus.UNREADABLE, [NAN, NAN]),
        (Task.FIND, 2, "Frame 7: [0,0,50,50].", ReplyStatus.UNREADABLE, [NAN, NAN]),
        (Task.FIND, 2, "Frame 1: [50,50,50,50].", ReplyStatus.UNREADABLE, [NAN, NAN]),
        (Task.ASK, 1, "red", ReplyStatus.OK, None),
        (Task.ASK, 1, "None.", ReplyStatus.ABSENT, None),
        (Task.ASK, 1, "  ", ReplyStatus.UNREADABLE, None),
        (Task.ASK, 2, "Sure. <module>B</module>", ReplyStatus.UNREADABLE, None),
        (Task.ASK, 1, "At [1,2,3", ReplyStatus.UNREADABLE, None),
    ],
)
def test_status_and_boxes(task, count, text, status, boxes):
    reply = parse_reply(text)
    assert status_of(task, "stop", reply, count) is status
    if boxes is not None:
        found = boxes_of(reply, [frame(index) for index in range(count)])
        np.testing.assert_allclose(found, boxes)
        assert found.shape == (count, 4)


@pytest.mark.parametrize(
    ("finish", "status"), [("cancelled", ReplyStatus.CANCELLED), ("deadline", ReplyStatus.DEADLINE)]
)
def test_an_answer_that_was_cut_off_is_none(finish, status):
    assert status_of(Task.FIND, finish, parse_reply("[10,20,30,40]"), 1) is status


def test_each_frame_has_its_own_size():
    frames = [frame(0, width=100, height=200), frame(1, width=300, height=50)]
    boxes = boxes_of(parse_reply("Frame 1: [10,10,20,20], Frame 2: [10,10,20,20]."), frames)
    np.testing.assert_allclose(boxes, [[10, 20, 20, 40], [30, 5, 60, 10]])


def test_named_boxes_are_each_named_once_the_invocations_first():
    text = "a star: [1,2,3,4], a ring: [5,6,7,8], [1,2,3,4] <module>B</module><instruction>cut: it</instruction>"
    assert named_boxes(parse_reply(text)) == [(0.01, 0.02, 0.03, 0.04), (0.05, 0.06, 0.07, 0.08)]
    text += "<region>[20,20,40,40]</region>"
    assert named_boxes(parse_reply(text))[0] == (0.2, 0.2, 0.4, 0.4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I will cut it out.", "I will cut it out."),
        ("I will cut it out. <", "I will cut it out."),
        ("I will cut it out. <mod", "I will cut it out."),
        ("I will cut it out. </", "I will cut it out."),
        ("I will cut it out. <module>Image", "I will cut it out."),
        ("2 < 3 stars", "2 < 3 stars"),
        ("", ""),
    ],
)
def test_what_is_spoken_has_no_tags(text, words):
    assert text_before_tags(text) == words

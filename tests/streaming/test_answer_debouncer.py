"""When a standing question has a new answer."""

import pytest

from vitron_ros.grounding.request import ModelReply, ReplyStatus, Task
from vitron_ros.streaming.answer_debouncer import AnswerDebouncer


def reply(text, status=ReplyStatus.OK):
    return ModelReply(id="q", task=Task.ASK, status=status, text=text)


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        pytest.param(["no"] * 5, ["no"], id="nothing happens"),
        pytest.param(["no", "no", "yes", "yes", "yes"], ["no", "yes"], id="somebody enters"),
        pytest.param(["no", "no", "yes", "no", "no"], ["no"], id="a slip"),
        pytest.param(["no", "yes"] * 4, [], id="never twice the same"),
        pytest.param(["no", "no", "yes", "yes", "no", "no"], ["no", "yes", "no"], id="and leaves again"),
        pytest.param(["No.", "no", "NO", "no!"], ["no"], id="the same words"),
        pytest.param(["a cat", "a cat", "a cat and a dog", "a cat and a dog"], ["a cat", "a cat and a dog"], id="more"),
    ],
)
def test_a_new_answer_is_told_once_when_it_was_given_twice(heard, told):
    answers = AnswerDebouncer(tries=3)
    assert [text for text in heard if answers.update(reply(text))] == told


def test_what_fails_in_between_is_not_an_answer():
    answers = AnswerDebouncer(tries=3)
    heard = [
        reply("no"),
        reply("no"),
        reply("", ReplyStatus.FAILED),
        reply("yes"),
        reply("?", ReplyStatus.UNREADABLE),
        reply("yes"),
    ]
    assert [item.text for item in heard if answers.update(item)] == ["no", "yes"]


def test_it_is_given_up_after_so_many_failures_in_a_row_or_if_it_is_not_understood():
    answers = AnswerDebouncer(tries=2)
    story = [ReplyStatus.FAILED, ReplyStatus.OK, ReplyStatus.DEADLINE, ReplyStatus.FAILED]
    failed = []
    for status in story:
        answers.update(reply("no", status))
        failed.append(answers.has_failed(reply("no", status)))
    assert failed == [False, False, False, True]
    assert AnswerDebouncer(tries=9).has_failed(reply("", ReplyStatus.UNKNOWN))


def test_a_question_that_was_withdrawn_or_waits_is_no_failure():
    answers = AnswerDebouncer(tries=1)
    answers.update(reply("", ReplyStatus.CANCELLED))
    assert not answers.has_failed(reply("", ReplyStatus.CANCELLED))

"""A judge's replies are read strictly, what cannot be read is counted, and who judged is part of the figures."""

import json

import pytest

from tests.grounding.families.fake_server import FakeServer, status
from vitron_ros.errors import MetricError, ModelError
from vitron_ros.evaluation.metrics.judge import (
    PROMPT,
    Judge,
    exact_match_judge,
    judged,
    judged_figures,
    read_verdict,
    server_judge,
)


@pytest.mark.parametrize(
    ("reply", "is_right", "score"),
    [
        ('{"verdict": "yes", "score": 5}', True, 5),
        ('Sure! {"verdict": "No", "score": 0} Hope that helps.', False, 0),
        ('```json\n{"verdict": "yes",\n "score": 4}\n```', True, 4),
        ("", None, None),
        ("yes, 5", None, None),
        ('{"verdict": "maybe", "score": 3}', None, None),
        ('{"verdict": "yes", "score": 6}', None, None),
        ('{"verdict": "yes", "score": 4.5}', None, None),
        ('{"verdict": "yes", "score": true}', None, None),
        ('{"verdict": "yes", "score": NaN}', None, None),
        ('{"verdict": "yes"}', None, None),
        ('{"verdict": "yes", "score": 5} {"verdict": "no", "score": 0}', None, None),
        ('{"verdict": "yes", "score": 5', None, None),
    ],
)
def test_a_reply_is_a_verdict_or_counted_as_unread(reply, is_right, score):
    verdict = read_verdict(reply)
    assert (verdict.is_right, verdict.score, verdict.reply) == (is_right, score, reply)


def test_unread_verdicts_stay_in_the_denominator():
    replies = ['{"verdict": "yes", "score": 5}', '{"verdict": "no", "score": 1}', "I cannot say", None]
    judge = Judge("scripted", "2", lambda prompts: replies)
    figures = judged_figures(judged(judge, ["q"] * 4, ["t"] * 4, ["a"] * 4))
    assert figures == {"accuracy": 0.25, "score": 3, "accuracy_of_parsed": 0.5, "unparsed": 2}
    assert judge.title == "judge: scripted 2"


def test_the_judge_without_a_model():
    judge = exact_match_judge()
    verdicts = judged(judge, ["what?", "how many?"], ["a dog", "2"], ["Dog.", "three\n{}"])
    assert [(verdict.is_right, verdict.score) for verdict in verdicts] == [(True, 5), (False, 0)]
    assert judged_figures(verdicts)["accuracy"] == 0.5


def test_a_server_judges_and_its_failures_are_counted():
    def grade(body):
        assert body["temperature"] == 0
        ((part,),) = (message["content"] for message in body["messages"])
        assert part["text"].startswith(PROMPT)
        is_right = json.loads(part["text"].splitlines()[-1])["answer"] == "dog"
        return json.dumps({"verdict": "yes" if is_right else "no", "score": 5 * is_right})

    with FakeServer(grade) as server:
        judge = server_judge(server.url)
        verdicts = judged(judge, ["q"] * 2, ["dog"] * 2, ["dog", "cat"])
        server.faults.append(status("400 Bad Request"))
        verdicts += judged(judge, ["q"], ["dog"], ["dog"])
        figures = judged_figures(verdicts)
    assert (figures["accuracy"], figures["unparsed"]) == (pytest.approx(1 / 3), 1)
    assert judge.name == server.models[0]["id"]


def test_a_server_that_is_not_there_is_an_error():
    with pytest.raises(ModelError):
        server_judge("http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: judged(exact_match_judge(), ["q"], ["t"], []), "questions 1, true 1, answers 0"),
        (lambda: judged(Judge("short", "1", lambda prompts: []), ["q"], ["t"], ["a"]), "0 replies to 1 prompts"),
        (lambda: judged_figures([]), "nothing to score"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(MetricError, match=words):
        call()

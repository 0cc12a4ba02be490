"""Questions to a server that has every fault: each ends with a sentence, and those beside it are answered."""

import itertools
import logging
import threading
import time

import pytest

from tests.grounding.families.fake_server import (
    FakeServer,
    closed,
    event,
    half,
    half_stream,
    huge,
    silence,
    status,
    token,
    trickle,
)
from vitron_ros.errors import ModelError
from vitron_ros.grounding.families.chat_client import ChatClient, ChatRequest, CutOff
from vitron_ros.grounding.families.chat_protocol import Completion, Token, retry_after_s

KEY = "sk-a-secret-key"
PATIENCE_S = 20.0


@pytest.fixture
def server():
    with FakeServer(lambda body: body["text"]) as server:
        yield server


@pytest.fixture
def client(server):
    client = ChatClient(server.url, key=KEY, max_requests=4)
    yield client
    client.close()


def question(text="yes", left_s=60.0, **terms):
    return ChatRequest(body={"text": text}, deadline_ns=time.monotonic_ns() + int(left_s * 1e9), **terms)


@pytest.fixture
def timed(server):
    """Asks texts by a clock that stands still until the server has heard "late", the only text that is late then."""

    def now_ns():
        return 2 * 10**9 if any(exchange.body["text"] == "late" for exchange in server.asked) else 0

    client = ChatClient(server.url, key="", max_requests=4, now_ns=now_ns)
    yield lambda *texts: client.ask(
        [ChatRequest(body={"text": text}, deadline_ns=10**9 if text == "late" else 10**10) for text in texts]
    )
    client.close()


def test_questions_are_answered_side_by_side_in_their_order(server, client):
    server.latency_s = 0.05
    assert client.ask([question(str(n)) for n in range(8)]) == [Completion(text=str(n)) for n in range(8)]
    assert client.ask([]) == []


def test_log_probabilities_come_with_the_answer(server, client):
    server.logprobs = token({"yes": 1.0})
    assert client.ask([question()]) == [Completion(text="yes", tokens=(Token("yes", 0.0, (Token("yes", 0.0),)),))]


@pytest.mark.parametrize("logprobs", [{"content": None}, {"content": [{"token": "a"}]}, {"content": 3}, {"content": [
    {"token": "a", "logprob": "x"}]}, []])  # fmt: skip
def test_log_probabilities_that_cannot_be_read_are_none(server, client, logprobs):
    server.logprobs = logprobs
    assert client.ask([question()]) == [Completion(text="yes")]


def test_a_text_grows(server, client):
    seen = []
    (answer,) = client.ask([question("the red mug", on_text=seen.append)])
    assert answer.text == seen[-1] == "the red mug"
    assert len(seen) > 1 and all(after.startswith(before) for before, after in itertools.pairwise(seen))


PAGE = b"<html><body>Bad gateway</body></html>"
FAULTS = {
    "busy": (status("429 Too Many Requests"), "too busy (429 Too Many Requests)"),
    "unavailable": (status("503 Service Unavailable", PAGE), "too busy (503 Service Unavailable)"),
    "busy for longer than the deadline": (status("429 Too Many Requests", Retry_After="3600"), "too busy"),
    "busy, with a strange time": (status("429 Too Many Requests", Retry_After="soon"), "too busy"),
    "a page for a browser": (status("502 Bad Gateway", PAGE), "does not answer (502 Bad Gateway)"),
    "a page as an answer": (status("200 OK", PAGE), "is the address that of the API, such as http://host:8000/v1?"),
    "no API there": (
        status("404 Not Found", {"detail": "Not Found"}),
        "(404 Not Found): Not Found; is the address that",
    ),
    "its own words": (status("500 Internal Server Error", {"error": {"message": "out of\nmemory"}}), "out of memory"),
    "other words": (status("500 Internal Server Error", {"object": "error", "message": "overheated"}), "overheated"),
    "words in detail": (status("500 Internal Server Error", {"detail": [{"msg": "x"}]}), "[{'msg': 'x'}]"),
    "the key in its words": (status("401 Unauthorized", {"error": {"message": f"wrong: {KEY}"}}), "wrong: ***"),
    "another address": (status("307 Temporary Redirect", Location="http://10.0.0.1/"), "another address"),
    "no such model": (status("404 Not Found", {"message": "The model x does not exist."}), "x does not exist"),
    "half an answer": (half, "broke before the answer was there"),
    "closed": (closed, "broke before the answer was there"),
    "huge": (huge, "longer than 4 MiB"),
    "no choices": (status("200 OK", {"choices": []}), "no choices"),
    "a list": (status("200 OK", b"[1]"), "not a JSON object"),
    "deep": (status("200 OK", b'{"a":' * 100_000), "is not JSON"),
    "no text": (status("200 OK", {"choices": [{"message": {"content": 3}}]}), "has no text"),
    "no message": (status("200 OK", {"choices": [{}]}), "has no text"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_costs_one_question_and_is_named(server, client, caplog, name):
    fault, words = FAULTS[name]
    server.faults.append(fault)
    (answer,) = client.ask([question()])
    assert isinstance(answer, CutOff) and answer.kind == "failed"
    assert words in answer.message and KEY not in answer.message + caplog.text
    assert "\n" not in answer.message and len(answer.message) < 400
    assert client.ask([question()]) == [Completion(text="yes")]


STREAMED = {
    "half": (half_stream, "broke off in the middle"),
    "an error": (status("200 OK", b'data: {"error": {"message": "gone"}}\n\n'), "failed while it answered: gone"),
    "no JSON": (status("200 OK", b"data: {{\n\n"), "is not JSON"),
    "nothing": (status("200 OK", b""), "broke off"),
    "not streamed": (status("200 OK", {"choices": [{"message": {"content": "yes"}}]}), "broke off"),
}


@pytest.mark.parametrize("name", STREAMED)
def test_a_fault_of_a_stream_is_named(server, client, name):
    fault, words = STREAMED[name]
    server.faults.append(fault)
    (answer,) = client.ask([question(on_text=lambda text: None)])
    assert isinstance(answer, CutOff) and words in answer.message


def test_a_stream_may_have_comments_counts_and_odd_ends_of_lines(server, client):
    parts = [b": ping\r\n\r\n", event({"content": "a"}), b'data: {"choices": []}\n\n', event({"content": None})]
    server.faults.append(status("200 OK", b"".join([*parts, event({"content": "b"}, "stop").replace(b"\n", b"\r\n")])))
    assert client.ask([question(on_text=lambda text: None)]) == [Completion(text="ab")]


def test_a_body_that_the_server_does_not_take_is_told_apart(server, client):
    server.faults.append(status("400 Bad Request", {"error": {"message": "unknown field logprobs"}}))
    (answer,) = client.ask([question()])
    assert answer.kind == "bad request" and "unknown field logprobs" in answer.message


def test_a_busy_server_is_asked_again_when_it_says(server, client):
    server.faults += [status("429 Too Many Requests", Retry_After="0"), status("503 Busy", Retry_After="0")]
    assert client.ask([question()]) == [Completion(text="yes")]
    assert len(server.asked) == 3


@pytest.mark.parametrize("fault", [silence, trickle, half, closed])
def test_what_may_have_cost_the_server_something_is_not_asked_again(server, timed, fault):
    server.faults.append(fault)
    timed("late")
    timed("other")
    assert [exchange.body["text"] for exchange in server.asked] == ["late", "other"]


@pytest.mark.parametrize("fault", [silence, trickle])
def test_a_late_answer_ends_at_the_deadline_and_the_server_sees_it(server, timed, fault):
    async def if_late(exchange):
        await (fault if exchange.body["text"] == "late" else server.reply_to)(exchange)

    server.faults += [if_late, if_late]
    assert timed("late", "other") == [CutOff(kind="deadline"), Completion(text="other")]
    late, other = sorted(server.asked, key=lambda exchange: exchange.body["text"])
    assert late.is_gone.wait(PATIENCE_S) and not other.is_gone.is_set()


def test_a_cancelled_question_ends_and_the_server_sees_it(server, client):
    server.faults.append(silence)
    assert client.ask([question(is_cancelled=lambda: bool(server.asked))]) == [CutOff(kind="cancelled")]
    assert server.asked[0].is_gone.wait(PATIENCE_S)


def test_what_is_cancelled_or_too_late_already_is_not_sent(server, client):
    answers = client.ask([question(is_cancelled=lambda: True), question(left_s=-1)])
    assert [answer.kind for answer in answers] == ["cancelled", "deadline"] and not server.asked


def test_a_callback_that_fails_costs_its_own_question(server, client):
    def fail(*arguments):
        raise ValueError("no")

    server.latency_s = 0.05
    answers = client.ask([question(on_text=fail), question(is_cancelled=fail), question()])
    assert [getattr(answer, "kind", "") for answer in answers] == ["failed", "failed", ""]
    assert "the caller's on_text raised ValueError: no" in answers[0].message


def test_a_callback_may_ask_in_turn(server, client):
    inner = []
    client.ask([question(on_text=lambda text: inner.extend(client.ask([question("inner")])))])
    assert inner == [Completion(text="inner")]


def test_a_server_that_is_gone_for_some_time_is_waited_for():
    with FakeServer(lambda body: body["text"]) as server:
        client = ChatClient(server.url, key="", max_requests=4)
        assert client.ask([question()]) == [Completion(text="yes")]
    answers = iter(lambda: client.ask([question(left_s=0.5)])[0], None)
    answer = next(answer for answer in answers if answer.kind != "deadline")  # not before it tried to connect
    assert answer.kind == "failed" and f"cannot connect to {server.url}" in answer.message
    back = threading.Timer(0.2, lambda: server.__enter__())
    back.start()
    assert client.ask([question()]) == [Completion(text="yes")]
    back.join()
    server.__exit__()
    client.close()


def test_the_server_is_never_asked_more_than_was_agreed(server):
    client = ChatClient(server.url, key="", max_requests=2)
    server.least_at_once, server.latency_s = 2, 0.02
    client.ask([question(str(n)) for n in range(6)])
    assert server.most_at_once == 2
    client.close()


def test_closing_ends_the_thread_and_open_questions(server):
    client = ChatClient(server.url, key="", max_requests=2)

    async def close(exchange):
        threading.Thread(target=client.close).start()
        await silence(exchange)

    server.faults.append(close)
    (answer,) = client.ask([question()])
    client._thread.join(PATIENCE_S)
    assert answer.kind == "failed" and not client._thread.is_alive()


def test_a_forgotten_client_leaves_no_thread(server):
    client = ChatClient(server.url, key="", max_requests=2)
    client.ask([question()])
    thread = client._thread
    del client
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_the_key_is_sent_and_never_logged(server, client, caplog):
    caplog.set_level(logging.DEBUG)
    client.ask([question()])
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}" and KEY not in caplog.text


def test_the_environment_has_no_say(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    client = ChatClient(server.url, key="", max_requests=1)
    assert client.ask([question()]) == [Completion(text="yes")]
    client.close()


@pytest.mark.parametrize("models", [[], [{"root": "x"}], [3], "x", None])
def test_a_server_without_models_is_named(server, client, models):
    server.models = models
    with pytest.raises(ModelError, match="lists no model"):
        client.models()


@pytest.mark.parametrize("value, seconds", [(None, None), ("3", 3), ("0.5", 0.5), ("-1", 0), ("soon", None),
    ("nan", None), ("inf", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("", None)])  # fmt: skip
def test_a_time_to_wait_is_seconds_or_a_date(value, seconds):
    assert retry_after_s(value) == seconds

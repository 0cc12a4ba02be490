"""The model in a recording's own time: it answers at once, and its reply is held back for as long as it would take."""

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from vitron_ros.errors import ConfigError
from vitron_ros.grounding.request import LanguageVision, ModelReply, ModelRequest
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.request_queue import Answered, Item, RequestQueue, gathering_ns

Latency = Callable[[float], float]  # s that a call took on this machine -> s that it takes in the recording's time
Receive = Callable[[ModelRequest, ModelReply], None]

MEASURED = "measured"


def fixed(seconds: float) -> Latency:
    """The same for every call."""
    return lambda measured_s: seconds


def read_latency(text: str) -> Latency:
    """The latency that a text describes.

    `fixed:0.2`: 0.2 s a call. `file:PATH`: one number of seconds a line, call after call, from the start again at the
    end. `measured`: what each call takes here and now, so that two runs differ.

    Raises:
        ConfigError: it is none of these, or a number is not one.
    """
    kind, _, rest = text.partition(":")
    if text == MEASURED:
        return lambda measured_s: measured_s
    if kind == "fixed":
        return fixed(_seconds(rest, text))
    if kind == "file":
        try:
            lines = Path(rest).read_text("utf-8-sig").split()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the latencies {rest}: {error}") from error
        if not lines:
            raise ConfigError(f"{rest} has no latencies; write one number of seconds a line")
        turns = itertools.cycle([_seconds(line, text) for line in lines])
        return lambda measured_s: next(turns)
    raise ConfigError(f"there is no latency {text!r}; give fixed:SECONDS, file:PATH or {MEASURED}")


def _seconds(word: str, text: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ConfigError(f"latency {text}: {word!r} is not a number of seconds")
    return seconds


class ReplayedModel:
    """Behaves as the model's worker does, but by the clock of the recording: one batch at a time, the newest clips."""

    def __init__(self, model: LanguageVision, latency: Latency, timeout_ns: int) -> None:
        self._model = model
        self._latency = latency
        self._queue = RequestQueue(timeout_ns)
        self._due_ns = self._free_ns = self._asked_ns = 0
        self._began_ns = 0
        self._batch: list[Item] = []
        self._replies: list[ModelReply] = []

    def submit(self, requests: Iterable[ModelRequest], now_ns: int) -> None:
        """Ask; an idle model begins at once, but for a moment after its last batch in which others may ask, too."""
        for request in requests:
            self._queue.offer(request, _nobody, now_ns)
        self._asked_ns = now_ns
        if not self._batch and self._free_ns <= now_ns:
            self._begin(now_ns)

    def run_until(self, now_ns: int, receive: Receive) -> None:
        """Let time pass and hand out the replies that are due."""
        while True:
            if self._batch and self._due_ns <= now_ns:
                batch, self._batch = self._batch, []
                self._free_ns = self._due_ns + gathering_ns(self._due_ns - self._began_ns)
                _hand_out(self._queue.finish(batch, self._replies), receive)
            elif not self._batch and len(self._queue) and self._free_ns <= now_ns:
                self._begin(max(self._free_ns, self._asked_ns))
            else:
                break
        _hand_out(self._queue.expire(now_ns), receive)

    def _begin(self, now_ns: int) -> None:
        self._batch = self._queue.take(self._model.max_requests)
        if self._batch:
            self._began_ns = now_ns
            started = time.perf_counter()
            # The deadline is in the recording's time, which the model does not know; the queue keeps it.
            self._replies = answers(self._model, [_without_deadline(item.request) for item in self._batch])
            self._due_ns = now_ns + round(self._latency(time.perf_counter() - started) * 1e9)


def _without_deadline(request: ModelRequest) -> ModelRequest:
    return replace(request, deadline_ns=None)


def _nobody(request: ModelRequest, reply: ModelReply) -> None:
    """Replies are handed out by `run_until`."""


def _hand_out(answered: list[Answered], receive: Receive) -> None:
    for item, reply in answered:
        receive(item.request, reply)

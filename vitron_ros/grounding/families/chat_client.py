"""Questions to a server from any thread, many side by side; each has a deadline and can be cancelled."""

import asyncio
import contextlib
import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Literal

from vitron_ros.errors import CallbackError, ModelError
from vitron_ros.grounding.families.chat_http import BadRequestError, Body, ChatHttp
from vitron_ros.grounding.families.chat_protocol import Completion, ServedModel

logger = logging.getLogger(__name__)

POLL_S = 0.02  # between two looks whether a question was cancelled or is too late
LONGEST_S = 120.0  # for a question without a deadline; a server that compiles at its first one takes half a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A question; the terms are those of a `ModelRequest`."""

    body: Body
    deadline_ns: int | None = None
    is_cancelled: Callable[[], bool] = lambda: False
    on_text: Callable[[str], None] | None = None


Kind = Literal["cancelled", "deadline", "failed", "bad request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """Why a question has no answer."""

    kind: Kind
    message: str = ""


Answer = Completion | CutOff


class ChatClient:
    """Speaks with one server, in an event loop with a thread of its own. Any threads may ask side by side.

    What callers hand in, `is_cancelled` and `on_text`, is called by the thread that asks: the loop never waits for it.

    Args:
        url, key, max_requests: as of `ChatHttp`.
        now_ns: the clock that deadlines are on.
    """

    def __init__(self, url: str, *, key: str, max_requests: int, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._now_ns = now_ns
        self._http = ChatHttp(url, key=key, max_requests=max_requests)
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=_serve, args=(self._http, started), name="model server", daemon=True)
        self._thread.start()
        self._loop, stopped = started.result()
        self._stop = weakref.finalize(self, self._loop.call_soon_threadsafe, stopped.set)

    def models(self, timeout_s: float = 10.0) -> list[ServedModel]:
        """What the server serves.

        Raises:
            ModelError: it cannot be reached, refuses, or answers something else.
        """
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(self._http.models(), timeout_s), self._loop)
        try:
            return future.result()
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise ModelError(f"the server has not listed its models within {timeout_s:g} s") from error

    def ask(self, requests: Sequence[ChatRequest]) -> list[Answer]:
        """Answers in the order of the requests. What goes wrong with one costs that one alone."""
        events: SimpleQueue[tuple[int, str | None]] = SimpleQueue()
        questions = [_PendingCompletion(request, self._now_ns()) for request in requests]
        try:
            for index, question in enumerate(questions):
                question.check(self._now_ns())
                if question.answer is None:
                    question.future = self._send(question, partial(_tell, events, index))
            while any(question.answer is None for question in questions):
                with contextlib.suppress(Empty):
                    index, text = events.get(timeout=POLL_S)
                    questions[index].hear(text)
                for question in questions:
                    question.check(self._now_ns())
        finally:
            for question in questions:
                question.future.cancel()
        return [question.answer for question in questions if question.answer is not None]

    def close(self) -> None:
        """Close the connections and end the thread; what is still open fails."""
        self._stop()
        self._thread.join()

    def _send(self, question: "_PendingCompletion", tell: Callable[[str | None], None]) -> Future[Completion]:
        ends_ns, request = question.ends_ns, question.request  # a future that knew its question would outlive it
        completion = self._http.complete(
            request.body,
            left_s=lambda: (ends_ns - self._now_ns()) / 1e9,
            on_text=None if request.on_text is None else tell,
        )
        future = asyncio.run_coroutine_threadsafe(completion, self._loop)
        future.add_done_callback(lambda _: tell(None))
        return future


def _tell(events: "SimpleQueue[tuple[int, str | None]]", index: int, text: str | None) -> None:
    events.put((index, text))


class _PendingCompletion:
    """A request on its way. Used by the thread that asks.

    Attributes:
        answer: None: it is not there yet.
    """

    def __init__(self, request: ChatRequest, now_ns: int) -> None:
        self.request = request
        self.ends_ns = now_ns + int(LONGEST_S * 1e9) if request.deadline_ns is None else request.deadline_ns
        self.answer: Answer | None = None
        self.future: Future[Completion] = Future()

    def hear(self, text: str | None) -> None:
        """A text that has grown, or None where the answer is complete or will never be."""
        if self.answer is not None:
            return
        if text is None:
            self.answer = _result(self.future)
        elif self.request.on_text is not None:
            try:
                self.request.on_text(text)
            except Exception as error:  # the caller's code, which may raise anything
                logger.exception("a caller's on_text failed")
                self._cut_off("failed", str(CallbackError("on_text", error)))

    def check(self, now_ns: int) -> None:
        """Give up what nobody wants any more, or what is too late."""
        if self.answer is not None:
            return
        try:
            is_cancelled = self.request.is_cancelled()
        except Exception as error:  # the caller's code
            logger.exception("a caller's is_cancelled failed")
            self._cut_off("failed", str(CallbackError("is_cancelled", error)))
            return
        if is_cancelled:
            self._cut_off("cancelled")
        elif now_ns >= self.ends_ns:
            self._cut_off("deadline")

    def _cut_off(self, kind: Kind, message: str = "") -> None:
        self.answer = CutOff(kind=kind, message=message)
        self.future.cancel()  # closes the connection, at which the server stops


def _result(future: Future[Completion]) -> Answer:
    try:
        return future.result()
    except CancelledError:
        return CutOff(kind="failed", message="the client was closed")
    except BadRequestError as error:
        return CutOff(kind="bad request", message=str(error))
    except ModelError as error:
        return CutOff(kind="failed", message=str(error))


def _serve(http: ChatHttp, started: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
    """Run an event loop until it is told to stop."""

    async def run() -> None:
        stopped = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), stopped))
        await stopped.wait()
        await http.close()

    asyncio.run(run())

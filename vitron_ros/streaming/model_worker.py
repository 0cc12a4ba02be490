"""The thread of the model: takes what waits as one batch, asks, hands the replies out."""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from vitron_ros.clock import SECOND_NS
from vitron_ros.grounding.request import LanguageVision, ModelReply, ModelRequest, ReplyStatus
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.request_queue import Answered, Deliver, Item, RequestQueue, gathering_ns
from vitron_ros.streaming.statistics import percentiles_ms

logger = logging.getLogger(__name__)

WINDOW = 300  # replies
STOP_S = 2.0  # for the model to notice that it is no longer wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """The model over the last window, and its counters since the start. NaN where nothing was measured yet.

    Attributes:
        waiting: requests that the model has not taken yet.
        busy_s: that it has been at its present batch; 0: idle.
        latency_ms: p50, p95, p99 from a request's first offer to its reply.
        batch_ms: p50, p95, p99 of one call.
        replies: by status.
        last_status: of the newest reply that nobody cut off; None: there is none yet.
        last_message: of the newest that was not OK.
    """

    waiting: int
    busy_s: float
    latency_ms: tuple[float, float, float]
    batch_ms: tuple[float, float, float]
    replies: dict[ReplyStatus, int]
    last_status: ReplyStatus | None
    last_message: str


class ModelWorker:
    """Owns one model and the only thread that uses it. Serves all cameras.

    `submit`, `expire`, `summary` and `stop` may be called from any thread. Replies are delivered by the worker's own,
    or by the one that calls `expire` or `stop`; `deliver` must not block.

    Args:
        timeout_s: for a request, from its first offer to its reply, waiting included.
        crashed: called once, after the trace is logged, if the worker dies of a bug.
        clock: ns; of the deadlines that the model is given.
    """

    def __init__(
        self,
        model: LanguageVision,
        *,
        timeout_s: float,
        crashed: Callable[[], None],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.model = model
        self._crashed = crashed
        self._clock = clock
        self._queue = RequestQueue(int(timeout_s * SECOND_NS))
        self._condition = threading.Condition()
        self._stopping = False
        self._busy_since_ns: int | None = None
        self._free_ns = 0
        self._latencies_ns: deque[int] = deque(maxlen=WINDOW)
        self._batches_ns: deque[int] = deque(maxlen=WINDOW)
        self._replies: Counter[ReplyStatus] = Counter()
        self._last_status: ReplyStatus | None = None
        self._last_message = ""
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, request: ModelRequest, deliver: Deliver) -> None:
        """Ask the model. With the id of a request that still waits: give that a newer clip."""
        with self._condition:
            if self._stopping:
                return
            self._queue.offer(request, deliver, self._clock())
            self._condition.notify()

    def expire(self) -> None:
        """Answer what is too old, even while the model hangs. To be called now and then."""
        with self._condition:
            answered = self._queue.expire(self._clock())
            self._count(answered)
        _deliver(answered)

    def stop(self, wait_s: float = STOP_S) -> bool:
        """Withdraw everything and end the thread; False if the model still hangs and the thread was left to itself."""
        with self._condition:
            self._stopping = True
            answered = self._queue.clear()
            self._condition.notify()
        _deliver(answered)
        self._thread.join(wait_s)
        if self._thread.is_alive():
            logger.warning("the model has not come back within %g s; its thread is left to itself", wait_s)
        return not self._thread.is_alive()

    def summary(self) -> ModelSummary:
        with self._condition:
            busy_ns = 0 if self._busy_since_ns is None else self._clock() - self._busy_since_ns
            return ModelSummary(
                waiting=len(self._queue),
                busy_s=busy_ns / SECOND_NS,
                latency_ms=percentiles_ms(self._latencies_ns),
                batch_ms=percentiles_ms(self._batches_ns),
                replies=dict(self._replies),
                last_status=self._last_status,
                last_message=self._last_message,
            )

    def _run(self) -> None:
        try:
            while (batch := self._next_batch()) is not None:
                replies = answers(self.model, [self._wanted(item.request) for item in batch]) if batch else []
                self._hand_out(batch, replies)
        except Exception:
            logger.exception("the model's worker died")
            self._crashed()

    def _next_batch(self) -> list[Item] | None:
        """What to ask next, perhaps nothing; None: it is time to stop."""
        with self._condition:
            self._condition.wait_for(lambda: self._stopping or len(self._queue) > 0)
            self._condition.wait_for(self._is_full, max(0, self._free_ns - self._clock()) / SECOND_NS)
            if self._stopping:
                return None
            expired = self._queue.expire(self._clock())
            self._count(expired)
            batch = self._queue.take(self.model.max_requests)
            self._busy_since_ns = self._clock() if batch else None
        _deliver(expired)
        return batch

    def _is_full(self) -> bool:
        """Nothing is gained by waiting for more questions."""
        return self._stopping or len(self._queue) >= self.model.max_requests

    def _wanted(self, request: ModelRequest) -> ModelRequest:
        return replace(request, is_cancelled=lambda: self._stopping or request.is_cancelled())

    def _hand_out(self, batch: list[Item], replies: list[ModelReply]) -> None:
        with self._condition:
            answered = self._queue.finish(batch, replies)
            self._count(answered)
            if self._busy_since_ns is not None:
                batch_ns = self._clock() - self._busy_since_ns
                self._batches_ns.append(batch_ns)
                self._free_ns = self._clock() + gathering_ns(batch_ns)
            self._busy_since_ns = None
        _deliver(answered)

    def _count(self, answered: list[Answered]) -> None:
        for item, reply in answered:
            self._replies[reply.status] += 1
            self._latencies_ns.append(self._clock() - item.since_ns)
            if reply.status is ReplyStatus.CANCELLED:
                continue
            self._last_status = reply.status
            if reply.status is not ReplyStatus.OK:
                self._last_message = reply.message


def _deliver(answered: list[Answered]) -> None:
    for item, reply in answered:
        try:
            item.deliver(item.request, reply)
        except Exception:  # whoever asked; the others still hear their replies
            logger.exception("the reply to request %s could not be delivered", item.request.id)

"""What a camera's stream has seen so far: counters, rates and latencies."""

import threading
from collections import deque
from dataclasses import dataclass
from statistics import median

import numpy as np

from vitron_ros.clock import SECOND_NS
from vitron_ros.streaming.load_shedding import LoadSheddingLevel

WINDOW = 300  # frames: 10 s at 30 Hz
RECENT = 15  # frames by which the camera's clock is judged: one that has been set right is right again soon


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSummary:
    """The stream over the last window, and its counters since the start. NaN where nothing was measured yet.

    Attributes:
        received: images that came; of these `dropped`, `bad` and `late` were not processed.
        lost: images that were sent and did not come.
        clock_ahead_s: how far the images' stamps are ahead of the clock when they come; behind, if negative.
        silent_after_s: without a usable image, the camera counts as silent.
        last_bad_ns: when the newest image came that could not be read, for the reason `last_error`; 0: none did.
    """

    received: int
    processed: int
    dropped: int
    lost: int
    bad: int
    late: int
    rate_hz: float
    clock_ahead_s: float
    silent_after_s: float
    latency_ms: tuple[float, float, float]  # p50, p95, p99 from image stamp to published track
    step_ms: tuple[float, float, float]  # p50, p95, p99 of decoding and tracking
    last_arrival_ns: int  # of a usable image; 0: none yet
    last_bad_ns: int
    last_error: str
    load_shedding: LoadSheddingLevel = LoadSheddingLevel.NOTHING


class StreamStatistics:
    """Counts one camera's frames. Written by its worker, read by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processed = self._bad = self._late = 0
        self._arrivals: deque[int] = deque(maxlen=WINDOW)
        self._latencies_ns: deque[int] = deque(maxlen=WINDOW)
        self._steps_ns: deque[int] = deque(maxlen=WINDOW)
        self._ages_ns: deque[int] = deque(maxlen=RECENT)
        self._last_bad_ns = 0
        self._last_error = ""

    def frame(self, arrival_ns: int, step_ns: int, stamp_ns: int) -> None:
        """An image was processed. `stamp_ns`: its own; 0: it has none."""
        with self._lock:
            self._processed += 1
            self._arrivals.append(arrival_ns)
            self._steps_ns.append(step_ns)
            if stamp_ns:
                self._ages_ns.append(arrival_ns - stamp_ns)

    def latency(self, latency_ns: int) -> None:
        with self._lock:
            self._latencies_ns.append(latency_ns)

    def bad_frame(self, error: str, arrival_ns: int) -> None:
        """An image could not be read, and why."""
        with self._lock:
            self._bad += 1
            self._last_bad_ns, self._last_error = arrival_ns, error

    def late_frame(self) -> None:
        with self._lock:
            self._late += 1

    @property
    def unusable(self) -> int:
        """Frames that were bad or late."""
        return self._bad + self._late

    def summary(
        self,
        *,
        received: int,
        dropped: int,
        lost: int,
        silent_after_s: float,
        load_shedding: LoadSheddingLevel = LoadSheddingLevel.NOTHING,
    ) -> StreamSummary:
        """Counters of the mailbox, and what the pipeline knows, come from outside."""
        with self._lock:
            span_ns = self._arrivals[-1] - self._arrivals[0] if self._arrivals else 0
            return StreamSummary(
                received=received,
                processed=self._processed,
                dropped=dropped,
                lost=lost,
                bad=self._bad,
                late=self._late,
                rate_hz=(len(self._arrivals) - 1) * SECOND_NS / span_ns if span_ns > 0 else float("nan"),
                clock_ahead_s=-median(self._ages_ns) / SECOND_NS if self._ages_ns else float("nan"),
                silent_after_s=silent_after_s,
                latency_ms=percentiles_ms(self._latencies_ns),
                step_ms=percentiles_ms(self._steps_ns),
                last_arrival_ns=self._arrivals[-1] if self._arrivals else 0,
                last_bad_ns=self._last_bad_ns,
                last_error=self._last_error,
                load_shedding=load_shedding,
            )


def percentiles_ms(durations_ns: "deque[int] | list[int]") -> tuple[float, float, float]:
    """p50, p95 and p99 in milliseconds; NaN of nothing."""
    if not durations_ns:
        return (float("nan"),) * 3
    p50, p95, p99 = np.percentile(np.fromiter(durations_ns, np.float64), [50, 95, 99]) / 1e6
    return float(p50), float(p95), float(p99)

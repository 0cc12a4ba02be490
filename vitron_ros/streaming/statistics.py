"""What a camera's stream has seen so far: counters, rates and latencies."""

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from vitron_ros.streaming.overload import Shed

WINDOW = 300  # frames: 10 s at 30 Hz


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSummary:
    """The stream over the last window, and its counters since the start. NaN where nothing was measured yet."""

    received: int
    processed: int
    dropped: int
    bad: int
    late: int
    rate_hz: float
    latency_ms: tuple[float, float, float]  # p50, p95, p99 from image stamp to published track
    step_ms: tuple[float, float, float]  # p50, p95, p99 of decoding and tracking
    last_arrival_ns: int  # 0: no image yet
    last_error: str
    shed: Shed = Shed.NOTHING


class StreamStatistics:
    """Counts one camera's frames. Written by its worker, read by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processed = self._bad = self._late = 0
        self._arrivals: deque[int] = deque(maxlen=WINDOW)
        self._latencies_ns: deque[int] = deque(maxlen=WINDOW)
        self._steps_ns: deque[int] = deque(maxlen=WINDOW)
        self._last_error = ""

    def frame(self, arrival_ns: int, step_ns: int) -> None:
        with self._lock:
            self._processed += 1
            self._arrivals.append(arrival_ns)
            self._steps_ns.append(step_ns)

    def latency(self, latency_ns: int) -> None:
        with self._lock:
            self._latencies_ns.append(latency_ns)

    def bad_frame(self, error: str) -> None:
        with self._lock:
            self._bad += 1
            self._last_error = error

    def late_frame(self) -> None:
        with self._lock:
            self._late += 1

    @property
    def unusable(self) -> int:
        """Frames that were bad or late."""
        return self._bad + self._late

    def summary(self, received: int, dropped: int, shed: Shed = Shed.NOTHING) -> StreamSummary:
        """Counters of the mailbox come from outside."""
        with self._lock:
            span_ns = self._arrivals[-1] - self._arrivals[0] if self._arrivals else 0
            return StreamSummary(
                received=received,
                processed=self._processed,
                dropped=dropped,
                bad=self._bad,
                late=self._late,
                rate_hz=(len(self._arrivals) - 1) * 1e9 / span_ns if span_ns > 0 else float("nan"),
                latency_ms=percentiles_ms(self._latencies_ns),
                step_ms=percentiles_ms(self._steps_ns),
                last_arrival_ns=self._arrivals[-1] if self._arrivals else 0,
                last_error=self._last_error,
                shed=shed,
            )


def percentiles_ms(durations_ns: "deque[int] | list[int]") -> tuple[float, float, float]:
    """p50, p95 and p99 in milliseconds; NaN of nothing."""
    if not durations_ns:
        return (float("nan"),) * 3
    p50, p95, p99 = np.percentile(np.fromiter(durations_ns, np.float64), [50, 95, 99]) / 1e6
    return float(p50), float(p95), float(p99)

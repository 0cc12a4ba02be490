"""Steps of several trackers beside each other, on the cores that the process may use."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from vitron_ros.tracking.box_tracker import BoxEstimate, BoxTracker, ParallelTracker, View

Step = tuple[BoxTracker, bool]
"""A tracker, and whether it may look for a lost target."""


def step_all(steps: Sequence[Step], view: View) -> list[BoxEstimate]:
    """Every tracker's estimate for the next frame, the same as if one had been stepped after the other.

    Each thread takes its share at once: to hand out one tracker at a time costs more than it evens out.
    """

    def in_turn(part: Sequence[Step]) -> list[BoxEstimate]:
        return [tracker.step(view, redetect=redetect) for tracker, redetect in part]

    count = min(_cores(), len(steps))
    if count < 2 or not all(_is_parallel(tracker) for tracker, _ in steps):
        return in_turn(steps)
    parts = list(_threads().map(in_turn, [steps[first::count] for first in range(count)]))
    return [parts[index % count][index // count] for index in range(len(steps))]


def _is_parallel(tracker: BoxTracker) -> bool:
    return isinstance(tracker, ParallelTracker) and tracker.is_parallel


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _threads() -> ThreadPoolExecutor:
    """For all cameras: they compete for the same cores."""
    return ThreadPoolExecutor(_cores(), thread_name_prefix="tracker")

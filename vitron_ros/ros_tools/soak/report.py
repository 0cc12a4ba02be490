"""What a soak has measured, the rule by which it is judged, and its page. Knows no ROS."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vitron_ros.ros_tools.markdown import table
from vitron_ros.streaming.statistics import percentiles_ms

WARM_UP = 0.2  # of the run
MINUTE_S = 60.0
REST_SAMPLES = 3  # that a line needs after the warm-up
LIMITS = {"heap_mb": 1.0, "threads": 0.25, "files": 0.25, "shared": 0.25}  # growth a minute
NAMES = {"heap_mb": "MB of heap", "threads": "threads", "files": "open files", "shared": "mapped files of /dev/shm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakSample:
    """The node and its stream since the sample before.

    Attributes:
        at_s: from the beginning of the run.
        at_rest: taken after a round, when no goal was open and the camera had been steady.
        shared: files of /dev/shm that the node has mapped.
        sent, published: images shown, and track messages that came back.
        dropped: images that the node says it had no time for.
        load_shedding: the most that it left out.
        ages_ns: of the boxes that came: from when their image was shown to the arrival of their tracks.
        goals_open: of this client.
    """

    at_s: float
    at_rest: bool
    cpu_s: float
    resident_mb: float
    heap_mb: float
    threads: int
    files: int
    shared: int
    sent: int
    published: int
    dropped: int
    load_shedding: int
    ages_ns: tuple[int, ...]
    goals_open: int


def settled(samples: Sequence[SoakSample]) -> list[SoakSample]:
    """The samples at rest after the warm-up."""
    return [sample for sample in samples if sample.at_rest and sample.at_s >= WARM_UP * samples[-1].at_s]


def growth(samples: Sequence[SoakSample], name: str) -> float:
    """Of one attribute, a minute: the slope of the line of least squares. Two samples or more, not all at one time."""
    minutes = np.array([sample.at_s for sample in samples]) / MINUTE_S
    slope, _ = np.polyfit(minutes, [float(getattr(sample, name)) for sample in samples], 1)
    return float(slope)


def broken_rules(samples: Sequence[SoakSample], problems: Sequence[str]) -> list[str]:
    """Why the run is not clean; empty: it is. `problems` are those that were seen while it ran."""
    quiet = settled(samples) if samples else []
    if len(quiet) < REST_SAMPLES:
        return [*problems, f"{len(quiet)} samples at rest are too few to see growth: run it for longer"]
    found = {name: growth(quiet, name) for name in LIMITS}
    return [*problems] + [
        f"{slope:.2f} {NAMES[name]} more per minute, the limit is {LIMITS[name]:g}"
        for name, slope in found.items()
        if slope > LIMITS[name]
    ]


def page(
    command: str, machine: str, samples: Sequence[SoakSample], outcomes: Counter[tuple[str, str]], broken: list[str]
) -> str:
    """The report as Markdown."""
    quiet = settled(samples) if samples else []
    parts = [
        "# Soak test",
        f"    {command}",
        "A perception node with `vitron-tiny` and one camera (15 Hz, circles on a wall) in their own ROS domain. "
        "Faults are injected one after another, in rounds. After each round all goals have ended and the camera is "
        "steady for a moment: a sample **at rest**. Everything is measured from outside the process, every 2 s.",
        f"{machine}. Rounds: {sum(sample.at_rest for sample in samples)}.",
    ]
    if samples:
        parts.append(_stream_table(samples))
    if len(quiet) >= REST_SAMPLES:
        heap = ", ".join(f"{sample.heap_mb:.0f}" for sample in samples if sample.at_rest)
        parts += [
            "At rest, after a warm-up of one fifth of the run:",
            _growth_table(quiet),
            f"MB of heap at rest by round, including the warm-up: {heap}.",
        ]
    counted = Counter[str]()
    for (_, outcome), count in outcomes.items():
        counted[outcome] += count
    parts += [
        "Faults and outcomes:",
        table(
            ("fault", "outcomes"),
            [(case, _counts(outcomes, case)) for case in dict.fromkeys(case for case, _ in outcomes)],
        ),
        f"Total: {', '.join(f'{name} {count}' for name, count in counted.most_common())}.",
        "**Criteria.** At rest nothing grows by more than the limit above; every goal ends with an outcome that its "
        "fault allows; the node stays alive, exits with 0 and leaves no segment in /dev/shm.",
        "**Passed: no leak.**" if not broken else "**Failed.** " + "; ".join(broken) + ".",
    ]
    return "\n\n".join(parts) + "\n"


def _stream_table(samples: Sequence[SoakSample]) -> str:
    end_s = samples[-1].at_s
    length_s = min(MINUTE_S, end_s / 3)
    spans = {"first": 0.0, "middle": (end_s - length_s) / 2, "last": end_s - length_s}

    def within(start_s: float) -> list[SoakSample]:
        """Its samples; the one that is nearest, where a short run has none there."""
        found = [sample for sample in samples if start_s <= sample.at_s <= start_s + length_s]
        return found or [min(samples, key=lambda sample: abs(sample.at_s - start_s - length_s / 2))]

    columns = [_minute(within(start_s)) for start_s in spans.values()]
    header = ("", *(f"{name} {'minute' if length_s == MINUTE_S else f'{length_s:.0f} s'}" for name in spans))
    return table(header, zip(columns[0], *([column[name] for name in columns[0]] for column in columns), strict=True))


def _minute(samples: Sequence[SoakSample]) -> dict[str, str]:
    """The rows of one column; what is counted is counted since the first of the samples, NaN a second of one alone."""
    later = samples[1:]
    elapsed_s = samples[-1].at_s - samples[0].at_s or math.nan
    ages = percentiles_ms([age_ns for sample in later for age_ns in sample.ages_ns])
    return {
        "resident MB, maximum": f"{max(sample.resident_mb for sample in samples):.0f}",
        "heap MB, maximum": f"{max(sample.heap_mb for sample in samples):.0f}",
        "threads": _range([sample.threads for sample in samples]),
        "open files": _range([sample.files for sample in samples]),
        "files of /dev/shm": _range([sample.shared for sample in samples]),
        "images sent per second": f"{sum(sample.sent for sample in later) / elapsed_s:.1f}",
        "tracks published per second": f"{sum(sample.published for sample in later) / elapsed_s:.1f}",
        "images dropped": f"{sum(sample.dropped for sample in later)}",
        "load-shedding level, maximum": f"{max(sample.load_shedding for sample in samples)}",
        "latency p50, p95, p99 ms": ", ".join(f"{age:.0f}" for age in ages),
        "open goals": _range([sample.goals_open for sample in samples]),
        "CPU %": f"{100 * (samples[-1].cpu_s - samples[0].cpu_s) / elapsed_s:.0f}",
    }


def _growth_table(quiet: Sequence[SoakSample]) -> str:
    rows = [
        (
            NAMES[name],
            f"{getattr(quiet[0], name):.0f}",
            f"{getattr(quiet[-1], name):.0f}",
            f"{growth(quiet, name):+.2f}",
            f"{limit:g}",
        )
        for name, limit in LIMITS.items()
    ]
    return table(("", "first", "last", "growth per minute", "limit"), rows)


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def _counts(outcomes: Counter[tuple[str, str]], case: str) -> str:
    return ", ".join(f"{outcome} {count}" for (name, outcome), count in sorted(outcomes.items()) if name == case)

"""Whether one run is better than another: a paired bootstrap over samples.

Frames of one sequence are not independent, so whole samples are drawn, with replacement, the same for both runs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vitron_ros.errors import ConfigError, MetricError, PredictionError
from vitron_ros.evaluation.metrics.checks import finite, same_length
from vitron_ros.evaluation.predictions import Run
from vitron_ros.evaluation.suite import find_suite
from vitron_ros.evaluation.tasks.task import Figures

SAMPLES, SEED = 10_000, 0
INTERVAL = (2.5, 97.5)  # percentiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Of the means of two runs.

    Attributes:
        low, high: 95 % of the bootstrap's differences lie between them.
        p_value: two-sided, how often the bootstrap's difference does not have the sign of this one; in (0, 1].
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float


def paired_bootstrap(first: ArrayLike, second: ArrayLike) -> Difference:
    """The difference second - first of means over samples, (N,) each, in the same order. The same every time.

    Raises:
        MetricError: lengths differ, empty, or not finite.
    """
    a, b = finite(first, "first", (None,)), finite(second, "second", (None,))
    number = same_length(first=a, second=b)
    draws = np.random.default_rng(SEED).integers(0, number, (SAMPLES, number))
    sampled = (b - a)[draws].mean(axis=1)
    low, high = np.percentile(sampled, INTERVAL)
    tail = 1 + min((sampled <= 0).sum(), (sampled >= 0).sum())
    return Difference(
        first=float(a.mean()),
        second=float(b.mean()),
        difference=float((b - a).mean()),
        low=float(low),
        high=float(high),
        p_value=min(1.0, 2 * float(tail) / (1 + SAMPLES)),
    )


def compare_runs(first: Run, second: Run, variant: str | None = None) -> tuple[str, Mapping[str, Difference]]:
    """The variant, and the difference in each of its figures; None: the headline.

    Figures are means over samples; those that a sample lacks in either run are left out of both.

    Raises:
        PredictionError: the runs are of different suites, data or samples, or not the same ones failed.
        MetricError: predictions and truth of a sample do not fit, or every sample failed.
        ConfigError: the suite has no such variant.
    """
    for what, key in (("suites", "suite"), ("data", "data_hash"), ("samples", "names")):
        if getattr(first.header, key) != getattr(second.header, key):
            raise PredictionError(f"the runs are of different {what}; compare runs of the same data set")
    if set(first.failed) != set(second.failed):
        only = sorted(set(first.failed) ^ set(second.failed))
        raise PredictionError(f"{', '.join(only)} failed in one of the runs only; run that again with --retry-failed")
    if not first.predicted:
        raise MetricError("every sample failed in both runs")
    task = find_suite(first.header.suite).task
    variants = [name for name in task.variants(first) if name in task.variants(second)]
    chosen = variant or variants[0]
    if chosen not in variants:
        raise ConfigError(f"{first.header.suite} has no variant {chosen!r}; choose one of {', '.join(variants)}")
    scores = [task.by_sample(run, chosen) for run in (first, second)]
    return chosen, {
        figure: paired_bootstrap(*zip(*pairs, strict=True))
        for figure in next(iter(scores[0].values()))
        if (pairs := list(_pairs(scores[0], scores[1], figure)))
    }


def _pairs(first: Mapping[str, Figures], second: Mapping[str, Figures], figure: str) -> Iterator[tuple[float, float]]:
    for name, figures in first.items():
        one, other = figures.get(figure), second[name].get(figure)
        if one is not None and other is not None:
            yield one, other

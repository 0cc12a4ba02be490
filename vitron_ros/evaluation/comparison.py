"""Whether one run is better than another: a paired bootstrap over sequences.

Frames of one sequence are not independent, so whole sequences are drawn, with replacement, the same for both runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vitron_ros.errors import MetricError, PredictionError
from vitron_ros.evaluation.metrics.checks import finite, same_length
from vitron_ros.evaluation.metrics.single_object import FIGURES
from vitron_ros.evaluation.predictions import Run
from vitron_ros.evaluation.tracking_report import sequence_scores

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
    """The difference second - first of means over sequences, (N,) each, in the same order. The same every time.

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


def compare_runs(first: Run, second: Run, variant: str) -> Mapping[str, Difference]:
    """The difference in each of `FIGURES` by a variant.

    Raises:
        PredictionError: the runs are of different suites, data or sequences, or not the same ones failed.
        MetricError: predictions and truth of a sequence do not fit.
    """
    for what, key in (("suites", "suite"), ("data", "data_hash"), ("sequences", "names")):
        if getattr(first.header, key) != getattr(second.header, key):
            raise PredictionError(f"the runs are of different {what}; compare runs of the same data set")
    if set(first.failed) != set(second.failed):
        only = sorted(set(first.failed) ^ set(second.failed))
        raise PredictionError(f"{', '.join(only)} failed in one of the runs only; run that again with --retry-failed")
    if not first.predicted:
        raise MetricError("every sequence failed in both runs")
    scores = [sequence_scores(run, variant).values() for run in (first, second)]
    return {
        figure: paired_bootstrap(*([getattr(score, figure) for score in one] for one in scores)) for figure in FIGURES
    }

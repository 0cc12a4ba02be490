"""Whether one run is better than another: a paired bootstrap over clusters of samples.

Frames of one sequence are not independent, nor are questions about one image: whole sequences and whole images are
drawn, with replacement, the same for both runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitron_ros.errors import ConfigError, MetricError, PredictionError
from vitron_ros.evaluation.metrics.checks import Values, finite, same_length
from vitron_ros.evaluation.predictions import Run
from vitron_ros.evaluation.suite import find_suite
from vitron_ros.evaluation.tasks.task import Figures

SAMPLES, SEED = 10_000, 0
MOST_DRAWN = 1_000_000
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


def paired_bootstrap(first: ArrayLike, second: ArrayLike, clusters: Sequence[str] | None = None) -> Difference:
    """The difference second - first of means over samples, (N,) each, in the same order. The same every time.

    Args:
        clusters: (N,) which samples are drawn together; None: each by itself.

    Raises:
        MetricError: lengths differ, empty, or not finite.
    """
    a, b = finite(first, "first", (None,)), finite(second, "second", (None,))
    number = same_length(first=a, second=b, **({} if clusters is None else {"clusters": clusters}))
    _, member_of = np.unique(np.arange(number) if clusters is None else np.asarray(clusters), return_inverse=True)
    sampled = _sampled(np.bincount(member_of, b - a).astype(np.float64), np.bincount(member_of))
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


def _sampled(sums: Values, counts: NDArray[np.int64]) -> Values:
    """The mean difference in each of SAMPLES draws of clusters, of which sum and size are given."""
    rng, number = np.random.default_rng(SEED), len(sums)
    rows = max(1, MOST_DRAWN // number)  # at a time, so that large sets fit into the memory
    means = []
    for first in range(0, SAMPLES, rows):
        draws = rng.integers(0, number, (min(rows, SAMPLES - first), number))
        means.append(sums[draws].sum(axis=1) / counts[draws].sum(axis=1))
    return np.concatenate(means)


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
    scores, other = (task.by_sample(run, chosen) for run in (first, second))
    clusters = {row["name"]: task.cluster(row) for row in first.predicted}
    differences = {}
    for figure in next(iter(scores.values())):
        if pairs := _pairs(scores, other, figure):
            ours, theirs = zip(*pairs.values(), strict=True)
            differences[figure] = paired_bootstrap(ours, theirs, [clusters[name] for name in pairs])
    return chosen, differences


def _pairs(first: Mapping[str, Figures], second: Mapping[str, Figures], figure: str) -> dict[str, tuple[float, float]]:
    """By sample; without those that lack the figure in either run."""
    both = ((name, figures.get(figure), second[name].get(figure)) for name, figures in first.items())
    return {name: (one, other) for name, one, other in both if one is not None and other is not None}

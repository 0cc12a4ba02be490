"""The streaming benchmark: modes of following over clips, and the figures that come out. Terms: `long_term.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitron_ros.evaluation.metrics.long_term import TargetScore


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipScore:
    """One mode's figures in one clip: of its targets, and the ages of all boxes that were published."""

    clip: str
    targets: tuple[TargetScore, ...]
    ages_ms: NDArray[np.float64]


def figures(scores: Sequence[ClipScore]) -> dict[str, Any]:
    """The figures of one mode and latency over clips.

    `auc` and `ghosts` are means over targets; `id_switch_free` is the share of clips in which no target switched;
    `recovered_1s` the share of returns. None where there was nothing to measure.
    """
    targets = [target for scored in scores for target in scored.targets]
    returned = sum(target.returns for target in targets)
    ghosts = [target.ghosts for target in targets if target.ghosts is not None]
    ages_ms = np.concatenate([scored.ages_ms for scored in scores])
    return {
        "auc": round(float(np.mean([target.auc for target in targets])), 4),
        "id_switch_free": round(float(np.mean([_is_switch_free(scored) for scored in scores])), 4),
        "recovered_1s": round(sum(target.recovered for target in targets) / returned, 4) if returned else None,
        "box_age_p50_ms": _percentile(ages_ms, 50),
        "box_age_p99_ms": _percentile(ages_ms, 99),
        "ghosts": round(float(np.mean(ghosts)), 4) if ghosts else None,
        "switches": sum(target.switches for target in targets),
        "returns": returned,
        "targets": len(targets),
        "clips": len(scores),
    }


def _is_switch_free(scored: ClipScore) -> bool:
    return not any(target.switches for target in scored.targets)


def _percentile(ages_ms: NDArray[np.float64], share: float) -> float | None:
    return round(float(np.percentile(ages_ms, share)), 2) if len(ages_ms) else None

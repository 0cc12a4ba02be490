"""The streaming benchmark: modes of following over clips, and the figures that come out. Terms: `stream_metrics.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitron_ros.config import PipelineConfig
from vitron_ros.evaluation.stream_clips import StreamClip
from vitron_ros.evaluation.stream_metrics import TargetScore, score, target_truth
from vitron_ros.evaluation.stream_modes import Mode, follow
from vitron_ros.grounding.request import LanguageVision

ModelFor = Callable[[StreamClip], LanguageVision]
Results = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipScore:
    """One mode's figures in one clip: of its targets, and the ages of all boxes that were published."""

    clip: str
    targets: tuple[TargetScore, ...]
    ages_ms: NDArray[np.float64]


def evaluate(
    clips: Sequence[StreamClip],
    modes: Sequence[Mode],
    latencies_ms: Sequence[int],
    config: PipelineConfig,
    model_for: ModelFor | None,
    *,
    from_box: bool = False,
    on_run: Callable[[str, Mode, int, ClipScore], object] = lambda clip, mode, latency_ms, scored: None,
) -> Results:
    """Figures by mode and latency in ms (a word, as in JSON). `fast` knows no latency; it is run once for all.

    Args:
        model_for: the model for a clip; None: only `fast` can be run.
        on_run: told of each clip, mode and latency that is done.
    """
    scores: dict[tuple[Mode, int], list[ClipScore]] = {(mode, ms): [] for mode in modes for ms in latencies_ms}
    for clip in clips:
        model = None if model_for is None else model_for(clip)
        for mode in modes:
            scored: ClipScore | None = None
            for latency_ms in latencies_ms:
                if scored is None or mode != "fast":
                    scored = _run(mode, clip, config, model, latency_ms / 1000, from_box=from_box)
                scores[mode, latency_ms].append(scored)
                on_run(clip.name, mode, latency_ms, scored)
    return {mode: {str(latency_ms): figures(scores[mode, latency_ms]) for latency_ms in latencies_ms} for mode in modes}


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


def _run(
    mode: Mode,
    clip: StreamClip,
    config: PipelineConfig,
    model: LanguageVision | None,
    latency_s: float,
    *,
    from_box: bool,
) -> ClipScore:
    published = follow(mode, clip, config, model, latency_s, from_box=from_box)
    truths = [target_truth(clip.truth, target.object) for target in clip.truth.targets]
    ages_ms = np.concatenate([one.ages_ms for one in published])
    return ClipScore(
        clip=clip.name,
        targets=tuple(score(truth, one) for truth, one in zip(truths, published, strict=True)),
        ages_ms=ages_ms[np.isfinite(ages_ms)],
    )


def _is_switch_free(scored: ClipScore) -> bool:
    return not any(target.switches for target in scored.targets)


def _percentile(ages_ms: NDArray[np.float64], share: float) -> float | None:
    return round(float(np.percentile(ages_ms, share)), 2) if len(ages_ms) else None

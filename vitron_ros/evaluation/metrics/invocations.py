"""Requests to expert modules against the annotated ones, exactly."""

from collections.abc import Sequence

import numpy as np

from vitron_ros.boxes import iou
from vitron_ros.evaluation.metrics.checks import same_length
from vitron_ros.model.answers import Invocation

REGION_IOU = 0.5


def is_exact(predicted: Invocation | None, true: Invocation | None) -> bool:
    """Whether a request names the same module with the same instructions, and a region where one belongs.

    Texts are compared in lower case with single spaces; regions count from an IoU of 0.5. None: no request.
    """
    if predicted is None or true is None:
        return predicted is true
    return (
        predicted.module is true.module
        and [_plain(text) for text in predicted.instructions] == [_plain(text) for text in true.instructions]
        and _same_region(predicted, true)
    )


def invocation_match(
    predicted: Sequence[Invocation | None], true: Sequence[Invocation | None]
) -> dict[str, float | None]:
    """`exact` over all sentences, `module` alone, and `false_calls` of the sentences that request none.

    Each in [0, 1]; false_calls is None where every sentence requests a module.

    Raises:
        MetricError: lengths differ, or empty.
    """
    same_length(predicted=predicted, true=true)
    pairs = list(zip(predicted, true, strict=True))
    silent = [one for one, other in pairs if other is None]
    return {
        "exact": float(np.mean([is_exact(one, other) for one, other in pairs])),
        "module": float(np.mean([(one and one.module) == (other and other.module) for one, other in pairs])),
        "false_calls": float(np.mean([one is not None for one in silent])) if silent else None,
    }


def _same_region(predicted: Invocation, true: Invocation) -> bool:
    if predicted.region is None or true.region is None:
        return predicted.region is true.region
    return bool(iou(np.array(predicted.region), np.array(true.region)) >= REGION_IOU)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())

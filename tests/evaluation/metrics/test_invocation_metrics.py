"""Exact requests of modules."""

from dataclasses import replace

import pytest

from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.invocations import invocation_match, is_exact
from vitron_ros.model.answers import Invocation, Module

FIRST, SECOND = list(Module)[:2]
CALL = Invocation(FIRST, ("segmentation: the red mug",), (0.0, 0.0, 0.5, 0.5))


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        (CALL, CALL, True),
        (None, None, True),
        (CALL, None, False),
        (None, CALL, False),
        (replace(CALL, module=SECOND), CALL, False),
        (replace(CALL, instructions=("Segmentation:  the red MUG",)), CALL, True),
        (replace(CALL, instructions=("segmentation: the mug",)), CALL, False),
        (replace(CALL, instructions=(*CALL.instructions, "more")), CALL, False),
        (replace(CALL, region=(0.0, 0.0, 0.5, 0.4)), CALL, True),
        (replace(CALL, region=(0.5, 0.5, 1.0, 1.0)), CALL, False),
        (replace(CALL, region=None), CALL, False),
        (CALL, replace(CALL, region=None), False),
    ],
)
def test_exact(predicted, true, expected):
    assert is_exact(predicted, true) is expected


def test_shares():
    figures = invocation_match([CALL, replace(CALL, region=None), CALL, None], [CALL, CALL, None, None])
    assert figures == {"exact": 0.5, "module": 0.75, "false_calls": 0.5}
    assert invocation_match([CALL], [CALL])["false_calls"] is None


def test_bad_input_is_refused():
    with pytest.raises(MetricError, match="predicted 1, true 2"):
        invocation_match([CALL], [CALL, CALL])

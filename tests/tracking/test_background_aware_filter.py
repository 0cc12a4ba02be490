"""The background-aware filter finds its target far from where it was, at another size, and knows when it is gone."""

import numpy as np
import pytest

from tests.tracking.scenes import scene
from vitron_ros.tracking.background_aware_filter import BackgroundAwareFilter
from vitron_ros.tracking.box_tracker import View

SIZE = np.array([48.0, 48.0])
PLACE = (160, 120)


@pytest.fixture
def learned():
    return BackgroundAwareFilter(View(scene(0, PLACE)), np.array(PLACE, np.float64), SIZE)


@pytest.mark.parametrize("offset", [(0, 0), (8, -5), (-60, 20), (50, 50)])
def test_the_best_match_is_where_the_target_is(learned, offset):
    view = View(scene(1, (PLACE[0] + offset[0], PLACE[1] + offset[1])))
    match = learned.find(view, np.array(PLACE, np.float64), SIZE, (1.0,))
    np.testing.assert_allclose(match.offset, offset, atol=2)


@pytest.mark.parametrize("size", [42, 48, 54])
def test_the_best_growth_is_the_targets(learned, size):
    view = View(scene(1, PLACE, size=size))
    assert learned.find(view, np.array(PLACE, np.float64), SIZE, (0.875, 1.0, 1.125)).growth == size / 48


def test_a_window_without_the_target_answers_low(learned):
    responses = [
        learned.find(View(scene(1, place)), np.array(PLACE, np.float64), SIZE, (1.0,)).response
        for place in (PLACE, None)
    ]
    assert responses[1] < 0.4 * responses[0]

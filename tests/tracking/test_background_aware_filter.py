"""The background-aware filter finds its target far from where it was, at the right size, and knows when it is gone."""

import numpy as np
import pytest

from tests.tracking.scenes import scene
from vitron_ros.tracking.background_aware_filter import BackgroundAwareFilter, find, height_in_middle
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.window import CELLS, cells_per_px, window_spectra

PLACE, SIZE = np.array([160.0, 120.0]), np.array([48.0, 48.0])


def window(target, center=PLACE, size=SIZE, target_size=48):
    view = View(scene(0, target, size=target_size))
    return window_spectra(view, np.asarray(center, np.float64), [size])[0]


@pytest.fixture
def learned():
    return BackgroundAwareFilter(window(tuple(PLACE)), SIZE)


@pytest.mark.parametrize("offset", [(0, 0), (8, -5), (-60, 20), (50, 50)])
def test_the_peak_is_where_the_target_is(learned, offset):
    (peak,) = find(learned.spectrum, window(tuple(PLACE + offset))[None])
    np.testing.assert_allclose(peak.offset / cells_per_px(SIZE), offset, atol=2)


@pytest.mark.parametrize("size", [42, 48, 54])
def test_the_peak_is_highest_at_the_size_of_the_target(learned, size):
    growths = (0.875, 1.0, 1.125)
    windows = [window(tuple(PLACE), size=SIZE * growth, target_size=size) for growth in growths]
    peaks = find(learned.spectrum, np.stack(windows))
    assert growths[int(np.argmax([peak.height for peak in peaks]))] == size / 48


def test_a_window_without_the_target_answers_low(learned):
    usual, without = find(learned.spectrum, np.stack([window(tuple(PLACE)), window(None)]))
    assert without.height < 0.4 * usual.height
    assert height_in_middle(learned.spectrum, window(None)) < 0.2 * usual.height


def test_the_answer_in_the_middle_is_that_of_the_whole_response(learned):
    seen = window(tuple(PLACE + np.array([5, -3])))
    response = np.fft.irfft2((learned.spectrum.conj() * seen).sum(axis=0), (CELLS, CELLS))
    assert height_in_middle(learned.spectrum, seen) == pytest.approx(response[0, 0], rel=1e-4)


def test_the_filter_has_no_weight_outside_its_target(learned):
    learned.learn(window(tuple(PLACE + np.array([6, 2]))))
    weight = (np.fft.irfft2(learned.spectrum, (CELLS, CELLS)) ** 2).sum(axis=0)
    inside = weight[CELLS // 2 - 5 : CELLS // 2 + 5, CELLS // 2 - 5 : CELLS // 2 + 5]
    assert inside.sum() > 0.999 * weight.sum()


def test_learning_adapts_slowly(learned):
    other = window((40.0, 60.0), center=(40.0, 60.0), size=SIZE)
    turned = np.conj(other)  # the same thing, turned by half a circle
    before = height_in_middle(learned.spectrum, turned)
    learned.learn(turned)
    once = height_in_middle(learned.spectrum, turned)
    for _ in range(30):
        learned.learn(turned)
    assert before < once < height_in_middle(learned.spectrum, turned)

"""The correlation filter finds what it was shown, where it is, and says how well it fits."""

import numpy as np
import pytest

from tests.tracking.scenes import scene
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.correlation_filter import CorrelationFilter, crop_spectrum, make_filter_sample
from vitron_ros.tracking.crop import crop_scale, take_crop

SIZE = np.array([48.0, 48.0])
SCALE = crop_scale(SIZE)
PLACE = np.array([160.0, 120.0])


def crop(place, target=(160.0, 120.0)):
    return crop_spectrum(take_crop(View(scene(0, target)), np.asarray(place, np.float64), SCALE))


def made_from(spectrum, size=SIZE * SCALE):
    """A filter that was shown one crop, with the target in its middle."""
    return CorrelationFilter(make_filter_sample(spectrum, size, np.zeros(2)))


@pytest.mark.parametrize("offset", [(0, 0), (6, -4), (-10, 8), (15, 15)])
def test_the_peak_is_where_the_target_is(offset):
    peak = made_from(crop(PLACE)).find(crop(PLACE - offset), SIZE * SCALE)
    np.testing.assert_allclose(peak.offset / SCALE, offset, atol=1.0)


def test_the_target_answers_high_and_the_bare_background_low():
    learnt = made_from(crop(PLACE))
    assert learnt.find(crop(PLACE), SIZE * SCALE).height > 0.85
    assert learnt.find(crop((80, 60), target=None), SIZE * SCALE).height < 0.4


def test_of_two_alike_the_expected_one_is_taken():
    view = View(scene(0, (160.0, 120.0), size=24))
    view.frame.rgb[108:132, 184:208] = view.frame.rgb[108:132, 148:172]  # a twin, 36 px to the right
    size, scale = np.array([24.0, 24.0]), crop_scale(np.array([48.0, 48.0]))
    learnt = made_from(crop_spectrum(take_crop(View(scene(0, (160.0, 120.0), size=24)), PLACE, scale)), size * scale)
    between = crop_spectrum(take_crop(view, PLACE + np.array([18, 0]), scale))
    for side in (-18.0, 18.0):
        peak = learnt.find(between, size * scale, expected=np.array([side, 0.0]) * scale)
        assert peak.offset[0] / scale == pytest.approx(side, abs=2)


def test_learning_moves_towards_what_is_shown():
    learnt, other = made_from(crop(PLACE)), crop((80, 60), target=None)
    before = learnt.find(other, SIZE * SCALE, expected=np.zeros(2)).height
    learnt.learn(make_filter_sample(other, SIZE * SCALE, np.zeros(2)), rate=0.5)
    assert learnt.find(other, SIZE * SCALE, expected=np.zeros(2)).height > before + 0.2


def test_a_target_off_the_middle_is_learnt_where_it_is():
    centred, shifted = made_from(crop((80, 60), target=None)), crop(PLACE - np.array([8, -6]))
    for _ in range(3):
        centred.learn(make_filter_sample(shifted, SIZE * SCALE, np.array([8, -6]) * SCALE), rate=0.9)
    np.testing.assert_allclose(centred.find(shifted, SIZE * SCALE).offset / SCALE, [8, -6], atol=1)
    np.testing.assert_allclose(centred.find(crop(PLACE), SIZE * SCALE).offset / SCALE, [0, 0], atol=1.5)

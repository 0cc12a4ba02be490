"""Colours and silhouettes: which pixels are taken for the target's."""

import numpy as np
import pytest

from tests.tracking.scenes import box_at, scene
from vitron_ros.frame import Frame
from vitron_ros.tracking.appearance import ColourModel, colour_bins, histogram
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.crop import take_crop
from vitron_ros.tracking.silhouette import Silhouette

PLACE, SIZE = np.array([160.0, 120.0]), np.array([48.0, 48.0])
BOX = box_at((160, 120))


def test_a_histogram_is_a_distribution_that_leaks_to_neighbouring_colours_only():
    bins = colour_bins(np.full((4, 4, 3), (100, 100, 100), np.uint8))
    shares = histogram(bins, np.ones((4, 4))).reshape(16, 16, 16)
    assert shares.sum() == pytest.approx(1)
    assert shares[6, 6, 6] == pytest.approx(0.6**3)
    assert shares[5, 6, 6] == shares[6, 7, 6] == shares[6, 6, 5] == pytest.approx(0.2 * 0.6**2)
    assert shares[4:9, 4:9, 4:9].sum() == pytest.approx(shares.sum())


def test_nothing_has_no_colours():
    assert histogram(np.zeros((4, 4), np.int32), np.zeros((4, 4))).sum() == 0


def test_evidence_tells_the_targets_colours_from_the_rest():
    red, green = (colour_bins(np.full((4, 4, 3), rgb, np.uint8)) for rgb in ((200, 30, 30), (30, 200, 30)))
    colours = ColourModel(histogram(red, np.ones((4, 4))), histogram(green, np.ones((4, 4))))
    assert (colours.evidence(red) > 2).all()
    assert (colours.evidence(green) < -2).all()
    assert colours.evidence(np.full((1, 1), 5, np.int32)) == 0  # never seen: no evidence either way
    assert colours.likeness(histogram(red, np.ones((4, 4)))) == pytest.approx(1)
    assert colours.likeness(histogram(green, np.ones((4, 4)))) == 0


@pytest.fixture
def learned():
    crop = take_crop(View(scene(0, tuple(PLACE))), PLACE, SIZE)
    return Silhouette(crop, crop.from_image(BOX))


def test_where_the_target_is_gone_the_colours_are_unlike_its_own(learned):
    crops = [take_crop(View(scene(0, place)), PLACE, SIZE) for place in (tuple(PLACE), None)]
    likeness = [learned.colours.likeness(learned.colours_in(crop, crop.from_image(BOX))[0]) for crop in crops]
    assert likeness[0] > 0.9
    assert likeness[1] < 0.5


def test_where_the_surroundings_are_seen_the_target_is_not(learned):
    """Its right half has gone."""
    frame = scene(0, None)
    frame.rgb[96:144, 136:160] = scene(0, tuple(PLACE)).rgb[96:144, 136:160]
    seen = learned.cut_out(take_crop(View(frame), PLACE, SIZE), BOX, learned.colours.target)
    assert seen is not None
    left, right = np.split(seen.pixels > 0, 2, axis=1)
    assert left.mean() > 0.8 > 0.2 > right.mean()


def test_what_lies_beyond_the_image_is_nobody_s_colour():
    """Border pixels are repeated in a crop: half of this one would be the blue column at the image's edge."""
    rgb = np.full((240, 320, 3), (40, 160, 40), np.uint8)
    rgb[:, -1] = (20, 20, 220)
    rgb[100:140, 290:319] = (200, 30, 30)
    crop = take_crop(View(Frame(rgb=rgb, stamp_ns=0)), np.array([320.0, 120.0]), np.array([40.0, 40.0]))
    box = crop.from_image(np.array([290.0, 100, 319, 140]))
    _, surroundings = Silhouette(crop, box).colours_in(crop, box)
    assert 0.005 < surroundings.reshape(16, 16, 16)[:, :, 10:].sum() < 0.1

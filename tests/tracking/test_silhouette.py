"""Colours and silhouettes: which pixels are taken for the target's, and the box they ask for."""

import numpy as np
import pytest

from tests.tracking.scenes import box_at, scene
from vitron_ros.boxes import iou
from vitron_ros.tracking.appearance import ColourModel, colour_bins, histogram
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.crop import crop_scale, take_crop
from vitron_ros.tracking.motion import STILL
from vitron_ros.tracking.silhouette import Silhouette, colours_of, cut_to

PLACE = np.array([160.0, 120.0])


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


@pytest.mark.parametrize(("size", "grown"), [(48, 48), (48, 56), (48, 42)])
def test_the_box_follows_the_target_s_size(size, grown):
    scale = crop_scale(np.full(2, float(size)))
    first, second = (take_crop(View(scene(0, tuple(PLACE), size=s)), PLACE, scale) for s in (size, grown))
    box = first.from_image(box_at(tuple(PLACE), size))
    seen = Silhouette(first, box).observe(second, box, STILL, None)
    asked, true = second.to_image(seen.box_xyxy), box_at(tuple(PLACE), grown)
    assert iou(asked, true) > 0.8
    assert np.sign(asked[2] - asked[0] - size - (grown - size) * 0.1) == np.sign(grown - size) or size == grown


def test_where_the_target_is_gone_the_colours_are_unlike_its_own():
    scale = crop_scale(np.full(2, 48.0))
    first, second = (take_crop(View(scene(0, place)), PLACE, scale) for place in (tuple(PLACE), None))
    box = first.from_image(box_at(tuple(PLACE)))
    silhouette = Silhouette(first, box)
    likeness = []
    for crop in (first, second):
        seen = silhouette.observe(crop, box, STILL, None)
        target, _ = colours_of(seen.bins, cut_to(seen.mask, box), crop, box)
        likeness.append(silhouette.colours.likeness(target))
    assert likeness[0] > 0.9
    assert likeness[1] < 0.5
    assert silhouette.likeness(first, box) > 2 * silhouette.likeness(second, box)

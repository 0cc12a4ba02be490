"""Masks as other tools read them."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.mask import decode

from tests.offline.test_track_export import track
from vitron_ros.errors import ConfigError
from vitron_ros.masks import CroppedMask
from vitron_ros.offline.coco_rle import check_coco, coco_masks

# Column by column, runs of zeros and ones in turn, as characters 48 + n; from the fourth on, less the run two before.
CASES = {
    "one pixel in a corner": ([[1]], 0, 0, 2, 2, "013"),
    "a column": ([[1], [1]], 1, 0, 3, 2, "222"),
    "a hole": ([[1, 1, 1], [1, 0, 1], [1, 1, 1]], 0, 0, 3, 3, "0410"),
}


@pytest.mark.parametrize(("rows", "x", "y", "width", "height", "counts"), CASES.values(), ids=CASES)
def test_runs_of_hand_made_masks(rows, x, y, width, height, counts):
    mask = CroppedMask(np.array(rows, np.uint8) * 255, x, y)
    (found,) = coco_masks([replace(track(7), mask=mask)], width, height).values()
    assert found == {"size": [height, width], "counts": counts}


def test_a_mask_comes_back_in_its_place():
    pixels = np.random.default_rng(0).integers(0, 2, (20, 30)).astype(np.uint8) * 255
    found = coco_masks([track(1), replace(track(2), mask=CroppedMask(pixels, 70, 40))], 100, 60)
    assert found.keys() == {2}, "a target without a mask has none"
    image = decode(found[2])
    assert (image[40:60, 70:100] * 255 == pixels).all() and image.sum() * 255 == pixels.sum(dtype=int)


def test_what_to_install_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    with pytest.raises(ConfigError, match="pip install pycocotools"):
        check_coco()

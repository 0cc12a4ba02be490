"""Crops: coordinates there and back, and pixels where the coordinates say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitron_ros.frame import Frame
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.crop import CROP_PX, crop_scale, take_crop


def ramp_view(width=320, height=240):
    """Red is x / 2 of each pixel's middle, green is y."""
    y, x = np.mgrid[:height, :width] + 0.5
    return View(Frame(rgb=np.stack([x / 2, y, 0 * x], axis=-1).astype(np.uint8), stamp_ns=0))


@given(arrays(np.float64, (5, 2), elements=st.floats(-500, 500)), st.floats(0.05, 8))
def test_coordinates_come_back(points, scale):
    crop = take_crop(ramp_view(64, 48), np.array([30.0, 20.0]), scale)
    np.testing.assert_allclose(crop.to_image(crop.from_image(points)), points, atol=1e-6)
    np.testing.assert_allclose(crop.from_image(crop.center), [CROP_PX / 2, CROP_PX / 2])


@pytest.mark.parametrize("scale", [3.0, 1.0, 0.8, 0.5, 0.4])
def test_pixels_are_where_the_coordinates_say_on_every_level(scale):
    crop = take_crop(ramp_view(), np.array([163.0, 121.0]), scale)
    middles = np.stack(np.meshgrid(np.arange(CROP_PX), np.arange(CROP_PX)), axis=-1) + 0.5
    place = crop.to_image(middles.reshape(-1, 2))
    inside = ((place > 4) & (place < [316, 236])).all(axis=1)
    seen = crop.rgb.reshape(-1, 3)[inside].astype(float)
    np.testing.assert_allclose(seen[:, 0], place[inside, 0] / 2, atol=1.1)
    np.testing.assert_allclose(seen[:, 1], place[inside, 1], atol=1.6)


def test_a_square_target_fills_a_quarter_of_its_crop():
    assert crop_scale(np.array([32.0, 32.0])) * 64 == CROP_PX


def test_what_lies_beyond_the_image_is_known():
    crop = take_crop(ramp_view(), np.array([0.0, 120.0]), 1.0)
    assert not crop.is_inside[:, :32].any()
    assert crop.is_inside[:, 32:].all()

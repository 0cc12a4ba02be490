"""Crops: coordinates, and pixels where the coordinates say."""

import cv2
import numpy as np
import pytest

from vitron_ros.frame import Frame
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.crop import CROP_PX, take_crop
from vitron_ros.tracking.window import cut_square

MIDDLE = np.array([163.0, 121.0])


def ramp_view(width=320, height=240):
    """Red is x / 2 of each pixel's middle, green is y."""
    y, x = np.mgrid[:height, :width] + 0.5
    return View(Frame(rgb=np.stack([x / 2, y, 0 * x], axis=-1).astype(np.uint8), stamp_ns=0))


@pytest.mark.parametrize("scale", [3.0, 1.0, 0.8, 0.5, 0.4, 0.2])
@pytest.mark.parametrize("side", [40, 160])
def test_pixels_are_where_the_coordinates_say_on_every_level(scale, side):
    square = cut_square(ramp_view(), MIDDLE, scale, side).reshape(-1, 3).astype(float)
    middles = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2) + 0.5
    place = (middles - side / 2) / scale + MIDDLE
    inside = ((place > 8) & (place < [312, 232])).all(axis=1)
    np.testing.assert_allclose(square[inside, 0], place[inside, 0] / 2, atol=1.1)
    np.testing.assert_allclose(square[inside, 1], place[inside, 1], atol=1.6)


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_grey_is_cut_where_colours_are(scale):
    view = ramp_view()
    colours, grey = (cut_square(view, MIDDLE, scale, 64, is_grey=is_grey) for is_grey in (False, True))
    np.testing.assert_allclose(grey[..., 0], colours @ [0.299, 0.587, 0.114], atol=1.5)


@pytest.mark.parametrize("center", [(160, 120), (3.3, 5.1), (318, 239), (-40, 100), (500, 500)])
@pytest.mark.parametrize("size", [(240, 320), (47, 33), (2, 1000), (1, 1)])
@pytest.mark.parametrize("scale", [1.7, 0.9])
def test_a_square_is_what_opencv_cuts_also_beyond_the_image(center, size, scale):
    rgb = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8), (0, 0), 2)
    to_image = [
        [1 / scale, 0, center[0] - 0.5 + (0.5 - 32) / scale],
        [0, 1 / scale, center[1] - 0.5 + (0.5 - 32) / scale],
    ]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(rgb, np.array(to_image), (64, 64), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    square = cut_square(View(Frame(rgb=rgb, stamp_ns=1)), np.array(center, np.float64), scale, 64)
    np.testing.assert_allclose(square.astype(int), expected.astype(int), atol=1 if cv2.__version__ >= "5" else 8)


def test_a_square_target_fills_a_quarter_of_its_crop():
    crop = take_crop(ramp_view(), MIDDLE, np.array([32.0, 32.0]))
    box = np.concatenate([MIDDLE - 16, MIDDLE + 16])
    np.testing.assert_allclose(crop.from_image(box), np.array([1, 1, 3, 3]) * CROP_PX / 4)
    np.testing.assert_allclose(crop.from_image(MIDDLE), [CROP_PX / 2, CROP_PX / 2])


def test_what_lies_beyond_the_image_is_known():
    crop = take_crop(ramp_view(), np.array([0.0, 120.0]), np.array([32.0, 32.0]))
    assert crop.image_box[0] == CROP_PX / 2
    assert crop.image_box[[1, 2, 3]] == pytest.approx([-88, 32 + 320, 32 + 120])

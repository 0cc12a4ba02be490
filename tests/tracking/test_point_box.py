import numpy as np
import pytest

from vitron_ros.errors import RegionError
from vitron_ros.tracking.point_box import box_around_point


def scene():
    """A red square of 40 px on a grey, noisy wall."""
    rgb = np.random.default_rng(0).integers(100, 116, (120, 160, 3), np.uint8)
    rgb[30:70, 50:90] = [200, 30, 30]
    return rgb


def test_a_click_on_a_thing_of_one_colour_gives_its_box():
    np.testing.assert_allclose(box_around_point(scene(), 60.5, 50.2), [50, 30, 90, 70], atol=2)


@pytest.mark.parametrize(("x", "y", "says"), [(5, 5, "stands out"), (-1, 5, "outside"), (160, 5, "outside")])
def test_a_click_on_the_wall_or_beside_the_image_is_refused(x, y, says):
    with pytest.raises(RegionError, match=says):
        box_around_point(scene(), x, y)


def test_a_speck_is_no_target():
    rgb = scene()
    rgb[:] = 110
    rgb[10:14, 10:14] = 255
    with pytest.raises(RegionError, match="stands out"):
        box_around_point(rgb, 12, 12)

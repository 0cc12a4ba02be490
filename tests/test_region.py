import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.errors import RegionError
from vitron_ros.region import Region, RegionKind

WIDTH, HEIGHT = 64, 48
far = st.floats(-1e9, 1e9, allow_nan=False)


def test_bounding_boxes():
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:5] = True
    cases = {
        "box": (Region.from_box([10.5, 5, 20, 15]), [10.5, 5, 20, 15]),
        "clipped box": (Region.from_box([-5, -5, 20, 15]), [0, 0, 20, 15]),
        "point": (Region.from_point(3.9, 7.2), [3, 7, 4, 8]),
        "polygon": (Region.from_polygon([[10, 10], [20, 10], [20, 30], [10, 30]]), [10, 10, 21, 31]),
        "scribble": (Region.from_scribble([[5, 5], [5, 25]]), [5, 5, 6, 26]),
        "mask": (Region.from_mask(mask, (30, 20)), [32, 21, 35, 23]),
    }
    for name, (region, expected) in cases.items():
        np.testing.assert_array_equal(region.bounding_box(WIDTH, HEIGHT), expected, err_msg=name)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Region.from_point(float("nan"), 1), "finite"),
        (lambda: Region(RegionKind.POLYGON, np.zeros((2, 2))), "needs 3"),
        (lambda: Region(RegionKind.BOX, np.zeros((3, 2))), "needs 2"),
        (lambda: Region(RegionKind.POINT, np.zeros((1, 3))), r"\(N, 2\)"),
        (lambda: Region(RegionKind.MASK, np.zeros((0, 2))), "carries a mask"),
        (lambda: Region.from_mask(np.zeros((2, 2, 3), bool)), r"\(h, w\)"),
        (lambda: Region.from_point(-1, 5).bounding_box(WIDTH, HEIGHT), "outside"),
        (lambda: Region.from_polygon([[-9, -9], [-5, -9], [-5, -5]]).bounding_box(WIDTH, HEIGHT), "outside"),
        (lambda: Region.from_mask(np.zeros((5, 5), bool)).bounding_box(WIDTH, HEIGHT), "outside"),
        (lambda: Region.from_mask(np.ones((5, 5), bool), (62, 0)).bounding_box(WIDTH, HEIGHT), "reaches out"),
    ],
)
def test_regions_that_mark_nothing_are_refused(make, says):
    with pytest.raises(RegionError, match=says):
        make()


@given(st.lists(st.tuples(far, far), min_size=3, max_size=12), st.sampled_from(["polygon", "scribble"]))
def test_any_drawing_gives_a_box_inside_the_image_or_an_error(points, kind):
    region = getattr(Region, f"from_{kind}")(points)
    try:
        x_min, y_min, x_max, y_max = region.bounding_box(WIDTH, HEIGHT)
    except RegionError:
        return
    assert 0 <= x_min < x_max <= WIDTH
    assert 0 <= y_min < y_max <= HEIGHT

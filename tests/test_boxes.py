import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros import boxes
from vitron_ros.errors import RegionError

coordinate = st.floats(-1e4, 1e4, allow_nan=False)


@st.composite
def valid_boxes(draw):
    x, y = draw(coordinate), draw(coordinate)
    return np.array([x, y, x + draw(st.floats(0.1, 1e3)), y + draw(st.floats(0.1, 1e3))])


@given(valid_boxes())
def test_forms_round_trip(box):
    np.testing.assert_allclose(boxes.xyxy_from_ltwh(boxes.ltwh_from_xyxy(box)), box, atol=1e-6)
    np.testing.assert_allclose(boxes.xyxy_from_norm(boxes.norm_from_xyxy(box, 640, 480), 640, 480), box, atol=1e-6)


@given(valid_boxes(), valid_boxes())
def test_iou_is_symmetric_bounded_and_one_for_itself(a, b):
    assert boxes.iou(a, b) == pytest.approx(boxes.iou(b, a))
    assert 0 <= boxes.iou(a, b) <= 1 + 1e-9
    assert boxes.iou(a, a) == pytest.approx(1)


def test_iou_of_hand_worked_boxes():
    assert boxes.iou([0, 0, 10, 10], [5, 0, 15, 10]) == pytest.approx(50 / 150)
    assert boxes.iou([0, 0, 10, 10], [10, 0, 20, 10]) == 0, "boxes that touch share no pixel"
    assert boxes.iou([0, 0, 0, 0], [0, 0, 0, 0]) == 0, "nothing over nothing is no match"
    np.testing.assert_allclose(boxes.iou_matrix([[0, 0, 2, 2]], [[0, 0, 2, 2], [1, 0, 3, 2]]), [[1, 1 / 3]])


@given(valid_boxes())
def test_checked_boxes_lie_in_the_image(box):
    try:
        checked = boxes.check_box(box, 640, 480)
    except RegionError:
        clipped = boxes.clip(box, 640, 480)
        assert min(clipped[2] - clipped[0], clipped[3] - clipped[1]) < 1
    else:
        assert (checked >= 0).all()
        assert (checked <= [640, 480, 640, 480]).all()


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ([0, 0, float("nan"), 10], "finite"),
        ([0, 0, float("inf"), 10], "finite"),
        ([0, 0, 10], "four"),
        ([10, 10, 10, 20], "no area"),
        ([20, 10, 10, 20], "no area"),
        ([-50, -50, -10, -10], "outside"),
        ([700, 10, 800, 20], "outside"),
        ([639.5, 10, 800, 20], "outside"),
    ],
)
def test_bad_boxes_are_refused_with_a_reason(box, says):
    with pytest.raises(RegionError, match=says):
        boxes.check_box(box, 640, 480)

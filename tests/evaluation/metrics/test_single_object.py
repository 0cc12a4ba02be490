"""Every variant of one-pass evaluation against numbers that its toolkit gave for the same boxes."""

import numpy as np
import pytest

from vitron_ros.boxes import iou, xyxy_from_ltwh
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics import visible_frames
from vitron_ros.evaluation.metrics.single_object import (
    VARIANTS,
    elysium_released,
    got10k,
    got10k_lasot,
    got10k_overlaps,
    lasot_toolkit,
    mean_score,
    pytracking_lasot,
    pytracking_otb,
    pytracking_uav,
    trackingnet,
    visible_only,
)

# Frame 3 is absent; in frame 5 the prediction has no size.
TRUE = np.array([
    [100, 100, 40, 60], [104, 100, 40, 60], [110, 102, 40, 60], [0, 0, 0, 0],
    [130, 110, 40, 60], [140, 112, 42, 62], [150, 115, 44, 64], [300, 200, 50, 50],
], float)  # fmt: skip
PREDICTED = np.array([
    [101, 101, 40, 60], [105, 103, 40, 60], [118, 104, 44, 58], [120, 105, 40, 60],
    [133, 112, 38, 60], [150, 130, 0, 0], [158, 120, 44, 64], [100, 100, 40, 60],
], float)  # fmt: skip
ABSENT = np.arange(8) == 3
TRUE_NAN = np.where(ABSENT[:, None], np.nan, TRUE)
NONE = np.zeros(8, bool)


@pytest.mark.parametrize(
    ("variant", "true", "auc", "precision", "norm_precision", "mean_of_curve"),
    [
        ("lasot-toolkit", TRUE, 0.553571, 0.750000, 0.500000, 0.551471),
        ("pytracking-lasot", TRUE, 0.553571, 0.750000, 0.500000, 0.551471),
        ("pytracking-otb", TRUE, 0.553571, 0.750000, 0.625000, 0.676471),
        ("pytracking-uav", TRUE_NAN, 0.553571, 0.875000, 0.625000, 0.676471),
        ("got10k-lasot", TRUE, 0.476190, 0.750000, 0.522059, 0.522059),
        ("trackingnet", TRUE, 0.496875, 0.640625, 0.521875, None),
        ("visible-frames", TRUE, 0.537415, 0.857143, 0.571429, None),
    ],
)
def test_the_toolkits_own_numbers(variant, true, auc, precision, norm_precision, mean_of_curve):
    score = VARIANTS[variant](PREDICTED, true, ABSENT)
    assert (score.auc, score.precision, score.norm_precision) == pytest.approx(
        (auc, precision, norm_precision), abs=1e-6
    )
    if mean_of_curve is not None:
        assert score.norm_precision_curve.mean() == pytest.approx(mean_of_curve, abs=1e-6)


def test_got10k_leaves_out_the_first_frame_and_covered_ones():
    figures = got10k([got10k_overlaps(PREDICTED, TRUE, ~ABSENT, 320, 240)])
    assert figures == pytest.approx({"ao": 0.485745, "sr50": 0.666667, "sr75": 0.333333}, abs=1e-6)


def test_got10k_pools_frames_and_the_others_average_sequences():
    assert got10k([np.ones(9), np.zeros(1)])["ao"] == 0.9
    perfect, lost = (pytracking_otb(boxes, TRUE, NONE) for boxes in (TRUE, TRUE + np.array([500, 0, 0, 0])))
    assert mean_score([perfect, lost]).auc == (perfect.auc + lost.auc) / 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_perfect_tracker(variant):
    true = TRUE[~ABSENT]
    score = VARIANTS[variant](true, true, NONE[:7])
    assert score.auc == pytest.approx(1 if variant == "trackingnet" else 20 / 21)
    assert score.precision == 1
    assert score.norm_precision == 1


def test_the_clamp_of_elysium_makes_boxes_equal_that_are_far_apart():
    apart = np.array([[150.0, 150, 30, 30]]), np.array([[400.0, 300, 30, 30]])
    assert pytracking_otb(np.tile(apart[0], (2, 1)), np.tile(apart[1], (2, 1)), NONE[:2]).precision == 0.5
    assert elysium_released(*apart, NONE[:1]).auc == pytest.approx(20 / 21)


def test_the_lasot_toolkit_counts_a_box_at_the_border_as_a_hit():
    """Its test of validity is "all four values > 0", so x = 0 makes a frame invalid."""
    true = np.array([[5.0, 5, 10, 10], [0, 5, 10, 10]])
    lost = np.array([[5.0, 5, 10, 10], [300, 300, 10, 10]])
    ours, theirs = pytracking_lasot(lost, true, NONE[:2]), lasot_toolkit(lost, true, NONE[:2])
    assert (ours.precision, theirs.precision) == (0.5, 1)
    assert ours.auc == theirs.auc == pytest.approx(10 / 21)


@pytest.mark.parametrize(
    ("variant", "left", "auc", "precision", "norm_precision"),
    [
        ("pytracking-otb", 0, 20 / 21, 1, 1),  # 1 in OTB's files
        ("pytracking-otb", -1, 10 / 21, 0.5, 1),
        ("pytracking-lasot", 0, 10 / 21, 0.5, 1),
        ("pytracking-uav", 0, 10 / 21, 1, 1),
        ("lasot-toolkit", 0, 10 / 21, 1, 1),
        ("got10k-lasot", 0, 20 / 21, 1, 1),
        ("visible-frames", 0, 20 / 21, 1, 1),
    ],
)
def test_a_perfect_tracker_of_a_target_at_the_left_border(variant, left, auc, precision, norm_precision):
    """Half of the frames touch it. pytracking and LaSOT's toolkit leave out boxes that are not all > 0."""
    true = np.array([[5.0, 5, 10, 10], [left, 5, 10, 10]])
    score = VARIANTS[variant](true, true, NONE[:2])
    assert (score.auc, score.precision, score.norm_precision) == pytest.approx((auc, precision, norm_precision))


def random_sequences(count: int):
    rng = np.random.default_rng(3)
    for _ in range(count):
        # Quarters of a pixel: with others, the +1 of some toolkits lets the IoU of equal boxes exceed 1 by rounding.
        true = np.column_stack([rng.integers(4, 1200, (12, 2)), rng.integers(20, 360, (12, 2))]) / 4
        yield true + rng.integers(-16, 17, true.shape) / [1, 1, 4, 4], true


def test_variants_agree_where_their_rules_do_not_differ():
    """All frames valid, no size zero, the first prediction is the truth: what is left are the formulas."""
    flags = np.zeros(12, bool)
    for predicted, true in random_sequences(1000):
        predicted[0] = true[0]
        boxes = xyxy_from_ltwh(predicted), xyxy_from_ltwh(true)
        expected = visible_frames.success_auc(*boxes)
        scores = [
            score(predicted, true, flags)
            for score in (pytracking_otb, pytracking_lasot, pytracking_uav, lasot_toolkit, got10k_lasot, visible_only)
        ]
        assert [score.auc for score in scores] == pytest.approx([expected] * 6, abs=1e-12)
        assert {score.precision for score in scores} == {visible_frames.precision(*boxes)}
        assert {score.norm_precision for score in scores if score is not scores[4]} == {
            visible_frames.norm_precision(*boxes)
        }


def test_whole_pixels_are_all_that_sets_the_iou_of_trackingnet_apart():
    flags = np.zeros(12, bool)
    for predicted, true in random_sequences(1000):
        rounded, score = np.round(predicted), trackingnet(predicted, true, flags)
        rounded[0] = np.round(true[0])
        overlap = iou(xyxy_from_ltwh(rounded), xyxy_from_ltwh(np.round(true)))
        curve = [(overlap >= threshold).mean() for threshold in np.linspace(0, 1, 21)]
        assert score.auc == pytest.approx(np.interp(np.linspace(0.025, 0.975, 20), np.linspace(0, 1, 21), curve).mean())


def test_a_box_that_begins_outside_keeps_its_width_in_got10k():
    predicted = np.array([[0.0, 0, 10, 10], [-10, 0, 50, 40], [290, 0, 50, 40]])
    true = np.array([[0.0, 0, 10, 10], [0, 0, 50, 40], [290, 0, 30, 40]])
    assert got10k_overlaps(predicted, true, [8, 8, 8], 320, 240) == pytest.approx([1, 1])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("predicted", "true", "absent", "words"),
    [
        (PREDICTED[:7], TRUE, ABSENT, "predicted 7, true 8, flags 8"),
        (PREDICTED, TRUE, ABSENT[:7], "flags 7"),
        (PREDICTED[:0], TRUE[:0], ABSENT[:0], "nothing to score"),
        (np.where(ABSENT[:, None], np.nan, PREDICTED), TRUE, ABSENT, r"predicted has 4 values that are not finite"),
        (PREDICTED[:, :3], TRUE, ABSENT, r"predicted has shape \(8, 3\)"),
        (PREDICTED, np.where(np.arange(4) == 1, np.nan, TRUE), ABSENT, "true has 8 values that are not finite"),
    ],
)
def test_bad_input_is_refused_by_every_variant(variant, predicted, true, absent, words):
    with pytest.raises(MetricError, match=words):
        VARIANTS[variant](predicted, true, absent)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pytracking_lasot(PREDICTED * [1, 1, -1, 1], TRUE, ABSENT), "negative size in frame 0"),
        (lambda: pytracking_lasot(PREDICTED, TRUE_NAN, ABSENT), "true has 4 values"),
        (lambda: visible_only(PREDICTED, TRUE, ~NONE), "every frame is absent"),
        (lambda: pytracking_uav(PREDICTED, TRUE * np.nan, ABSENT), "absent in every frame"),
        (lambda: got10k_overlaps(PREDICTED, TRUE, [8] * 7, 320, 240), "flags 7"),
        (lambda: got10k([]), "overlaps has shape"),
        (lambda: mean_score([]), "nothing to score"),
    ],
)
def test_what_a_variant_does_not_define_is_refused(call, words):
    with pytest.raises(MetricError, match=words):
        call()

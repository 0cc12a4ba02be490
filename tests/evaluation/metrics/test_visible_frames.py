"""Metrics of one-pass evaluation: hand-worked cases, and an oracle written in loops from the papers' definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitron_ros.boxes import iou, xyxy_from_ltwh
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.visible_frames import norm_precision, precision, success_auc, success_curve

TRUE = xyxy_from_ltwh([[10, 20, 100, 50]])


def moved(dx: float, dy: float = 0.0) -> np.ndarray:
    return TRUE + np.array([dx, dy, dx, dy])


def test_perfect_boxes_pass_every_threshold_but_one():
    assert success_auc(TRUE, TRUE) == pytest.approx(20 / 21)
    assert precision(TRUE, TRUE) == norm_precision(TRUE, TRUE) == 1


def test_boxes_apart_score_nothing():
    assert success_auc(moved(100), TRUE) == 0
    assert success_curve(moved(500), TRUE).tolist() == [0.0] * 21


def test_half_overlap_counts_strictly():
    half = xyxy_from_ltwh([[10, 20, 50, 50]])  # IoU exactly 0.5: above 0, 0.05, ..., 0.45, not above 0.5
    assert success_curve(half, TRUE).tolist() == [1.0] * 10 + [0.0] * 11
    assert success_auc(half, TRUE) == pytest.approx(10 / 21)


def otb_overlap(a, b):
    """As in OTB's calcRectInt and pytracking: the last pixel is at x + w - 1, and 1 is added again."""
    first = np.maximum(a[:, :2], b[:, :2])
    last = np.minimum(a[:, :2] + a[:, 2:] - 1, b[:, :2] + b[:, 2:] - 1)
    shared = np.maximum(0, last - first + 1).prod(axis=1)
    return shared / (a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1) - shared)


@pytest.mark.parametrize("seed", range(3))
def test_the_pixel_that_otb_adds_cancels_the_one_it_takes(seed):
    rng = np.random.default_rng(seed)
    a, b = (np.column_stack([rng.uniform(0, 50, (500, 2)), rng.uniform(1, 40, (500, 2))]) for _ in range(2))
    np.testing.assert_allclose(otb_overlap(a, b), iou(xyxy_from_ltwh(a), xyxy_from_ltwh(b)), atol=1e-12)


@pytest.mark.parametrize(("shift", "hits"), [(20, 1), (20.01, 0)])
def test_precision_counts_its_own_threshold(shift, hits):
    assert precision(moved(shift), TRUE) == hits


@pytest.mark.parametrize(("dx", "dy", "hits"), [(20, 0, 1), (20.01, 0, 0), (0, 10, 1), (0, 10.01, 0), (12, 9, 0)])
def test_norm_precision_divides_by_width_and_height(dx, dy, hits):
    assert norm_precision(moved(dx, dy), TRUE) == hits


def test_frames_count_alike():
    predicted = np.concatenate([TRUE, moved(100), moved(500), TRUE])
    true = np.repeat(TRUE, 4, axis=0)
    assert precision(predicted, true) == 0.5
    assert success_auc(predicted, true) == pytest.approx(0.5 * 20 / 21)


@pytest.mark.parametrize(
    ("predicted", "true", "words"),
    [
        (np.zeros((2, 4)), np.zeros((3, 4)), "predicted 2, true 3"),
        (np.zeros((0, 4)), np.zeros((0, 4)), "nothing to score"),
        (np.zeros(4), np.zeros(4), r"predicted has shape \(4,\)"),
        (np.full((1, 4), np.nan), TRUE, "predicted has 4 values that are not finite"),
        (TRUE, np.array([[5.0, 5, 5, 9]]), "no area"),
    ],
)
def test_what_cannot_be_compared_is_refused(predicted, true, words):
    with pytest.raises(MetricError, match=words):
        success_auc(predicted, true)


def oracle(predicted, true):
    """From the definitions, one frame and one threshold at a time, on x, y, w, h."""
    success = [[] for _ in range(21)]
    near, near_norm = [], []
    for p, t in zip(predicted, true, strict=True):
        width = min(p[0] + p[2], t[0] + t[2]) - max(p[0], t[0])
        height = min(p[1] + p[3], t[1] + t[3]) - max(p[1], t[1])
        shared = width * height if width > 0 and height > 0 else 0.0
        overlap = shared / (p[2] * p[3] + t[2] * t[3] - shared)
        for k in range(21):
            success[k].append(overlap > 0.05 * k)
        dx, dy = p[0] + p[2] / 2 - t[0] - t[2] / 2, p[1] + p[3] / 2 - t[1] - t[3] / 2
        near.append((dx * dx + dy * dy) ** 0.5 <= 20)
        near_norm.append(((dx / t[2]) ** 2 + (dy / t[3]) ** 2) ** 0.5 <= 0.2)
    return np.mean(success), np.mean(near), np.mean(near_norm)


def noisy_boxes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = np.column_stack([rng.uniform(0, 300, (200, 2)), rng.uniform(10, 200, (200, 2))])
    predicted = true + rng.normal(0, 15, true.shape)
    predicted[:, 2:] = np.maximum(predicted[:, 2:], 1)
    return predicted, true


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_the_oracle(seed):
    predicted, true = noisy_boxes(seed)
    auc, near, near_norm = oracle(predicted, true)
    boxes = xyxy_from_ltwh(predicted), xyxy_from_ltwh(true)
    assert success_auc(*boxes) == pytest.approx(auc, abs=1e-12)
    assert precision(*boxes) == near
    assert norm_precision(*boxes) == near_norm


@given(arrays(np.float64, (7, 4), elements=st.floats(1, 500)), st.floats(0.01, 100))
def test_success_and_norm_precision_do_not_depend_on_the_image_size(ltwh, scale):
    true = xyxy_from_ltwh(ltwh)
    predicted = true + np.array([3, 2, 5, 4]) + 0.1234567  # so that no error lies exactly on a threshold
    assert norm_precision(predicted * scale, true * scale) == pytest.approx(
        norm_precision(predicted, true), abs=1 / 7 + 1e-9
    )
    assert success_auc(predicted * scale, true * scale) == pytest.approx(
        success_auc(predicted, true), abs=1 / 147 + 1e-9
    )

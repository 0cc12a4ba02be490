"""Tubes in a video, worked by hand and frame by frame."""

import numpy as np
import pytest

from vitron_ros.boxes import iou
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.spatio_temporal import TubeScore, mean_spatial_iou, spatio_temporal, tube_score

BOXES = np.tile([0.0, 0, 10, 10], (10, 1))
HALF = np.tile([0.0, 0, 5, 10], (10, 1))


@pytest.mark.parametrize(
    ("predicted", "span", "tiou", "viou"),
    [
        (BOXES, (2, 6), 1, 1),
        (HALF, (2, 6), 1, 0.5),
        (BOXES, (0, 4), 2 / 6, 2 / 6),
        (HALF, (0, 10), 0.4, 0.2),
        (BOXES, (6, 9), 0, 0),  # ends are exclusive: 6 is not in 2..6
        (BOXES, (3, 3), 0, 0),
    ],
)
def test_a_tube_against_frames_2_to_5(predicted, span, tiou, viou):
    score = tube_score(predicted, span, BOXES, (2, 6))
    assert (score.tiou, score.viou) == pytest.approx((tiou, viou))


def test_agrees_with_counting_frames():
    rng = np.random.default_rng(5)
    for _ in range(1000):
        own, other = (np.sort(rng.uniform(0, 20, (10, 2, 2)), axis=1).reshape(10, 4) for _ in range(2))
        one, two = (tuple(np.sort(rng.choice(11, 2, replace=False)).tolist()) for _ in range(2))
        both, either = set(range(*one)) & set(range(*two)), set(range(*one)) | set(range(*two))
        score = tube_score(own, one, other, two)
        assert score.tiou == pytest.approx(len(both) / len(either))
        assert score.viou == pytest.approx(sum(float(iou(own[t], other[t])) for t in both) / len(either))


def test_means_and_strict_thresholds():
    figures = spatio_temporal([TubeScore(tiou=0.4, viou=0.3), TubeScore(tiou=0.8, viou=0.6)])
    assert figures == pytest.approx({"m_tiou": 0.6, "m_viou": 0.45, "viou@0.3": 0.5, "viou@0.5": 0.5})


def test_the_best_box_of_each_frame_counts():
    boxes = [np.concatenate([HALF[:1], BOXES[:1]]), HALF[:1], np.empty((0, 4))]
    assert mean_spatial_iou(boxes, BOXES[:3]) == 0.5


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tube_score(BOXES[:9], (0, 3), BOXES, (0, 3)), "predicted 9, true 10"),
        (lambda: tube_score(BOXES, (0, 11), BOXES, (0, 3)), "predicted span 0..11"),
        (lambda: tube_score(BOXES, (0, 3), BOXES, (5, 4)), "true span 5..4"),
        (lambda: tube_score(BOXES, (0, 3), BOXES, (4, 4)), "true span is empty"),
        (lambda: tube_score(BOXES * np.nan, (0, 1), BOXES, (4, 5)), "predicted has 4 values"),
        (lambda: spatio_temporal([]), "nothing to score"),
        (lambda: mean_spatial_iou([BOXES], BOXES), "predicted 1, true 10"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(MetricError, match=words):
        call()

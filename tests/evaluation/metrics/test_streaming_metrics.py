"""What counts is the newest box that was out when an image was taken."""

import numpy as np
import pytest

from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.streaming import (
    Detections,
    box_age,
    latency_curve,
    newest_published,
    streaming_ap,
    streaming_auc,
    time_diff,
    time_to_first_track_s,
)

FRAME_NS = 100
STAMPS = np.arange(5) * FRAME_NS
# A target that moves its own width each frame: a box of the frame before does not touch it.
TRUE = np.array([[10.0 * t, 0, 10 * t + 10, 10] for t in range(5)])
PERFECT = 20 / 21
BOX = [0.0, 0.0, 1.0, 1.0]


def test_the_newest_output_at_or_before_each_stamp():
    assert newest_published(STAMPS, [100, 150, 399]).tolist() == [-1, 0, 1, 1, 2]
    assert newest_published(STAMPS, [100, 150, 399], permitted_ns=50).tolist() == [-1, 1, 1, 1, 2]
    assert newest_published(STAMPS, []).tolist() == [-1] * 5


def test_agrees_with_a_loop():
    rng = np.random.default_rng(10)
    for _ in range(1000):
        stamps = np.cumsum(rng.integers(1, 40, 10))
        published = np.sort(rng.integers(0, 250, rng.integers(0, 12)))
        permitted = int(rng.integers(0, 40))
        expected = [max((n for n, time in enumerate(published) if time <= t + permitted), default=-1) for t in stamps]
        assert newest_published(stamps, published, permitted).tolist() == expected


def test_latency_costs_accuracy_however_good_the_boxes_are():
    assert streaming_auc(TRUE, STAMPS, TRUE, STAMPS) == pytest.approx(PERFECT)
    assert streaming_auc(TRUE, STAMPS, TRUE, STAMPS + 30) == 0


def test_the_first_box_may_be_given():
    assert streaming_auc(TRUE, STAMPS, TRUE, STAMPS + 30, first_xyxy=TRUE[0]) == pytest.approx(PERFECT / 5)


def test_the_curve_rises_where_the_permitted_latency_covers_the_latency():
    curve = latency_curve(TRUE, STAMPS, TRUE, STAMPS + 30, frame_ns=FRAME_NS)
    assert curve.shape == (51,)
    assert curve[:15].tolist() == [0] * 15
    # From 0.3 of a frame on, up to a whole one: the box of the next frame is out after 1.3.
    assert curve[15:] == pytest.approx([PERFECT] * 36)
    assert curve.mean() == pytest.approx(PERFECT * 36 / 51)


def test_frames_without_the_target_are_not_scored_and_absent_outputs_count_nothing():
    true, output = TRUE.copy(), TRUE.copy()
    true[1], output[2] = np.nan, np.nan
    assert streaming_auc(true, STAMPS, output, STAMPS) == pytest.approx(PERFECT * 3 / 4)


def detections(*boxes: list[float], score: float = 0.9) -> Detections:
    return Detections(
        boxes_xyxy=np.array(boxes).reshape(-1, 4), labels=np.ones(len(boxes), int), scores=np.full(len(boxes), score)
    )


def test_sap_is_coco_ap_of_what_was_out():
    truth = [detections(list(box)) for box in TRUE]
    assert streaming_ap(truth, STAMPS, truth, STAMPS) == pytest.approx({"ap": 1, "ap50": 1, "ap75": 1})
    assert streaming_ap(truth, STAMPS, truth, STAMPS + 30) == pytest.approx({"ap": 0, "ap50": 0, "ap75": 0})
    assert streaming_ap(truth, STAMPS, [], []) == {"ap": 0, "ap50": 0, "ap75": 0}
    # The last three of five frames: recall 0.6, so 61 of 101 points of the precision curve.
    late = streaming_ap(truth, STAMPS, truth[2:], STAMPS[2:])
    assert late["ap50"] == pytest.approx(61 / 101)


def test_percentiles_of_age():
    assert box_age(np.arange(101)) == {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99}


def test_the_first_track_is_the_first_box_on_the_target():
    times = np.array([1, 2, 3, 4]) * 10**9
    assert time_to_first_track_s(int(1.5e9), times, [0.9, 0.2, 0.5, 0.9]) == 1.5
    assert time_to_first_track_s(0, times, [0.1] * 4) is None
    assert time_to_first_track_s(0, [], []) is None


def test_time_diff_is_signed():
    figures = time_diff([11, 18, None, 33.5], [10, 20, 30, 30])
    assert figures == pytest.approx({
        "signed_s": 2.5 / 3, "absolute_s": 6.5 / 3, "answered": 0.75,
        "within_1s": 0.25, "within_2s": 0.25, "within_4s": 0.5,
    })  # fmt: skip
    assert time_diff([None], [1])["signed_s"] is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: newest_published([], []), "one or more"),
        (lambda: newest_published([1, 1], []), "each later"),
        (lambda: newest_published([1], [3, 2]), "order"),
        (lambda: streaming_auc(TRUE[:4], STAMPS, TRUE, STAMPS), "true 4, stamps 5"),
        (lambda: streaming_auc(TRUE, STAMPS, TRUE[:4], STAMPS), "outputs 4, published 5"),
        (lambda: streaming_auc(TRUE * np.nan, STAMPS, TRUE, STAMPS), "true has shape"),
        (lambda: streaming_auc(TRUE, STAMPS, np.where(TRUE > 30, np.nan, TRUE), STAMPS), "outputs has"),
        (lambda: streaming_ap([detections()], [1], [], []), "no image has a true box"),
        (
            lambda: streaming_ap([detections([0, 0, 1, 1])], [1], [detections([0, 0, 1, 1], score=np.nan)], [1]),
            "scores",
        ),
        (lambda: box_age([]), "ages has shape"),
        (lambda: time_to_first_track_s(0, [1], [0.5, 0.5]), "published 1, overlap 2"),
        (lambda: time_diff([1], [1, 2]), "answered 1, true 2"),
        (lambda: time_diff([np.nan], [1]), "not finite"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(MetricError, match=words):
        call()

"""J, F and their averages: the cases of DAVIS worked by hand, and other ways to compute them."""

import math

import numpy as np
import pytest

from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.segmentation import (
    TrackScore,
    boundary_f,
    davis,
    davis_track,
    mean_recall_decay,
    object_masks,
    region_similarity,
    youtube_vos,
)

EMPTY = np.zeros((100, 100), bool)


def square(x: int, y: int = 40, side: int = 20) -> np.ndarray:
    mask = EMPTY.copy()
    mask[y : y + side, x : x + side] = True
    return mask


@pytest.mark.parametrize(
    ("predicted", "true", "j", "f"),
    [
        (square(40), square(40), 1, 1),
        (square(41), square(40), 0.904762, 1),
        (square(43), square(40), 0.739130, 0.55),
        (square(70), square(10), 0, 0),
        (EMPTY, EMPTY, 1, 1),
        (EMPTY, square(40), 0, 0),
        (square(40), EMPTY, 0, 0),
        (~EMPTY, ~EMPTY, 1, 1),  # a mask that fills the image has no boundary
    ],
)
def test_hand_worked_masks(predicted, true, j, f):
    assert region_similarity(predicted, true) == pytest.approx(j, abs=1e-6)
    assert boundary_f(predicted, true) == pytest.approx(f, abs=1e-6)


def test_void_pixels_count_for_nothing():
    void = square(50, side=10) | square(50, 50, 10)  # the right half of what is predicted
    half = square(40) & ~void
    assert region_similarity(square(40), half, void) == boundary_f(square(40), half, void) == 1
    assert region_similarity(square(40), half) == 0.5


def random_masks(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    coarse = rng.random((height // 4, width // 4)) < rng.uniform(0.05, 0.6)
    return coarse.repeat(4, axis=0).repeat(4, axis=1) ^ (rng.random((height, width)) < 0.01)


def test_j_agrees_with_pycocotools():
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(1)
    for _ in range(1000):
        a, b = random_masks(rng, 36, 48), random_masks(rng, 36, 48)
        one, other = (coco.encode(np.asfortranarray(mask, np.uint8)) for mask in (a, b))
        expected = coco.iou([one], [other], [False])[0, 0] if a.any() or b.any() else 1
        assert region_similarity(a, b) == pytest.approx(expected, abs=1e-12)


def f_by_distance(predicted: np.ndarray, true: np.ndarray) -> float:
    """As DAVIS defines it, with the distance of each boundary pixel to all of the other boundary."""

    def points(mask):
        y, x = np.indices(mask.shape)
        lower, right = np.minimum(y + 1, mask.shape[0] - 1), np.minimum(x + 1, mask.shape[1] - 1)
        return np.argwhere((mask != mask[lower, x]) | (mask != mask[y, right]) | (mask != mask[lower, right]))

    own, other = points(predicted), points(true)
    if not len(own) or not len(other):
        return float(len(own) == len(other))
    distance = np.linalg.norm(own[:, None] - other, axis=-1)
    near = distance <= math.ceil(0.008 * np.linalg.norm(predicted.shape))
    precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def test_f_agrees_with_distances_of_boundary_pixels():
    rng = np.random.default_rng(2)
    for number in range(1000):
        shape = (100, 120) if number % 250 == 0 else (12, 16)  # a radius of one, and of two pixels
        a, b = random_masks(rng, *shape), random_masks(rng, *shape)
        assert boundary_f(a, b) == pytest.approx(f_by_distance(a, b), abs=1e-12)


def test_a_track_is_scored_without_its_first_and_last_frame():
    true = np.array([square(40)] * 5)
    predicted = np.array([EMPTY, square(40), square(41), EMPTY, square(40)])
    track = davis_track(predicted, true)
    assert track.j == pytest.approx([1, 0.904762, 0], abs=1e-6)
    assert track.f.tolist() == [1, 1, 0]


def test_means_are_over_objects_however_long_their_tracks():
    long = TrackScore(j=np.full(90, 0.8), f=np.full(90, 0.6))
    short = TrackScore(j=np.full(10, 0.4), f=np.full(10, 0.2))
    figures = davis([long, short])
    assert figures["j"] == pytest.approx(0.6)
    assert figures["f"] == pytest.approx(0.4)
    assert figures["j_and_f"] == pytest.approx(0.5)
    assert figures["j_recall"] == 0.5


def test_recall_counts_strictly_and_decay_is_of_quarters():
    values = np.array([1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.2, 0.2])
    # Quarters as DAVIS cuts them, both limits included: 0..2 and 5..7.
    assert mean_recall_decay(values) == pytest.approx((0.55, 0.25, 2.5 / 3 - 0.9 / 3))


def test_decay_is_right_in_long_tracks():
    """davis2017-evaluation's limits overflow at 256."""
    values = np.linspace(1, 0, 400)
    assert mean_recall_decay(values)[2] == pytest.approx(0.75, abs=0.01)


def test_g_is_the_mean_of_seen_and_unseen():
    def track(j, f):
        return TrackScore(j=np.array([j]), f=np.array([f]))

    figures = youtube_vos([track(1, 0.8), track(0.5, 0.4), track(0.2, 0.1)], [True, True, False])
    assert figures == pytest.approx({"g": 0.4125, "j_seen": 0.75, "j_unseen": 0.2, "f_seen": 0.6, "f_unseen": 0.1})


def test_an_object_that_is_not_predicted_has_empty_masks():
    labels = np.zeros((2, 4, 4), np.uint8)
    labels[0, 0, 0], labels[1, 1, 1] = 3, 255
    masks = object_masks(labels, [1, 3])
    assert masks.shape == (2, 2, 4, 4)
    assert masks.sum(axis=(2, 3)).tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: region_similarity(EMPTY, EMPTY[1:]), r"\(100, 100\) and \(99, 100\)"),
        (lambda: boundary_f(EMPTY[:0], EMPTY[:0]), "masks are"),
        (lambda: region_similarity(EMPTY, EMPTY, EMPTY[1:]), "void is"),
        (lambda: davis_track(np.array([EMPTY] * 4), np.array([EMPTY] * 5)), "predicted 4, true 5"),
        (lambda: davis_track(np.array([EMPTY] * 2), np.array([EMPTY] * 2)), "three frames"),
        (lambda: mean_recall_decay(np.array([0.5, np.nan])), r"not finite, the first at \[1\]"),
        (lambda: davis([]), "nothing to score"),
        (lambda: youtube_vos([TrackScore(j=np.ones(1), f=np.ones(1))], [True]), "unseen"),
        (lambda: object_masks(np.full((1, 2, 2), 7), [1, 2]), r"labels \[7\]"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(MetricError, match=words):
        call()

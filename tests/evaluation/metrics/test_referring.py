"""Boxes and masks of sentences, worked by hand and in other ways."""

import numpy as np
import pytest

from vitron_ros.boxes import iou
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.referring import (
    MaskOverlap,
    flickr30k_recall,
    generalised_iou,
    grec,
    grec_f1,
    mask_overlap,
    rec_accuracy,
    referring_segmentation,
)

BOX = np.array([[0.0, 0, 10, 10]])
HALF = np.array([[0.0, 0, 5, 10]])  # IoU with BOX: exactly 0.5
FAR = np.array([[50.0, 50, 60, 60]])
NO_BOXES = np.empty((0, 4))


def test_the_two_rules_of_rec_differ_at_one_half():
    predicted, true = np.concatenate([BOX, HALF, FAR, FAR * np.nan]), np.repeat(BOX, 4, axis=0)
    parsed = [True, True, True, False]
    assert rec_accuracy(predicted, true, parsed, "minigpt-v2") == {"accuracy": 0.25, "unparsed": 0.25}
    assert rec_accuracy(predicted, true, parsed, "lmms-eval") == {"accuracy": 0.5, "unparsed": 0.25}


def mask(width: int) -> np.ndarray:
    return np.tile(np.arange(10) < width, (10, 1))


def test_ciou_adds_pixels_and_giou_averages_samples():
    figures = referring_segmentation([mask_overlap(mask(10), mask(10)), mask_overlap(mask(1), mask(2))])
    assert figures["ciou"] == pytest.approx(110 / 120)
    assert figures["giou"] == 0.75
    assert (figures["pr70"], figures["n_acc"], figures["t_acc"]) == (0.5, None, 1)


@pytest.mark.parametrize(
    ("sample", "expected", "sums"),
    [
        (mask_overlap(mask(0), mask(0), says_no_target=True), 1, None),
        (mask_overlap(mask(3), mask(0), says_no_target=True), 1, None),
        (mask_overlap(mask(3), mask(0)), 0, (0, 30)),
        (mask_overlap(mask(3), mask(4), says_no_target=True), 0, (0, 40)),
        (mask_overlap(mask(3), mask(4)), 0.75, (30, 40)),
        (mask_overlap(mask(0), mask(4)), 0, (0, 40)),
    ],
    ids=["right none", "none despite a mask", "missed none", "wrong none", "target", "nothing drawn"],
)
def test_samples_without_target_count_as_in_rela(sample, expected, sums):
    whole = MaskOverlap(intersection=100, union=100)
    figures = referring_segmentation([sample, whole])
    assert figures["giou"] == (expected + 1) / 2
    shared, union = sums or (0, 0)
    assert figures["ciou"] == (100 + shared) / (100 + union)


def test_n_acc_and_t_acc_are_shares_of_their_own_samples():
    samples = [
        MaskOverlap(intersection=0, union=0, is_no_target=True, says_no_target=True),
        MaskOverlap(intersection=0, union=9, is_no_target=True),
        MaskOverlap(intersection=0, union=9, is_no_target=True),
        MaskOverlap(intersection=9, union=9),
        MaskOverlap(intersection=0, union=9, says_no_target=True),
    ]
    figures = referring_segmentation(samples)
    assert (figures["n_acc"], figures["t_acc"]) == (pytest.approx(1 / 3), 0.5)


def test_mask_iou_agrees_with_pycocotools():
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(4)
    for _ in range(1000):
        a, b = (rng.random((2, 18, 24)) < 0.3).repeat(2, axis=1)
        one, other = (coco.encode(np.asfortranarray(item, np.uint8)) for item in (a, b))
        assert mask_overlap(a, b).iou == pytest.approx(coco.iou([one], [other], [False])[0, 0], abs=1e-12)


@pytest.mark.parametrize(
    ("predicted", "scores", "true", "expected"),
    [
        (BOX, [0.9], BOX, 1),
        (NO_BOXES, [], NO_BOXES, 1),
        (BOX, [0.6], NO_BOXES, 1),  # below the score that counts
        (BOX, [0.7], NO_BOXES, 0),
        (NO_BOXES, [], BOX, 0),
        (np.concatenate([BOX, FAR]), [0.9, 0.9], BOX, 2 / 3),
        (np.concatenate([BOX, BOX]), [0.9, 0.9], BOX, 2 / 3),
        (np.concatenate([FAR, BOX]), [0.9, 0.8], np.concatenate([BOX, FAR]), 1),
        (BOX, [0.9], np.concatenate([BOX, FAR]), 2 / 3),
    ],
)
def test_f1_of_a_sentence(predicted, scores, true, expected):
    assert grec_f1(predicted, scores, true) == pytest.approx(expected)


def test_f1_matches_by_generalised_iou():
    """An IoU of 0.5 in opposite corners has a generalised IoU below it."""
    shifted = BOX + np.array([2, 2, 2, 2]) * 0.92
    assert iou(shifted, BOX)[0] > 0.49
    assert generalised_iou(shifted, BOX)[0] == pytest.approx(iou(shifted, BOX)[0] - 2 * 1.84**2 / 11.84**2)
    assert grec_f1(shifted, [1.0], BOX) == 0
    assert generalised_iou(BOX, FAR)[0] == pytest.approx(-(3600 - 200) / 3600)


def test_grec_counts_only_whole_sentences():
    figures = grec([1, 1, 2 / 3, 0], [True, False, False, False], [True, False, False, True])
    assert figures == {"precision_f1": 0.5, "n_acc": 0.5, "t_acc": 1}


def test_recall_of_phrases_with_several_boxes():
    chain = np.array([[0.0, 0, 10, 10], [10, 0, 20, 10]])
    hull = np.array([[0.0, 0, 20, 10]])
    assert flickr30k_recall([BOX, hull], [chain, chain], "any-box") == 1  # the hull has IoU 0.5 with each
    assert flickr30k_recall([BOX + 4, hull], [chain, chain], "merged-box") == 0.5
    ranked = [np.concatenate([FAR, BOX]), NO_BOXES]
    assert [flickr30k_recall(ranked, [BOX, BOX], "any-box", k) for k in (1, 2)] == [0, 0.5]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rec_accuracy(BOX, np.repeat(BOX, 2, axis=0), [True], "lmms-eval"), "predicted 1, true 2"),
        (lambda: rec_accuracy(BOX * np.nan, BOX, [True], "lmms-eval"), "predicted has 4 values"),
        (lambda: rec_accuracy(BOX, BOX * np.nan, [True], "lmms-eval"), "true has 4 values"),
        (lambda: rec_accuracy(BOX, BOX * 0, [True], "lmms-eval"), "no area"),
        (lambda: mask_overlap(mask(1), mask(1)[1:]), "one size"),
        (lambda: referring_segmentation([]), "nothing to score"),
        (lambda: grec_f1(BOX, [0.5, 0.5], BOX), "as many finite scores"),
        (lambda: grec_f1(BOX, [np.nan], BOX), "as many finite scores"),
        (lambda: grec([1], [True], []), "different lengths"),
        (lambda: flickr30k_recall([BOX], [NO_BOXES], "any-box"), "true has shape"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(MetricError, match=words):
        call()

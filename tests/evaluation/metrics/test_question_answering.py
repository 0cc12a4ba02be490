"""Soft accuracy, exact match and AUROC."""

import numpy as np
import pytest

from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.question_answering import auroc, exact_match, normalised_answer, vqa_soft_accuracy


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("The two Dogs.", "2 dogs"),
        ("none", "0"),
        ("dont know", "don't know"),
        ("couldntve", "couldntve"),  # the official table knows words with one apostrophe missing, not two
        ("couldn'tve", "couldn't've"),
        ("3.5", "3.5"),
        ("black/white", "black white"),
        ("black / white", "black white"),
        ("1,000", "1000"),
        ("red, blue", "red blue"),
        ("yes!", "yes"),
        ("a", ""),
        ("t-shirt", "t shirt"),
    ],
)
def test_normalisation(text, normalised):
    assert normalised_answer(text) == normalised


@pytest.mark.parametrize(
    ("matches", "official", "short"), [(0, 0, 0), (1, 0.3, 1 / 3), (2, 0.6, 2 / 3), (3, 0.9, 1), (4, 1, 1)]
)
def test_soft_accuracy_by_the_number_of_equal_answers(matches, official, short):
    annotated = ["yes"] * matches + [f"other {number}" for number in range(10 - matches)]
    assert vqa_soft_accuracy("yes", annotated, "official") == pytest.approx(official)
    assert vqa_soft_accuracy("yes", annotated, "minigpt-v2") == pytest.approx(short)


def test_texts_are_normalised_only_if_annotators_differ():
    assert vqa_soft_accuracy("Two", ["2"] * 10, "official") == 0
    assert vqa_soft_accuracy("Two", ["2"] * 9 + ["3"], "official") == 1
    assert vqa_soft_accuracy("TWO", ["two"] * 10, "minigpt-v2") == 1


def test_exact_match_after_normalisation():
    assert exact_match(["the dog", "two", "cat"], ["Dog.", "2", "a kitten"]) == pytest.approx(2 / 3)


def test_auroc_by_hand():
    assert auroc([0.1, 0.4, 0.35, 0.8], [False, False, True, True]) == 0.75
    assert auroc([1, 1], [True, False]) == 0.5


def test_auroc_counts_pairs():
    rng = np.random.default_rng(9)
    for _ in range(1000):
        scores, positive = rng.integers(0, 6, 12), rng.permutation([True] * 5 + [False] * 7)
        difference = scores[positive][:, None] - scores[~positive]
        assert auroc(scores, positive) == pytest.approx(((difference > 0) + 0.5 * (difference == 0)).mean())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: vqa_soft_accuracy("a", ["b"], "official"), "two annotators"),
        (lambda: vqa_soft_accuracy("a", "bc", "official"), "two annotators"),
        (lambda: exact_match(["a"], []), "answers 1, true 0"),
        (lambda: auroc([1, 2], [True]), "scores 2, is_positive 1"),
        (lambda: auroc([1, np.nan], [True, False]), "not finite"),
        (lambda: auroc([1, 2], [True, True]), "positive and negative"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(MetricError, match=words):
        call()

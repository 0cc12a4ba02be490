import numpy as np
import pytest

from vitron_ros.grounding.families.detections import (
    MOST_CANDIDATES,
    Detections,
    candidates,
    fitting,
    inside,
    normalised,
)

A, A_NEAR, B = [10, 10, 50, 50], [11, 10, 51, 50], [60, 10, 90, 50]


def detections(*found):
    boxes, scores = [box for box, _ in found], [score for _, score in found]
    return Detections(np.array(boxes, float).reshape(-1, 4), np.array(scores, float))


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ([], []),
        ([(A, 0.2)], []),
        ([(A, 0.3)], [A]),
        ([(A, 0.4), (B, 0.9)], [B, A]),
        ([(A, 0.4), (A_NEAR, 0.5)], [A_NEAR]),
        ([(A, 0.5), (A, 0.5)], [A]),
        ([(A, 0.5), (A_NEAR, 0.2), (B, 0.6)], [B, A]),
    ],
)
def test_candidates_are_what_counts_best_first_each_thing_once(found, kept):
    assert candidates(detections(*found), 0.3).boxes_xyxy.tolist() == kept


def test_candidates_are_not_endless():
    found = detections(*(([20 * place, 0, 20 * place + 10, 10], 0.9) for place in range(200)))
    assert len(candidates(found, 0.3).scores) == MOST_CANDIDATES


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        ([-20, -5, 50, 40], [[0, 0, 50, 40]]),
        ([50, 20, 400, 300], [[50, 20, 100, 80]]),
        ([120, 10, 150, 40], []),
        ([10, 10, 10.5, 40], []),
        ([40, 10, 10, 40], []),
    ],
)
def test_boxes_are_cut_to_the_image(box, kept):
    assert inside(detections((box, 0.5)), 100, 80).boxes_xyxy.tolist() == kept


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("The Person in the RED jacket", "the person in the red jacket"),
        ("  the mug .", "the mug"),
        ("the mug. the cup?", "the mug the cup"),
        ("person no. 3.5", "person no 3.5"),
        ("der Becher\n\tdort!", "der becher dort"),
    ],
)
def test_a_phrase_is_one_sentence_in_lower_case(phrase, text):
    assert normalised(phrase) == text


@pytest.mark.parametrize(
    ("limit", "text", "rest"), [(5, "a b c", ""), (3, "a b c", ""), (2, "a b", "c"), (1, "a", "b c"), (0, "", "a b c")]
)
def test_a_phrase_is_cut_at_words(limit, text, rest):
    assert fitting("a b c", lambda words: len(words.split()), limit) == (text, rest)

"""The parts of a phrase, and whether a description or a place agrees with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.grounding.agreement import disagreement
from vitron_ros.grounding.phrase import Order, Relation, read_phrases
from vitron_ros.grounding.placement import beats, is_beside, keeps_order, place_words


@pytest.mark.parametrize(
    ("text", "words", "more"),
    [
        ("the small red ring", ("small", "red", "ring"), {}),
        ("the Red RING, please", ("red", "ring"), {}),
        ("the red cup with stripes", ("striped", "red", "cup"), {}),
        ("the object that comes back after hiding", (), {}),
        ("the ring in the picture", ("ring",), {}),
        ("that ring over there", ("ring",), {}),
        ("the closest object", (), {}),
        ("red rings", ("red", "ring"), {"many": "several"}),
        ("all rings", ("ring",), {"many": "all"}),
        ("two rings", ("ring",), {"many": "two"}),
        ("the ring that is not red", ("ring",), {"excluded": ("red",)}),
        ("the ring without stripes", ("ring",), {"excluded": ("striped",)}),
        ("not the red ring", (), {"excluded": ("red", "ring"), "is_negative": True}),
        ("anything except the ring", (), {"excluded": ("ring",), "is_negative": True}),
        ("the bottle left of the red square", ("bottle",), {"relation": Relation("left", "the red square")}),
        ("the mug that has the star on its right", ("mug",), {"relation": Relation("left", "the star")}),
        ("the moon over the car", ("moon",), {"relation": Relation("above", "the car")}),
        ("the one next to the blue square", (), {"relation": Relation("near", "the blue square")}),
        ("the leftmost ring", ("ring",), {"order": Order("left")}),
        ("the ring on the right", ("ring",), {"order": Order("right")}),
        ("the second ring from the left", ("ring",), {"order": Order("left", 2)}),
        ("ring number 3 from the top", ("ring",), {"order": Order("above", 3)}),
        ("the largest thing", (), {"order": Order("largest")}),
    ],
)
def test_parts(text, words, more):
    (phrase,) = read_phrases(text).items
    assert phrase.words == words
    for name in ("excluded", "relation", "order", "many", "is_negative"):
        assert getattr(phrase, name) == more.get(name, {"excluded": (), "many": "", "is_negative": False}.get(name))


@pytest.mark.parametrize(
    ("text", "joined", "parts"),
    [
        ("the small red ring and the purple mug", "and", ["the small red ring", "the purple mug"]),
        ("the red ring or the blue ring", "or", ["the red ring", "the blue ring"]),
        ("red ring and purple mug", "and", ["red ring", "purple mug"]),
        ("the object that hides and returns", "", ["the object that hides and returns"]),
        ("the red and blue ring", "", ["the red and blue ring"]),
    ],
)
def test_joined_phrases(text, joined, parts):
    phrases = read_phrases(text)
    assert (phrases.joined, [phrase.text for phrase in phrases.items]) == (joined, parts)


@given(st.text(max_size=60))
def test_every_text_has_parts(text):
    assert read_phrases(text).items


@pytest.mark.parametrize(
    ("text", "description", "word"),
    [
        ("the purple mug", "small plain purple mug", ""),
        ("the red mug", "small plain purple mug", "red"),
        ("the purple ring", "small plain purple mug", "ring"),
        ("the cup", "small plain purple mug", ""),
        ("the blue thing", "a small blue ring", ""),
        ("the large ring", "small red ring", "large"),
        ("the large ring", "medium red ring", ""),
        ("the striped star", "medium plain orange star", "striped"),
        ("the ring that is not red", "small red ring", "not red"),
        ("the ring that is not red", "small blue ring", ""),
        ("the bottle left of the red object", "small plain green bottle", ""),
        ("the ring", "", ""),
        ("the ring", "red", ""),
    ],
)
def test_a_description_speaks_against_the_words_of_the_thing_itself(text, description, word):
    assert disagreement(read_phrases(text).items[0], description) == word


LEFT, RIGHT, BIG = (np.array(box, float) for box in ([0, 0, 10, 10], [80, 0, 90, 10], [40, 40, 80, 80]))


def test_places():
    assert is_beside(LEFT, RIGHT, "left") and not is_beside(RIGHT, LEFT, "left")
    assert beats(LEFT, RIGHT, "left", 100) and not beats(RIGHT, LEFT, "left", 100)
    assert not beats(LEFT + 1, LEFT, "right", 100), "one and the same thing"
    assert beats(BIG, LEFT, "largest", 100) and beats(LEFT, BIG, "smallest", 100)
    assert keeps_order(RIGHT, LEFT, Order("left", 2), 100) and not keeps_order(LEFT, LEFT, Order("left", 2), 100)
    assert place_words(RIGHT, 100, 100) == "at the top right, x 80 to 90 and y 0 to 10"
    assert place_words(BIG, 120, 120) == "in the middle, x 40 to 80 and y 40 to 80"

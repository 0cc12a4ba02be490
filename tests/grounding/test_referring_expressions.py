"""The parts of a phrase, and whether a description or a place agrees with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.grounding.description_check import contradiction
from vitron_ros.grounding.referring_expressions import Ordinal, Relation, parse_expressions
from vitron_ros.grounding.spatial_relations import is_more_extreme, is_on_side, location_text, may_have_rank


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
        ("red rings", ("red", "ring"), {"quantifier": "several"}),
        ("all rings", ("ring",), {"quantifier": "all"}),
        ("two rings", ("ring",), {"quantifier": "two"}),
        ("12 rings", ("ring",), {"quantifier": "12"}),
        ("all of the rings", ("ring",), {"quantifier": "all"}),
        ("people", ("person",), {"quantifier": "several"}),
        ("the person wearing glasses", ("person",), {}),
        ("the car parked by the trees", ("car",), {"relation": Relation("near", "the trees")}),
        ("the ring that is not red", ("ring",), {"excluded": ("red",)}),
        ("the ring without stripes", ("ring",), {"excluded": ("striped",)}),
        ("not the red ring", (), {"excluded": ("red", "ring"), "is_negative": True}),
        ("anything except the ring", (), {"excluded": ("ring",), "is_negative": True}),
        ("the bottle left of the red square", ("bottle",), {"relation": Relation("left", "the red square")}),
        ("the mug that has the star on its right", ("mug",), {"relation": Relation("left", "the star")}),
        ("the moon over the car", ("moon",), {"relation": Relation("above", "the car")}),
        ("the one next to the blue square", (), {"relation": Relation("near", "the blue square")}),
        ("the leftmost ring", ("ring",), {"ordinal": Ordinal("left")}),
        ("the ring on the right", ("ring",), {"ordinal": Ordinal("right")}),
        ("the second ring from the left", ("ring",), {"ordinal": Ordinal("left", 2)}),
        ("ring number 3 from the top", ("ring",), {"ordinal": Ordinal("above", 3)}),
        ("the largest thing", (), {"ordinal": Ordinal("largest")}),
    ],
)
def test_parts(text, words, more):
    (phrase,) = parse_expressions(text).items
    assert phrase.words == words
    for name in ("excluded", "relation", "ordinal", "quantifier", "is_negative"):
        assert getattr(phrase, name) == more.get(
            name, {"excluded": (), "quantifier": "", "is_negative": False}.get(name)
        )


@pytest.mark.parametrize(
    ("text", "count", "is_plain"),
    [
        ("the ring", 1, False),
        ("a ring", 1, False),
        ("ring", 1, True),
        ("one of the rings", 1, False),
        ("the leftmost ring", 1, False),
        ("leftmost ring", 1, False),
        ("both rings", 2, False),
        ("the three red rings", 3, False),
        ("two of the rings", 2, False),
        ("25 rings", 25, False),
        ("rings", None, False),
        ("every ring", None, False),
        ("these rings", None, False),
    ],
)
def test_how_many_are_meant(text, count, is_plain):
    (phrase,) = parse_expressions(text).items
    assert (phrase.count, phrase.is_plain) == (count, is_plain)


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("the red ring", "the red ring"),
        ("all people", "the person"),
        ("both of the red cups on the table", "the red cup on the table"),
        ("the two red rings", "the red ring"),
        ("12 mugs", "the mug"),
        ("every mug that is not red", "the mug that is not red"),
    ],
)
def test_what_is_said_of_each_of_several(text, one):
    assert parse_expressions(text).items[0].text_of_one == one


@pytest.mark.parametrize(
    ("text", "conjunction", "parts"),
    [
        ("the small red ring and the purple mug", "and", ["the small red ring", "the purple mug"]),
        ("the red ring or the blue ring", "or", ["the red ring", "the blue ring"]),
        ("red ring and purple mug", "and", ["red ring", "purple mug"]),
        ("the object that hides and returns", "", ["the object that hides and returns"]),
        ("the red and blue ring", "", ["the red and blue ring"]),
    ],
)
def test_joined_phrases(text, conjunction, parts):
    phrases = parse_expressions(text)
    assert (phrases.conjunction, [phrase.text for phrase in phrases.items]) == (conjunction, parts)


@given(st.text(max_size=60))
def test_every_text_has_parts(text):
    assert parse_expressions(text).items


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
    assert contradiction(parse_expressions(text).items[0], description) == word


LEFT, RIGHT, BIG = (np.array(box, float) for box in ([0, 0, 10, 10], [80, 0, 90, 10], [40, 40, 80, 80]))


def test_places():
    assert is_on_side(LEFT, RIGHT, "left") and not is_on_side(RIGHT, LEFT, "left")
    assert is_more_extreme(LEFT, RIGHT, "left", 100) and not is_more_extreme(RIGHT, LEFT, "left", 100)
    assert not is_more_extreme(LEFT + 1, LEFT, "right", 100), "one and the same thing"
    assert is_more_extreme(BIG, LEFT, "largest", 100) and is_more_extreme(LEFT, BIG, "smallest", 100)
    assert may_have_rank(RIGHT, LEFT, Ordinal("left", 2), 100) and not may_have_rank(
        LEFT, LEFT, Ordinal("left", 2), 100
    )
    assert location_text(RIGHT, 100, 100) == "at the top right, x 80 to 90 and y 0 to 10"
    assert location_text(BIG, 120, 120) == "in the middle, x 40 to 80 and y 40 to 80"

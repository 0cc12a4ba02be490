"""Which words of a prompt a model has never been taught."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.grounding.vocabulary import Vocabulary

TAUGHT = Vocabulary.collect(
    [
        "Track {text}. Give its box in every frame.",
        "the small red ring left of the blue square with stripes",
        " I will cut it out. <module>Image Segmentation</module> <instruction>segmentation: green star</instruction>",
        "How many boxes are there? What colour is it?",
    ]
)


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("the red ring", ()),
        ("The RED ring, left of the square!", ()),
        ("Please track the two red rings", ("two",)),
        ("the ring's colour", ()),
        ("the rings' colours", ()),
        ("What's it?", ()),
        ("a person in a jacket; the person", ("a", "person", "jacket")),
        ("the red-blue ring", ()),
        ("ring number 2", ("number",)),
        ("le carré", ("le", "carré")),
        ("圆环", ("圆环",)),
        ("don't track it, robot", ()),
        ("don’t track the ring’s box", ()),
        ("text module instruction", ("text", "module", "instruction")),
        ("", ()),
        ("12 ?!", ()),
    ],
)
def test_unknown_words(text, unknown):
    assert TAUGHT.unknown(text) == unknown


def test_without_a_file_every_word_is_known(tmp_path):
    everything = Vocabulary.load(tmp_path)
    assert everything.unknown("a person on a bicycle") == ()
    everything.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_words_are_a_file_of_one_word_a_line(tmp_path):
    TAUGHT.save(tmp_path)
    lines = (tmp_path / "words.txt").read_text().splitlines()
    assert lines == sorted(lines) and "segmentation" in lines and "ring" in lines
    assert Vocabulary.load(tmp_path) == TAUGHT


def test_a_file_written_by_hand_may_have_capitals(tmp_path):
    (tmp_path / "words.txt").write_text("Ring\nSTAR\n")
    assert Vocabulary.load(tmp_path).unknown("star ring moon") == ("moon",)


@given(st.lists(st.text(max_size=40), max_size=4))
def test_what_was_taught_is_known(texts):
    assert (
        Vocabulary.collect(texts).unknown(" ".join(text for text in texts if "{" not in text and "<" not in text)) == ()
    )


SMALL = Vocabulary(frozenset(["the", "small", "large", "red", "ring", "circle", "colour", "what", "is", "mug"]))


@pytest.mark.parametrize(
    ("word", "near"),
    [("little", "small"), ("tiny", "small"), ("huge", "large"), ("disc", "circle"), ("rign", "ring"), ("smal", "small"),
     ("crimson", "red"), ("cups", "mug"), ("anillo", ""), ("小红环", ""), ("s", ""), ("long", ""), ("sing", "")],
)  # fmt: skip
def test_a_known_word_near_an_unknown_one(word, near):
    assert SMALL.near(word) == near


def test_other_spellings_and_spacings_of_known_words_are_known():
    assert SMALL.respelled("What color is the gray mug?") == "What colour is the gray mug?"
    assert SMALL.respelled("what is\n\n the\tmug ") == "what is the mug"
    assert Vocabulary().respelled("What color\n is it?") == "What color\n is it?"

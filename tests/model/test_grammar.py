import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_language import bpe, sentencepiece

from vitron_ros.errors import ModelError
from vitron_ros.model.answers import one_box_text, track_text
from vitron_ros.model.grammar import END, box_grammar, branch, literal, track_grammar
from vitron_ros.model.tokenizer import train_tokenizer

BOTH = pytest.mark.parametrize("tokenizer", [bpe(), sentencepiece()], ids=["bpe", "sentencepiece"])

boxes = st.tuples(*[st.integers(0, 100).map(lambda number: number / 100)] * 4)


def free_places(state, tokenizer, text: str) -> int | None:
    """In how many places of an answer the grammar has a choice; None: it refuses the answer."""
    free = 0
    for token in [*tokenizer.encode_answer(text), tokenizer.eos_id]:
        if token not in state:
            return None
        free += len(state) > 1
        state = state[token]
    return free if state == END else None


@BOTH
@given(answer=st.one_of(st.none(), boxes))
def test_every_answer_to_rec_is_allowed(tokenizer, answer):
    assert free_places(box_grammar(tokenizer), tokenizer, one_box_text(answer)) is not None


@BOTH
@given(answers=st.lists(st.one_of(st.none(), boxes), min_size=1, max_size=4))
def test_every_answer_to_rsot_is_allowed(tokenizer, answers):
    text = track_text(dict(enumerate(answers, 1)))
    assert free_places(track_grammar(tokenizer, len(answers)), tokenizer, text) is not None


@BOTH
@pytest.mark.parametrize(
    "text",
    ["[1,2,3]", "[1,2,3,4,5]", "[1,2,3,101]", "[1,2,3,04]", "[1,2,3,-4]", "[1, 2,3,4]", "(1,2,3,4)", "nothing", ""],
)
def test_what_is_no_box_is_refused(tokenizer, text):
    assert free_places(box_grammar(tokenizer), tokenizer, text) is None


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        "Frame 1: [1,2,3,4].",
        "Frame 1: [1,2,3,4], Frame 2: [1,2,3,4]",
        "Frame 1: [1,2,3,4], Frame 3: [1,2,3,4].",
        "Frame 1: [1,2,3,4], Frame 2: [1,2,3,4], Frame 3: none.",
        "[1,2,3,4]",
    ],
)
def test_a_track_of_other_frames_is_refused(tokenizer, text):
    assert free_places(track_grammar(tokenizer, 2), tokenizer, text) is None


def test_number_tokens_leave_one_choice_a_number_one_a_frame_and_one_at_the_start():
    text = track_text(dict.fromkeys(range(1, 9), (0.23, 0.45, 0.46, 1.0)))
    assert free_places(track_grammar(bpe(), 8), bpe(), text) == 1 + 8 * 5


def test_digits_leave_no_choice_after_two_of_them_but_for_10():
    free = {text: free_places(box_grammar(sentencepiece()), sentencepiece(), text) for text in (
        "[23,45,46,72]", "[23,45,46,10]", "[23,45,46,100]", "[23,45,46,0]", "[23,45,46,7]"
    )}  # fmt: skip
    assert list(free.values()) == [1 + 8, 1 + 9, 1 + 9, 1 + 7, 1 + 8]


def test_common_beginnings_are_shared_and_short_runs_may_end_inside_long_ones():
    after = {9: END}
    state = branch([([1], after), ([1, 2], after), ([3], END)])
    assert state == {1: {2: {9: {}}, 9: {}}, 3: {}}
    assert literal([4, 5], after) == {4: {5: {9: {}}}}
    assert after == {9: END}


def test_answers_that_tokens_cannot_tell_apart_are_refused():
    with pytest.raises(ModelError, match="same tokens"):
        branch([([1], {2: END}), ([1], {3: END})])
    with pytest.raises(ModelError, match="beginning of another"):
        branch([([1], {2: END}), ([1, 2], {3: END})])


def test_no_frames_have_no_track():
    with pytest.raises(ModelError, match="at least one frame"):
        track_grammar(bpe(), 0)


def test_a_tokenizer_that_merges_numbers_with_signs_is_refused():
    import json

    from vitron_ros.model.tokenizer import JsonBackend, Tokenizer

    state = json.loads(train_tokenizer(["x"], 350)._backend._library.to_str())
    state["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    state["model"]["vocab"]["4,"] = len(state["model"]["vocab"])
    state["model"]["merges"].insert(0, ["4", ","])
    with pytest.raises(
        ModelError, match=r"merges the 4 of a box with the signs beside it; decode .* without a grammar"
    ):
        box_grammar(Tokenizer(JsonBackend(json.dumps(state), "the test's tokenizer")))

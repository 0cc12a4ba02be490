"""Earlier turns reach the model where a new one needs them, and nowhere else."""

import numpy as np
import pytest

from vitron_ros.grounding.conversation_context import refers_back, with_needed_history
from vitron_ros.grounding.request import ConversationTurn, ModelRequest, Task
from vitron_ros.model.checkpoint import find_checkpoint, read_config
from vitron_ros.region import Region

BACK = [
    *("remove it", "What colour is it?", "track the star left of it", "Is it left of the blue square?", "segment them"),
    *("what is that?", "Remove this.", "cut that, please", "what is its shape?", "is the ring above it red?"),
    *("the other one", "track the other ring", "another", "find the same in this image", "what else is there?"),
    *("the red one", "track the small red one", "that one", "which one is larger?", "remove the blue one instead"),
    *("and the mug?", "what about the green star?", "why?", "again", "once more"),
]
ALONE = [
    *("track the purple mug", "what is left of the blue square?", "remove the ring that is not red", "hello", ""),
    *(
        "track that purple mug",
        "how many rings are there?",
        "segment the green star again",
        "one ring",
        "find one star",
    ),
    *("track the ball until it stops", "find the mug and track it", "the one next to the blue square"),
    *("does the star hide before it returns?", "the red ring and the other ring", "italics", "this object is red"),
]


@pytest.mark.parametrize("text", BACK)
def test_a_sentence_that_needs_those_before_it_is_known(text):
    assert refers_back(text)


@pytest.mark.parametrize("text", ALONE)
def test_a_sentence_that_says_all_it_means_stands_alone(text):
    assert not refers_back(text)


def exchange(question: str, box: bool = False) -> ConversationTurn:
    return ConversationTurn(question=question, reply="red", box_xyxy=np.array([1.0, 2, 3, 4]) if box else None)


def asked(text: str, history, **values) -> ModelRequest:
    return ModelRequest(id="a", task=Task.ASK, frames=(), text=text, history=tuple(history), **values)


TURNS = [exchange("track the mug", True), exchange("find the ring", True), exchange("what colour is it?")]


def test_the_bundled_model_is_asked_as_it_was_trained():
    assert read_config(find_checkpoint("vitron-tiny")).history == "antecedent"


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_a_command_behind_others_is_the_command_alone(count):
    request = with_needed_history(asked("track the purple mug", TURNS[:1] * count), "antecedent")
    assert request.history == ()


def test_a_pronoun_gets_the_turn_that_has_what_it_means():
    assert with_needed_history(asked("remove it", TURNS[:2]), "antecedent").history == (TURNS[1],)
    assert with_needed_history(asked("remove it", TURNS), "antecedent").history == (TURNS[1],)
    told = [TURNS[0], exchange("what is left of the square?")]
    assert with_needed_history(asked("remove it", told), "antecedent").history == (told[1],)
    assert with_needed_history(asked("remove it", [TURNS[2]] * 3), "antecedent").history == (TURNS[2],)


def test_a_mark_is_what_a_pronoun_means():
    request = asked("remove it", TURNS, regions=(Region.from_point(1, 1),))
    assert with_needed_history(request, "antecedent").history == ()


def test_a_model_that_knows_conversations_gets_all_of_them():
    assert with_needed_history(asked("track the mug", TURNS), "all").history == tuple(TURNS)

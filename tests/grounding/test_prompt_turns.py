"""Which frames a question is asked of, and in which words."""

import numpy as np
import pytest

from vitron_ros.frame import Frame
from vitron_ros.grounding.prompt_turns import turns, with_needed_frames
from vitron_ros.grounding.request import ConversationTurn, ModelRequest, Task
from vitron_ros.region import Region

CLIP = tuple(Frame(rgb=np.zeros((8, 8, 3), np.uint8), stamp_ns=stamp) for stamp in (1, 2, 3))
MARK = Region.from_box(np.array([1.0, 1, 4, 4]))


def needed(text: str, task: Task = Task.ASK, **values: object) -> tuple[int, ...]:
    request = ModelRequest(id="a", task=task, frames=CLIP, text=text, **values)
    return tuple(frame.stamp_ns for frame in with_needed_frames(request).frames)


@pytest.mark.parametrize(
    "text",
    ["What is left of the blue square?", "cut out the green star", "How many rings are there?", "Is it red?"],
)
def test_what_is_there_is_asked_of_the_newest_frame(text):
    assert needed(text) == (3,)


@pytest.mark.parametrize(
    "text",
    ["Which object comes back after hiding?", "Does the ring MOVE?", "Cut it out in every frame.", "What goes away?",
     "Remove the star from the video.", "What is heading left?"],
)  # fmt: skip
def test_what_happens_is_asked_of_the_clip(text):
    assert needed(text) == (1, 2, 3)


def test_a_mark_belongs_to_the_newest_frame():
    assert needed("Does this move?", regions=(MARK,)) == (3,)


@pytest.mark.parametrize("task", [Task.FIND, Task.FOLLOW])
def test_other_tasks_see_the_whole_clip(task):
    assert needed("the red ring", task) == (1, 2, 3)


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("cut out the green star", "Cut out the green star."),
        ("what is left of the blue square", "What is left of the blue square?"),
        (" Whatever you see, mark it! ", "Whatever you see, mark it!"),
        ("is it red?", "Is it red?"),
        ("isolate the ring", "Isolate the ring."),
        ("Remove it.", "Remove it."),
    ],
)
def test_people_are_heard_in_whole_sentences(typed, asked):
    """As in training: "cut" in small letters is another token, and was never the first."""
    history = (ConversationTurn(question=typed, reply="yes"),)
    request = ModelRequest(id="a", task=Task.ASK, frames=CLIP, text=typed, history=history)
    assert [turn.text for turn in turns(request)] == [asked, asked]


def test_a_phrase_to_find_is_left_as_it_is():
    (turn,) = turns(ModelRequest(id="a", task=Task.FIND, frames=CLIP[:1], text="the red ring"))
    assert turn.text == "the red ring"

import pytest

from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.commands.plan import Step, check_call, check_plan, module_for
from vitron_ros.commands.reading import read_plan
from vitron_ros.module_registry import REGISTRY, Module


def shown(text):
    return [f"{step.kind} {step.action or '-'} {step.object or 'it'}" for step in read_plan(text)]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("track the purple mug", ["track - the purple mug"]),
        ("where is the red ring?", ["ask - the red ring"]),
        ("find the red ring", ["ask - the red ring"]),
        ("What colour is the mug?", ["ask - it"]),
        ("hello", ["ask - it"]),
        ("cut out the green star", ["module segment the green star"]),
        ("draw a red ball left of a cup", ["module generate it"]),
        ("turn the picture into a sketch", ["module style it"]),
        (
            "track the purple mug, cut it out and make it blue",
            ["track - the purple mug", "module segment it", "module recolour it"],
        ),
        ("Remove the red ring and play it back.", ["module remove the red ring", "play - it"]),
        ("remove the red ring and the blue square", ["module remove the red ring", "module remove the blue square"]),
        ("track the mug and tell me its colour", ["track - the mug", "ask - it"]),
        ("Cut out the mug. What is left of it?", ["module segment the mug", "ask - it"]),
        ("could you please remove it", ["module remove it"]),
        # Only what was said.
        ("track the mug, but do not remove it", ["track - the mug"]),
        ("do not remove the ring", ["ask - it"]),
        ("he said: remove the ring", ["ask - it"]),
        ("remove the ring if it moves", ["ask - it"]),
        ("what happens if I remove the ring?", ["ask - it"]),
    ],
)
def test_a_sentence_becomes_the_steps_that_it_asks_for(text, steps):
    assert shown(text) == steps


def test_each_step_has_its_own_clause_and_says_whether_a_clip_is_meant():
    plan = read_plan("Move the mug to the left, then replace it with a blue star, in the video")
    assert plan[0].instruction == "move: move the mug to the left"
    assert plan[1].instruction.startswith("replace: replace it with a blue star")
    assert {step.is_clip for step in plan} == {True}
    assert [step.is_clip for step in read_plan("remove the mug and play it back")] == [True, True]
    assert read_plan("remove the mug from the picture")[0].is_clip is False
    assert read_plan("remove the mug")[0].is_clip is None


def test_the_registry_says_which_module_does_a_step():
    for entry in REGISTRY.values():
        for action in entry.actions:
            is_clip = entry.input == "clip" or entry.makes_clip
            assert module_for(action, is_clip=is_clip).module is entry.module
    assert module_for("animate", is_clip=False).module is Module.IMAGE_TO_VIDEO


@pytest.mark.parametrize(
    ("plan", "outcome"),
    [
        ((Step(kind="ask", text="?"),) * 13, Outcome.REFUSED),
        ((Step(kind="module", text="do it"),), Outcome.REJECTED),
        ((Step(kind="ask", text="do it", action="remove"),), Outcome.REJECTED),
        ((Step(kind="module", text="", action="remove"),), Outcome.REJECTED),
        ((Step(kind="module", text="x" * 2001, action="remove"),), Outcome.REJECTED),
        ((Step(kind="track", text="track it", is_clip=False),), Outcome.REJECTED),
    ],
)
def test_a_plan_that_cannot_be_is_refused_before_anything_is_done(plan, outcome):
    with pytest.raises(CommandFailure) as error:
        check_plan(plan)
    assert error.value.outcome is outcome


def test_a_call_of_the_model_must_be_what_the_step_asks_for():
    step = read_plan("cut out the red ring")[0]
    check_call(step, ("segmentation: red ring",))
    with pytest.raises(CommandFailure, match='the model would remove, but "cut out the red ring" was said'):
        check_call(step, ("remove: red ring",))

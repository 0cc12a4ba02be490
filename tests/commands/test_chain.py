"""What a conversation brings about, sentence by sentence."""

import pytest

from tests.commands.scripted_world import HERE, THERE, ScriptedWorld
from vitron_ros.commands.chain import do
from vitron_ros.commands.conversation import Conversation
from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.commands.plan import Target
from vitron_ros.commands.world import Answer
from vitron_ros.modules.module import Cancelled, Progress


def said(world, *texts, progress=None):
    """What is done for the sentences of one conversation, and the last reply."""
    conversation = Conversation()
    replies = [do(text, world, conversation, progress or Progress()) for text in texts]
    return replies[-1], [each for each in world.done if not each.startswith("ask where is")]


def call(instruction, region=HERE):
    return Answer(text="", instructions=(instruction,), called_on=Target(phrase="", region=region, stamp_ns=5))


def test_four_steps_pass_their_target_and_their_pictures_on():
    told = []
    world, progress = ScriptedWorld(), Progress(lambda fraction, preview: told.append(fraction))
    steps = []
    reply = do(
        "track the purple mug, cut it out, make it blue and play it back",
        world,
        Conversation(),
        progress,
        lambda number, plan, said: steps.append((number, len(plan), plan[number - 1].text)),
    )
    mug = "[the purple mug]"
    assert world.done == [
        "track the purple mug",
        f"segmentation: cut it out {mug}",
        f"recolour: make it blue {mug}",
        "play 2",
    ]
    assert reply.text == "track the purple mug: target 7\ncut it out: done\nmake it blue: done\nplay it back: done"
    assert steps[1] == (2, 4, "cut it out") and told == sorted(told) and told[-1] == 1.0
    assert reply.pictures.done == ("segmentation: cut it out", "recolour: make it blue")


@pytest.mark.parametrize(
    ("texts", "done"),
    [
        (
            ["cut out the mug", "make it blue"],
            ["segmentation: cut out the mug [the mug]", "recolour: make it blue [the mug]"],
        ),
        (
            ["make the mug blue", "again, but green"],
            ["recolour: make the mug blue [the mug]", "recolour: make it green [the mug]"],
        ),
        (
            ["make the mug blue", "again"],
            ["recolour: make the mug blue [the mug]", "recolour: make the mug blue [the mug]"],
        ),
        (
            ["make the mug blue", "make it green", "again"],
            [
                "recolour: make the mug blue [the mug]",
                "recolour: make it green [the mug]",
                "recolour: make it green [the mug]",
            ],
        ),
        (
            ["make the mug blue", "undo", "again, but green"],
            ["recolour: make the mug blue [the mug]", "recolour: make it green [the mug]"],
        ),
        (
            ["move the mug to the left", "undo", "make it red"],
            ["move: move the mug to the left [the mug]", "recolour: make it red [the mug]"],
        ),
        (["draw a red ball", "undo", "redo"], ["generate: draw a red ball", "generate: draw a red ball"]),
        (
            ["replace the mug with a red star", "again, but blue", "again, but a green ring"],
            [
                "replace: replace the mug with a red star [the mug]",
                "replace: replace it with a blue star [the mug]",
                "replace: replace it with a green ring [the mug]",
            ],
        ),
        (
            ["remove the red ring", "again, but the blue ring"],
            ["remove: remove the red ring [the red ring]", "remove: remove the blue ring [the blue ring]"],
        ),
        (
            ["move the mug to the left", "again, but to the right"],
            ["move: move the mug to the left [the mug]", "move: move it to the right [the mug]"],
        ),
        (["draw a red ball", "the same in green"], ["generate: draw a red ball", "generate: draw a green ball"]),
        (
            ["remove the ring and the mug"],
            ["align 2", "remove: remove the ring [the ring]", "remove: remove the mug [the mug]"],
        ),
        (["where is the mug?", "track it"], ["track the mug"]),
        (["track the mug", "undo"], ["track the mug", "release 7"]),
        (["track the mug", "undo", "track it"], ["track the mug", "release 7", "track the mug"]),
    ],
)
def test_a_conversation(texts, done):
    _, happened = said(ScriptedWorld({"cut out the mug": call("segmentation: the mug")}), *texts)
    assert [each for each in happened if not each.startswith("ask")] == done


def test_again_replaces_the_last_result_and_what_follows_builds_on_it():
    again, _ = said(ScriptedWorld(), "make the mug blue", "again, but green")
    assert again.pictures.done == ("recolour: make it green",)
    on_top, _ = said(ScriptedWorld(), "make the mug blue", "move it to the left")
    assert on_top.pictures.done == ("recolour: make the mug blue", "move: move it to the left")


def test_undo_gives_the_result_before_and_in_the_end_there_is_none():
    world, conversation = ScriptedWorld(), Conversation()
    for text in ("make the mug blue", "make it green"):
        do(text, world, conversation, Progress())
    undone = do("undo", world, conversation, Progress())
    assert (undone.text, undone.pictures.done) == ("undone: make it green", ("recolour: make the mug blue",))
    assert do("undo that", world, conversation, Progress()).pictures is None
    with pytest.raises(CommandFailure, match="nothing to undo"):
        do("undo", world, conversation, Progress())


def test_what_is_done_again_after_undo_works_on_what_the_undone_step_worked_on():
    again, _ = said(ScriptedWorld(), "make the mug blue", "make it green", "undo", "again, but red")
    assert again.pictures.done == ("recolour: make the mug blue", "recolour: make it red")
    again, _ = said(ScriptedWorld(), "make the mug blue", "make it green", "undo", "undo", "again")
    assert again.pictures.done == ("recolour: make the mug blue",)


def test_a_new_step_takes_the_place_of_the_undone_one():
    texts = ["make the mug blue", "undo", "cut out the ring", "again, but the star"]
    reply, done = said(ScriptedWorld({"cut out the ring": call("segmentation: the ring")}), *texts)
    assert done[-1] == "segmentation: cut out the star [the star]" and reply.target.phrase == "the star"


def test_everything_is_undone_at_once():
    texts = ["make the mug blue", "track it", "make it green", "undo everything"]
    reply, done = said(ScriptedWorld(), *texts)
    assert reply.text == "undone: make it green, track it, make the mug blue" and done[-1] == "release 7"
    assert reply.pictures is None


def test_what_was_drawn_and_undone_is_nothing_to_refer_to():
    with pytest.raises(CommandFailure, match="what is meant"):
        said(ScriptedWorld(), "draw a red ball", "undo", "make it blue")


def test_the_other_one_is_another_that_the_same_words_fit():
    everything = Answer(text="", named=(Target(phrase="mug", region=HERE), Target(phrase="mug", region=THERE)))
    world = ScriptedWorld({"where is every mug?": everything})
    reply, done = said(world, "track the mug", "no, the other one")
    assert done[-1] == "track the mug" and reply.target.region is THERE
    with pytest.raises(CommandFailure, match="the model names no other mug"):
        said(ScriptedWorld(), "track the mug", "the other one")


@pytest.mark.parametrize(
    ("texts", "outcome", "says"),
    [
        (["make it blue"], Outcome.REFUSED, "what is meant"),
        (["play it back"], Outcome.REFUSED, "no result yet"),
        (["change the background to grass"], Outcome.REFUSED, "what stays in front"),
        ([" "], Outcome.REJECTED, "nothing was said"),
        (["again, but blue"], Outcome.REFUSED, "nothing was done yet"),
        (["the other one"], Outcome.REFUSED, "no object was named"),
        (["cut out the mug", "again, but slowly"], Outcome.NOT_UNDERSTOOD, 'how is "slowly" meant'),
        (["remove the mug", "make it blue"], Outcome.NOT_FOUND, "nothing is left of the mug"),
        (["cut out the ring"], Outcome.REJECTED, "the model would remove"),
        (["cut out the hat"], Outcome.NOT_FOUND, "no hat"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_made_up(texts, outcome, says):
    answers = {
        "cut out the ring": call("remove: the ring"),
        "cut out the hat": CommandFailure(Outcome.NOT_FOUND, "there is no hat"),
    }
    with pytest.raises(CommandFailure, match=says) as error:
        said(ScriptedWorld(answers), *texts)
    assert error.value.outcome is outcome


def test_a_model_that_calls_no_module_is_asked_where_the_thing_is():
    words = CommandFailure(Outcome.UNSURE, "the model answered in words")
    world = ScriptedWorld({"cut out the mug": words})
    do("cut out the mug", world, Conversation(), Progress())
    assert world.done == ["ask cut out the mug", "ask where is the mug?", "segmentation: cut out the mug [the mug]"]


def test_a_step_that_fails_ends_the_chain_with_its_sentence_and_what_was_done_stays():
    world, conversation = ScriptedWorld(failing="recolour"), Conversation()
    with pytest.raises(CommandFailure, match=r"make it blue: the disk is full \(2 of 4 steps were done\)"):
        do("track the mug, cut it out, make it blue and play it back", world, conversation, Progress())
    assert not any(each.startswith("play") for each in world.done)
    assert conversation.pictures.done == ("segmentation: cut it out",)


def test_a_cancelled_chain_stops_at_once():
    world, progress = ScriptedWorld(), Progress()
    with pytest.raises(Cancelled):
        do(
            "track the mug, cut it out and make it blue",
            world,
            Conversation(),
            progress,
            lambda number, plan, said: progress.cancel() if number == 2 else None,
        )
    assert world.done == ["track the mug"]


def test_a_marked_object_is_what_is_meant():
    world = ScriptedWorld(marked=Target(phrase="", region=THERE))
    do("make this blue", world, Conversation(), Progress())
    assert world.done == ["recolour: make this blue [marked]"]


def test_a_thing_that_was_named_a_while_ago_is_looked_for_again():
    world, conversation = ScriptedWorld(), Conversation()
    do("where is the mug?", world, conversation, Progress())
    do("find the mug", world, conversation, Progress())
    world.done.clear()
    do("make it blue", world, conversation, Progress())
    assert world.done[0] == "ask make the mug blue"

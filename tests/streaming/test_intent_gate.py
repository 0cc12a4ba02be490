"""Language never acts against what was said: what may reach a model, and which of its replies count."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import ScriptedModel, frame
from vitron_ros.grounding.description_check import verified
from vitron_ros.grounding.request import ConversationTurn, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.model.answers import Invocation
from vitron_ros.module_registry import Module
from vitron_ros.region import Region
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.intent_gate import Wanted, targets

HERE, LEFT, RIGHT = np.array([20.0, 10, 40, 30]), np.array([0.0, 10, 10, 30]), np.array([50.0, 10, 60, 30])


def request(text, task=Task.ASK, **values):
    return ModelRequest(id="it", task=task, frames=(frame(),), text=text, **values)


class World:
    """A model that finds what `places` says, by words, describes every place by `description`, and answers `reply`."""

    def __init__(self, description="small red ring", score=0.9, places=None, **reply):
        self.description, self.score, self.places, self.said = description, score, places or {}, reply

    def __call__(self, asked):
        known = {"id": asked.id, "task": asked.task, "status": ReplyStatus.OK, "score": 0.9}
        if asked.task is Task.VERIFY:
            return verified(asked, ModelReply(**{**known, "score": self.score}, text=self.description))
        if asked.task is Task.FIND:
            box = self.places.get(asked.text, HERE)
            status = ReplyStatus.ABSENT if box is None else ReplyStatus.OK
            return ModelReply(**{**known, "status": status}, boxes_xyxy=None if box is None else np.array([box]))
        return ModelReply(**{**known, **self.said})


def heard(world, asked, verifies=True):
    model = ScriptedModel(world, tasks=frozenset(Task) if verifies else frozenset(Task) - {Task.DESCRIBE, Task.VERIFY})
    (reply,) = answers(model, [asked])
    assert reply.id == "it" and reply.task is asked.task
    return reply, model


def call(module, *instructions, box=(20 / 64, 10 / 48, 40 / 64, 30 / 48)):
    return {"text": "I will.", "invocation": Invocation(module, instructions, box)}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("the small red ring", ReplyStatus.REFUSED),
        ("ring", ReplyStatus.REFUSED),
        ("hello", ReplyStatus.REFUSED),
        ("thanks", ReplyStatus.REFUSED),
        ("do not remove the ring", ReplyStatus.REFUSED),
        ("remove the ring if it moves", ReplyStatus.REFUSED),
        ("make it blue", ReplyStatus.REFUSED),
        ("delete everything", ReplyStatus.REFUSED),
        ("42", ReplyStatus.UNKNOWN),
        ("what?", ReplyStatus.UNKNOWN),
        ("stop", ReplyStatus.OK),
        ("undo", ReplyStatus.OK),
        ("help", ReplyStatus.OK),
    ],
)
def test_a_text_without_a_request_never_reaches_the_model(text, status):
    reply, model = heard(World(**call(Module.IMAGE_EDITING, "remove: small red ring")), request(text))
    assert (reply.status, reply.invocation, model.asked) == (status, None, [])
    assert reply.message or reply.text


REMOVE, CUT = (Module.IMAGE_EDITING, "remove: red ring"), (Module.IMAGE_SEGMENTATION, "segmentation: red ring")


@pytest.mark.parametrize(
    ("text", "called", "status"),
    [
        ("remove the small red ring", REMOVE, ReplyStatus.OK),
        ("cut out the red ring", CUT, ReplyStatus.OK),
        ("cut out the red ring", REMOVE, ReplyStatus.REJECTED),
        ("make the red ring blue", REMOVE, ReplyStatus.REJECTED),
        ("make the red ring blue", (Module.IMAGE_EDITING, "recolour: red ring to blue"), ReplyStatus.OK),
        ("make the red ring blue", (Module.IMAGE_EDITING, "recolour: red ring to green"), ReplyStatus.REJECTED),
        ("remove the red ring", (Module.IMAGE_EDITING, "remove: purple mug"), ReplyStatus.REJECTED),
        ("remove the red ring", (Module.VIDEO_SEGMENTATION, "remove: red ring"), ReplyStatus.REJECTED),
        ("describe the scene", REMOVE, ReplyStatus.REJECTED),
        ("what is left of the red ring?", REMOVE, ReplyStatus.REJECTED),
        ("what happens if I remove the red ring?", REMOVE, ReplyStatus.REJECTED),
        ("draw a red moon", (Module.IMAGE_GENERATION, "generate: a red moon"), ReplyStatus.OK),
        ("draw a red moon", (Module.VIDEO_GENERATION, "generate: a red moon"), ReplyStatus.REJECTED),
        ("generate a video of a red moon", (Module.VIDEO_GENERATION, "generate: a red moon"), ReplyStatus.OK),
        ("draw a red moon", (Module.IMAGE_GENERATION, "generate: a red car"), ReplyStatus.REJECTED),
    ],
)
@pytest.mark.parametrize("verifies", [True, False])
def test_a_module_is_called_by_its_own_verb_and_words(text, called, status, verifies):
    reply, _ = heard(World(**call(*called)), request(text), verifies)
    assert reply.status is status
    assert (reply.invocation is not None) == (status is ReplyStatus.OK)
    assert bool(reply.message) == (status is not ReplyStatus.OK)


@pytest.mark.parametrize(
    ("second", "status"),
    [
        (call(*CUT), ReplyStatus.OK),
        (call(*REMOVE), ReplyStatus.REJECTED),
        (call(Module.IMAGE_SEGMENTATION, "segmentation: purple mug"), ReplyStatus.REJECTED),
    ],
)
def test_a_model_whose_call_is_rejected_is_told_why_and_asked_once_more(second, status):
    world = World(**call(Module.IMAGE_EDITING, "remove: purple mug"))

    def reply(asked):
        if asked.history:
            world.said = second
        return world(asked)

    told, model = heard(reply, request("cut out the red ring"))
    assert told.status is status and bool(told.invocation) == (status is ReplyStatus.OK)
    first, again = (asked for asked in model.asked if asked.task is Task.ASK)
    assert first.history == () and again.text == first.text
    assert "rejected: the model would call" in again.history[-1].reply


def test_an_answer_counts_from_the_least_score_on():
    for text, said in (("what is it?", {"text": "a ring"}), ("remove the red ring", call(*REMOVE))):
        reply, _ = heard(World(**said, score=0.9), request(text, min_score=0.95, regions=(Region.from_box(HERE),)))
        assert (reply.status, reply.invocation) == (ReplyStatus.UNSURE, None)
        assert "0.90 is below min_score=0.95" in reply.message


@pytest.mark.parametrize(
    ("world", "says"),
    [
        (World(description="small blue ring"), 'looks like "small blue ring"'),
        (World(places={"the red ring": None}), "is not visible"),
        (World(places={"the red ring": RIGHT}), "two different places"),
    ],
)
def test_a_module_works_on_what_was_named_or_on_nothing(world, says):
    world.said = call(*CUT)
    reply, _ = heard(world, request("cut out the red ring"))
    assert (reply.status, reply.invocation) == (ReplyStatus.ABSENT, None) and says in reply.message
    world.said = call(*CUT, box=None)
    reply, _ = heard(world, request("cut out the red ring"))
    assert reply.invocation is None


def test_it_means_a_mark_or_an_earlier_turn():
    mark, elsewhere = Region.from_box(HERE), Region.from_box(RIGHT)
    world = World(**call(*CUT))
    assert heard(world, request("cut it out", regions=(mark,)))[0].invocation is not None
    assert heard(world, request("cut it out", regions=(elsewhere,)))[0].invocation is None
    turn = ConversationTurn(question="Where is the red ring?", reply="there", box_xyxy=HERE)
    assert heard(world, request("cut it out", history=(turn,)))[0].invocation is not None
    assert heard(world, request("cut it out"))[1].asked == []


@pytest.mark.parametrize(
    ("text", "description", "status"),
    [
        ("the red ring", "small red ring", ReplyStatus.OK),
        ("the red ring", "small purple mug", ReplyStatus.ABSENT),
        ("the red mug", "small red ring", ReplyStatus.ABSENT),
        ("the ring that is not red", "small red ring", ReplyStatus.ABSENT),
        ("the ring that is not blue", "small red ring", ReplyStatus.OK),
        ("please follow the red ring", "small red ring", ReplyStatus.OK),
        ("track the red mug", "small red ring", ReplyStatus.ABSENT),
    ],
)
def test_what_is_found_must_be_what_was_named(text, description, status):
    reply, _ = heard(World(description), request(text, Task.FIND))
    assert (reply.status, reply.is_contradicted) == (status, status is ReplyStatus.ABSENT)
    unsure = World(description, score=0.4)
    doubted, _ = heard(unsure, request(text, Task.FIND))
    assert doubted.status is ReplyStatus.OK, "it does not know what it describes"
    assert doubted.is_doubted == (status is ReplyStatus.ABSENT)
    assert heard(World(description), request(text, Task.FIND), verifies=False)[0].status is ReplyStatus.OK


@pytest.mark.parametrize(
    ("text", "places", "status"),
    [
        ("the ring left of the mug", {"the mug": RIGHT}, ReplyStatus.OK),
        ("the ring left of the mug", {"the mug": LEFT}, ReplyStatus.ABSENT),
        ("the ring right of the mug", {"the mug": HERE}, ReplyStatus.ABSENT),
        ("the ring next to the mug", {"the mug": HERE}, ReplyStatus.ABSENT),
        ("the ring next to the mug", {"the mug": None}, ReplyStatus.OK),
        ("the one next to the mug", {"the mug": RIGHT}, ReplyStatus.UNSURE),
        ("the thing near the mug", {"the mug": None}, ReplyStatus.UNSURE),
        ("the one left of the mug", {"the mug": RIGHT}, ReplyStatus.OK),
        ("the one left of the mug", {"the mug": None}, ReplyStatus.UNSURE),
        ("the leftmost ring", {"the ring": RIGHT}, ReplyStatus.OK),
        ("the leftmost ring", {"the rightmost ring": LEFT}, ReplyStatus.ABSENT),
        ("the second ring from the left", {"the leftmost ring": LEFT}, ReplyStatus.OK),
        ("the second ring from the left", {}, ReplyStatus.ABSENT),
    ],
)
def test_relations_and_ordinals_are_verified(text, places, status):
    world = World(places=places)
    reply = heard(world, request(text, Task.FIND))[0]
    assert reply.status is status and (reply.boxes_xyxy is not None) == (status is ReplyStatus.OK)
    moved = replace(request(text, Task.FIND), is_placed=False)
    assert heard(world, moved)[0].status is ReplyStatus.OK, "a target that is followed may have moved"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("12345", ReplyStatus.UNKNOWN), ("???", ReplyStatus.UNKNOWN), ("the", ReplyStatus.UNKNOWN),
        ("it", ReplyStatus.UNKNOWN),
        ("🔴", ReplyStatus.UNKNOWN), ("not the red ring", ReplyStatus.REFUSED),
        ("anything except the ring", ReplyStatus.REFUSED),
        ("erase the red ring", ReplyStatus.REFUSED), ("do not follow the ring", ReplyStatus.REFUSED),
        ("what is left of the ring?", ReplyStatus.REFUSED), ("stop", ReplyStatus.REFUSED),
    ],
)  # fmt: skip
def test_what_describes_nothing_is_not_looked_for(text, status):
    reply, model = heard(World(), request(text, Task.FIND))
    assert (reply.status, model.asked) == (status, []) and reply.message


def test_one_of_several_is_said_to_be_one():
    assert "only one is taken" in heard(World(), request("two rings", Task.FIND))[0].message
    assert 'only "the red ring" is taken' in heard(World(), request("the red ring and the mug", Task.FIND))[0].message
    assert targets("follow the red ring and the mug") == (Wanted("the red ring"), Wanted("the mug"))
    places = {"the blue ring": None}
    reply, _ = heard(World(places=places), request("the blue ring or the red ring", Task.FIND))
    assert (reply.status, reply.message) == (ReplyStatus.OK, "")


SHIFTED = HERE + 1  # of one thing with HERE


def candidates(*boxes, describe=lambda box: "red ring", places=None):
    """A model that names several boxes for a phrase, and describes each by where it is."""

    def answer(asked):
        known = {"id": asked.id, "task": asked.task, "status": ReplyStatus.OK, "score": 0.9}
        if asked.task is Task.VERIFY:
            described = describe(asked.regions[0].bounding_box(64, 48).tolist())
            return verified(asked, ModelReply(**known, text=described))
        named = np.array([places[asked.text]] if places and asked.text in places else boxes)
        scores = 0.9 - 0.1 * np.arange(len(named))
        return ModelReply(**known, boxes_xyxy=named[:1], candidates_xyxy=named, candidate_scores=scores)

    return answer


def test_each_candidate_is_verified_and_those_of_one_thing_are_merged():
    def describe(box):
        return "blue ring" if box == RIGHT.tolist() else "red ring"

    all_rings = request("all red rings", Task.FIND, wants_candidates=True)
    reply, model = heard(candidates(RIGHT, HERE, SHIFTED, LEFT, describe=describe), all_rings)
    assert (reply.status, reply.message) == (ReplyStatus.OK, "")
    np.testing.assert_array_equal(reply.candidates_xyxy, [HERE, LEFT])
    np.testing.assert_array_equal(reply.boxes_xyxy, [HERE])
    assert reply.score == reply.candidate_scores[0] == pytest.approx(0.8)
    assert len({asked.id for asked in model.asked}) == len(model.asked) == 4
    reply, _ = heard(candidates(RIGHT, describe=describe), all_rings)
    assert (reply.status, reply.is_contradicted, len(reply.candidates_xyxy)) == (ReplyStatus.ABSENT, True, 0)


def test_what_candidates_are_compared_with_is_looked_for_once():
    text = "all rings left of the mug"
    world = candidates(LEFT, HERE, RIGHT, places={"the mug": np.array([42.0, 10, 48, 30])})
    reply, model = heard(world, request(text, Task.FIND, wants_candidates=True))
    assert [asked.text for asked in model.asked if asked.task is Task.FIND] == [text, "the mug"]
    np.testing.assert_array_equal(reply.candidates_xyxy, [LEFT, HERE])


def test_the_phrase_that_won_gives_its_name_and_no_two_questions_have_one_id():
    world = World(places={"the mug": None})
    reply, model = heard(world, request("where is the mug or the red ring?"), verifies=True)
    assert reply.text.startswith("the red ring: ") and reply.grounded[0].label == "the red ring"
    _, model = heard(World(), request("where is the small ring or the red ring?"))
    assert len({asked.id for asked in model.asked}) == len(model.asked) == 4


def test_where_several_are_is_answered_by_all_places():
    reply, _ = heard(candidates(HERE, LEFT), request("where are the rings?"))
    assert [item.box_xyxy.tolist() for item in reply.grounded] == [HERE.tolist(), LEFT.tolist()]
    assert reply.text.count(" and y ") == 2


def test_where_is_answered_by_a_place():
    reply, _ = heard(World(), request("where is the red ring?", min_score=0.5))
    assert reply.status is ReplyStatus.OK and "x 20 to 40 and y 10 to 30" in reply.text
    assert [(item.label, item.box_xyxy.tolist()) for item in reply.grounded] == [("the red ring", HERE.tolist())]
    reply, _ = heard(World("small blue mug"), request("where is the red ring?"))
    assert (reply.status, reply.grounded) == (ReplyStatus.ABSENT, ())


@pytest.mark.parametrize(
    ("said", "description", "status"),
    [
        ("yes", "red ring", ReplyStatus.OK),
        ("yes", "blue mug", ReplyStatus.UNSURE),
        ("no", "red ring", ReplyStatus.UNSURE),
    ],
)
def test_yes_and_no_must_fit_what_a_search_finds(said, description, status):
    reply, _ = heard(World(description, text=said), request("Is there a red ring?"))
    assert reply.status is status


@pytest.mark.parametrize(
    ("text", "said", "status"),
    [
        ("colour the ring red", "1", ReplyStatus.UNSURE),
        ("remove the ring", "a red ring", ReplyStatus.UNSURE),
        ("remove the ring", "There is no ring.", ReplyStatus.OK),
        ("what is left of the ring?", "a red ring", ReplyStatus.OK),
    ],
)
def test_a_command_is_not_carried_out_by_words(text, said, status):
    reply, _ = heard(World(text=said), request(text))
    assert (reply.status, reply.text) == (status, said)
    assert ("nothing was done" in reply.message) is (status is ReplyStatus.UNSURE)


@given(st.text(max_size=60), st.sampled_from([Task.ASK, Task.FIND]))
def test_whatever_is_said_has_a_reply(text, task):
    world = World(**call(Module.IMAGE_EDITING, "remove: red ring"))
    reply, _ = heard(world, request(text, task))
    assert reply.invocation is None


@pytest.mark.parametrize("text", ["Is there a mug? Cut out the mug.", "can you see the mug? Remove the mug."])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_question_before_a_request_does_not_replace_the_check_of_its_call(text, is_there):
    verb = "remove" if "emove" in text else "segmentation"
    module = Module.IMAGE_EDITING if verb == "remove" else Module.IMAGE_SEGMENTATION
    world = World(
        "purple mug", places=None if is_there else {"the mug": None, "a mug": None}, **call(module, f"{verb}: mug")
    )
    reply, _ = heard(world, request(text))
    assert (reply.invocation is not None) == is_there


def test_of_two_that_are_found_the_surer_one_is_taken():
    def model(asked):
        if asked.task is Task.VERIFY:
            return ModelReply(id=asked.id, task=asked.task, status=ReplyStatus.OK, text="", score=0.9)
        box, score = (LEFT, 0.55) if "red" in asked.text else (RIGHT, 0.9)
        boxes = np.array([box])
        return ModelReply(id=asked.id, task=asked.task, status=ReplyStatus.OK, score=score, boxes_xyxy=boxes)

    reply, _ = heard(model, request("the red ring or the blue ring", task=Task.FIND))
    assert reply.score == 0.9

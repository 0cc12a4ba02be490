"""Several models as one: who is asked what, and how one that answers chooses among what another has found."""

from dataclasses import replace

import numpy as np
import pytest

from tests.fakes import ScriptedModel, found, frame, said
from tests.grounding.families.fake_server import FakeServer, closed, token
from tests.grounding.families.tiny import grounding_dino
from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError
from vitron_ros.grounding.families.composite import Composite, part_names
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.region import Region
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.models import load_model

BOXES = np.array([[5.0, 5, 20, 20], [30, 5, 50, 25], [10, 30, 40, 45]])
SCORES = np.array([0.6, 0.5, 0.4])
FINDS, ANSWERS = frozenset([Task.FIND]), frozenset([Task.ASK, Task.VERIFY, Task.DESCRIBE])
NOTHING = ScriptedModel(lambda request: said(request, ReplyStatus.ABSENT), tasks=FINDS)


def detector(count=3, **values):
    def see(request):
        boxes = np.full((len(request.frames), 4), np.nan)
        boxes[-1] = BOXES[0]
        values = {"candidates_xyxy": BOXES[:count], "candidate_scores": SCORES[:count], "boxes_xyxy": boxes}
        return found(request, float(SCORES[0]), **values)

    model = {"tasks": FINDS, "min_score": 0.35, "uses_newest_frame_only": True, **values}
    return ScriptedModel(see, **model)


def answerer(text="2", status=ReplyStatus.OK, tasks=ANSWERS):
    def say(request):
        if request.task is Task.ASK:
            return replace(said(request, status, "it broke", score=0.8), text=text)
        return said(request, ReplyStatus.OK)

    return ScriptedModel(say, tasks=tasks)


def find(text="the red mug", frames=1, **terms):
    return ModelRequest(id="1", task=Task.FIND, frames=tuple(map(frame, range(frames))), text=text, **terms)


def both(finder, chooser):
    return Composite({"finder": finder, "chooser": chooser})


def test_each_task_goes_to_the_first_model_that_has_it():
    finder, chooser = detector(), answerer()
    follower = ScriptedModel(tasks=frozenset([Task.FIND, Task.FOLLOW]), max_frames=4)
    model = Composite({"finder": finder, "chooser": chooser, "follower": follower})
    assert model.tasks == frozenset(Task) and model.max_frames == 4 and model.uses_newest_frame_only
    region = (Region.from_box([1, 2, 30, 40]),)
    requests = [
        replace(find(), id="follow", task=Task.FOLLOW, box_xyxy=BOXES[0]),
        replace(find(), id="ask", task=Task.ASK),
        replace(find(), id="find"),
        replace(find(), id="verify", task=Task.VERIFY, regions=region),
    ]
    assert [reply.id for reply in model.reply(requests)] == ["follow", "ask", "find", "verify"]
    asked = [[request.id for request in one.asked] for one in (finder, chooser, follower)]
    assert asked == [["find"], ["ask", "verify", "find choice"], ["follow"]]


def test_what_would_never_be_asked_is_refused_by_its_name():
    with pytest.raises(ConfigError, match=r"finder has nothing to do.*name it first"):
        Composite({"all": ScriptedModel(), "finder": detector()})


def test_a_description_is_that_of_all():
    what = both(detector(), answerer()).describe()
    assert (what.name, what.family, what.device) == ("script + script", "composite", "cpu")


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_chosen_candidate_is_the_target_with_the_score_of_the_choice(number, frames):
    chooser = answerer(str(number))
    (reply,) = both(detector(), chooser).reply([find(frames=frames)])
    assert reply.status is ReplyStatus.OK
    np.testing.assert_array_equal(reply.boxes_xyxy[-1], BOXES[number - 1])
    assert np.isnan(reply.boxes_xyxy[:-1]).all() and len(reply.boxes_xyxy) == frames
    np.testing.assert_array_equal(reply.candidates_xyxy, BOXES[number - 1 : number])
    assert reply.score == 0.8 and reply.min_score is None
    (question,) = chooser.asked
    assert "the red mug" in question.text and len(question.frames) == 1
    marks = [region.bounding_box(64, 48).tolist() for region in question.regions]
    assert marks == BOXES.tolist()


CHOICES = {
    "0": ReplyStatus.ABSENT,
    "None of them.": ReplyStatus.ABSENT,
    "no box shows it": ReplyStatus.ABSENT,
    "Box 3.": ReplyStatus.OK,
    "2, since 2 is red": ReplyStatus.OK,
    "4": ReplyStatus.UNREADABLE,
    "1 or 2": ReplyStatus.UNREADABLE,
    "the left one": ReplyStatus.UNREADABLE,
    "9" * 5000: ReplyStatus.UNREADABLE,
    '[{"bbox_2d": [1, 2, 3, 4]}]': ReplyStatus.UNREADABLE,
}


@pytest.mark.parametrize("text", CHOICES, ids=lambda text: text[:20])
def test_a_choice_is_read_and_never_guessed(text):
    (reply,) = answers(both(detector(), answerer(text)), [find()])
    assert reply.status is CHOICES[text]
    assert (reply.boxes_xyxy is None) == (reply.status is not ReplyStatus.OK)
    assert bool(reply.message) == (reply.status is not ReplyStatus.OK)


@pytest.mark.parametrize(
    ("status", "becomes"),
    [
        (ReplyStatus.FAILED, ReplyStatus.UNSURE),
        (ReplyStatus.UNKNOWN, ReplyStatus.UNSURE),
        (ReplyStatus.UNREADABLE, ReplyStatus.UNREADABLE),
        (ReplyStatus.DEADLINE, ReplyStatus.DEADLINE),
        (ReplyStatus.CANCELLED, ReplyStatus.CANCELLED),
    ],
)
def test_without_a_choice_the_best_candidate_is_unsure(status, becomes):
    (reply,) = answers(both(detector(), answerer(status=status)), [find()])
    assert reply.status is becomes and "it broke" in reply.message
    if becomes is ReplyStatus.UNSURE:
        np.testing.assert_array_equal(reply.boxes_xyxy[-1], BOXES[0])
        assert reply.score == 0.6 and reply.min_score == 0.35 and "3 things were found" in reply.message


def test_a_failing_model_costs_its_own_tasks():
    def fail(request):
        return said(request, ReplyStatus.FAILED)

    broken = ScriptedModel(fail, tasks=FINDS)
    replies = both(broken, answerer()).reply([find(), replace(find("what is it?"), id="2", task=Task.ASK)])
    assert [reply.status for reply in replies] == [ReplyStatus.FAILED, ReplyStatus.OK]


@pytest.mark.parametrize(
    ("finder", "tasks", "text", "asks"),
    [
        (detector(), ANSWERS, "all red mugs", False),
        (detector(1), ANSWERS, "the red mug", False),
        (detector(1), frozenset([Task.ASK]), "the red mug", True),
        (detector(), frozenset([Task.VERIFY]), "the red mug", False),
        (NOTHING, ANSWERS, "the red mug", False),
    ],
    ids=["several are meant", "one, to be verified", "one, not to be verified", "nobody answers", "nothing is found"],
)  # fmt: skip
def test_a_choice_is_asked_for_only_where_there_is_one(finder, tasks, text, asks):
    chooser = answerer("1", tasks=tasks)
    (reply,) = both(finder, chooser).reply([find(text)])
    assert [request.task for request in chooser.asked] == [Task.ASK] * asks
    assert reply.min_score == (None if asks else finder.min_score)


def test_the_same_names_are_one_model():
    assert part_names("a/b + http://host:1/v1#m + a/b") == ("a/b", "http://host:1/v1#m")
    assert part_names("one+two/v1+3") == ("one+two/v1+3",)


def test_a_detector_and_a_server_by_one_name(tmp_path):
    """The detector's random boxes are shown to the server, which names one; then it is gone."""
    directory = grounding_dino(tmp_path)
    with FakeServer(lambda body: "2") as server:
        server.logprobs = token({"2": 0.7, "1": 0.3})
        model = load_model(f"{directory} + {server.url}", ModelRun())
        finder = load_model(str(directory), ModelRun())
        finder._network.min_score = model._finder._network.min_score = 0.0
        asked = find()
        candidates = finder.reply([asked])[0].candidates_xyxy
        (reply,) = answers(model, [asked])
        assert reply.status is ReplyStatus.OK, reply.message
        np.testing.assert_allclose(reply.boxes_xyxy[-1], candidates[1])
        assert reply.score == pytest.approx(0.7)
        server.presence = "no"
        server.logprobs = None
        (reply,) = answers(model, [asked])
        assert reply.status is ReplyStatus.ABSENT and "looks like something else" in reply.message
        server.faults += [closed] * 4
        (reply,) = answers(model, [asked])
        assert reply.status is ReplyStatus.UNSURE and "did not say which is meant" in reply.message
        model._answerer.close()

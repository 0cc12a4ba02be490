"""A sentence on a recording: a square that moves to the right from the third of ten frames on."""

from dataclasses import replace

import numpy as np
import pytest

from tests.fakes import ScriptedModel, frame
from vitron_ros.commands.chain import do
from vitron_ros.commands.conversation import Conversation
from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.commands.plan import Target
from vitron_ros.grounding.request import Grounded, ModelReply, ReplyStatus
from vitron_ros.model.answers import Invocation
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import JobSettings, Progress
from vitron_ros.offline.recorded_world import RecordedWorld
from vitron_ros.region import Region

WIDTH, HEIGHT, FIRST = 160, 120, 5
BLUE = (30, 60, 220)


def square(index):
    return np.array([20 + 3 * index, 40, 60 + 3 * index, 80])


@pytest.fixture(scope="module")
def frames():
    noise = np.random.default_rng(0).integers(90, 110, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    made = []
    for index in range(10):
        rgb = noise.copy()
        if index >= FIRST:
            x_min, y_min, x_max, y_max = square(index)
            rgb[y_min:y_max, x_min:x_max] = BLUE
        made.append(replace(frame(index), rgb=rgb))
    return tuple(made)


def look(request):
    """The square where it is, told as a call where a call is asked for."""
    index = request.frames[-1].index
    values = {"id": request.id, "task": request.task, "score": 0.9}
    if index < FIRST:
        return ModelReply(**values, status=ReplyStatus.ABSENT, message="no square is there")
    x_min, y_min, x_max, y_max = square(index)
    if request.text.startswith("where"):
        box = np.array([x_min, y_min, x_max, y_max], np.float64)
        return ModelReply(**values, status=ReplyStatus.OK, grounded=(Grounded(label="square", box_xyxy=box),))
    region = (x_min / WIDTH, y_min / HEIGHT, x_max / WIDTH, y_max / HEIGHT)
    call = Invocation(Module.IMAGE_SEGMENTATION, ("segmentation: blue square",), region)
    return ModelReply(**values, status=ReplyStatus.OK, text="call", invocation=call)


@pytest.fixture
def world(frames, monkeypatch):
    monkeypatch.setattr("vitron_ros.offline.recorded_world.answers", lambda model, requests: model.reply(requests))
    return RecordedWorld(frames, lambda: ScriptedModel(look))


def test_a_thing_is_cut_out_from_where_the_recording_shows_it(world, frames):
    reply = do("cut out the blue square", world, Conversation(), Progress())
    assert "the recording shows it from 0.2 s on, where the result begins" in reply.text
    masks = reply.pictures.result.masks
    assert len(masks) == len(frames) - FIRST
    for mask, at in zip(masks, frames[FIRST:], strict=True):
        true = (at.rgb == BLUE).all(axis=-1)
        assert ((mask > 127) & true).sum() / ((mask > 127) | true).sum() > 0.8
    assert (reply.pictures.shown.images[0][60, 60] == BLUE).all()


def test_a_followed_thing_is_changed_where_it_was_followed_and_the_rest_stays(world, frames):
    reply = do("track the blue square, cut it out and make it green", world, Conversation(), Progress())
    assert reply.target.track_id == 1 and len(reply.pictures.job.masks) == len(frames) - FIRST
    for before, after in zip(frames[FIRST:], reply.pictures.result.images, strict=True):
        x_min, y_min, x_max, y_max = square(before.index)
        red, green, blue = after[y_min + 10 : y_max - 10, x_min + 10 : x_max - 10].reshape(-1, 3).mean(axis=0)
        assert green > max(red, blue)
        assert (after[:30] == before.rgb[:30]).all() and (after[:, : x_min - 12] == before.rgb[:, : x_min - 12]).all()


def test_a_picture_of_a_video_is_one_image(world):
    reply = do("cut out the blue square from the picture", world, Conversation(), Progress())
    assert len(reply.pictures.result.masks) == 1


def test_a_marked_thing_needs_no_model(frames):
    def load():
        raise AssertionError("the model was loaded")

    world = RecordedWorld(frames[FIRST:], load, regions=(Region.from_box(square(FIRST)),))
    reply = do("remove this", world, Conversation(), Progress())
    assert len(reply.pictures.result.images) == 5


def test_what_is_drawn_can_be_changed_at_once(frames):
    world = RecordedWorld(frames, lambda: ScriptedModel(), settings=JobSettings(width=96, height=64, frame_count=2))
    reply = do("draw a red ball and make it green", world, Conversation(), Progress())
    assert reply.pictures.result.images[0].shape == (64, 96, 3) and reply.text.endswith("make it green: done")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (ReplyStatus.ABSENT, Outcome.NOT_FOUND),
        (ReplyStatus.REJECTED, Outcome.REJECTED),
        (ReplyStatus.UNKNOWN, Outcome.NOT_UNDERSTOOD),
        (ReplyStatus.FAILED, Outcome.MODEL_ERROR),
    ],
)
def test_why_the_model_gives_no_answer_is_told(world, status, outcome):
    world.model = ScriptedModel(
        lambda request: ModelReply(id=request.id, task=request.task, status=status, message="so it is")
    )
    with pytest.raises(CommandFailure, match="so it is") as error:
        do("cut out the blue square", world, Conversation(), Progress())
    assert error.value.outcome is outcome


def test_the_number_of_a_track_that_was_let_go_is_not_given_again(world, frames):
    marked = Target(phrase="square", region=Region.from_box(square(FIRST)), stamp_ns=frames[FIRST].stamp_ns)
    first, second = (world.track("square", marked, Progress()).track_id for _ in range(2))
    world.release(frozenset([first]))
    assert world.track("square", marked, Progress()).track_id not in (first, second)


def test_what_is_followed_is_drawn_until_it_is_let_go(world, frames):
    conversation = Conversation()
    assert world.drawn() is None
    do("track the blue square", world, conversation, Progress())
    drawn = world.drawn().shown.images
    assert len(drawn) == len(frames) and all((drawn[index] == frames[index].rgb).all() for index in range(FIRST))
    for index in range(FIRST, len(frames)):
        x_min, _, x_max, y_max = square(index)
        edge = drawn[index][y_max - 1 : y_max + 2, x_min + 2 : x_max - 2]
        assert (edge != frames[index].rgb[y_max - 1 : y_max + 2, x_min + 2 : x_max - 2]).any(axis=(0, 2)).mean() > 0.9
    do("undo", world, conversation, Progress())
    assert world.drawn() is None


def test_a_module_that_fails_says_why(world):
    with pytest.raises(CommandFailure, match="colour") as error:
        do("track the blue square and recolour it to plaid", world, Conversation(), Progress())
    assert error.value.outcome is Outcome.MODULE_ERROR

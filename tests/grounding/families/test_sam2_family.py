"""SAM 2 as a model that follows a box, from saved directories with random weights."""

from dataclasses import replace

import numpy as np
import pytest

from tests.grounding.families.tiny_sam2 import sam2_video
from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError
from vitron_ros.frame import Frame
from vitron_ros.grounding.families.published import published_sizes, verify_directory
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.models import load_model

IMAGES = np.random.default_rng(1).integers(0, 256, (3, 48, 80, 3), np.uint8)
BOX = np.array([20.0, 8, 60, 40])
OK = ReplyStatus.OK


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(str(sam2_video(tmp_path_factory.mktemp("sam2") / "sam2")), ModelRun())


def request(box_xyxy=BOX, name="a", **values):
    frames = tuple(Frame(rgb=rgb, stamp_ns=place + 1) for place, rgb in enumerate(IMAGES))
    return ModelRequest(**{"id": name, "task": Task.FOLLOW, "frames": frames, "box_xyxy": box_xyxy, **values})


@pytest.mark.parametrize("is_split", [False, True], ids=["nested", "split"])
def test_a_directory_of_either_layout_follows(tmp_path, is_split):
    model = load_model(str(sam2_video(tmp_path / "sam2", is_split=is_split)), ModelRun())
    description = model.describe()
    assert (description.name, description.family, description.device) == ("sam2", "sam2_video", "cpu")
    assert description.tasks == model.tasks == {Task.FOLLOW} and not model.uses_newest_frame_only
    (reply,) = model.reply([request()])
    assert reply.status is ReplyStatus.OK and reply.stamps_ns == (1, 2, 3)
    assert reply.boxes_xyxy.shape == (3, 4) and np.isfinite(reply.boxes_xyxy).all()
    assert (reply.boxes_xyxy >= 0).all() and (reply.boxes_xyxy <= [80, 48, 80, 48]).all()
    assert 0.5 < reply.score < 1 and reply.is_sure(0.5)


def test_a_reply_does_not_depend_on_what_is_asked_beside_it(model):
    other = request(np.array([0.0, 0, 10, 10]), "b")
    for one, beside in zip((request(), other), model.reply([request(), other]), strict=True):
        (alone,) = model.reply([one])
        assert beside.id == one.id and (beside.boxes_xyxy == alone.boxes_xyxy).all()


def test_an_image_of_several_clips_is_encoded_once(model, monkeypatch):
    """The same clip, the same from its second image on, and one of other images."""
    encoded = []
    encode = model._network.encode
    monkeypatch.setattr(model._network, "encode", lambda rgb: encoded.append(rgb) or encode(rgb))
    clip, other = request(), request(name="other")
    clips = [clip, replace(clip, id="b"), replace(clip, id="c"), replace(clip, id="later", frames=clip.frames[1:])]
    assert [reply.status for reply in model.reply([*clips, replace(other, frames=other.frames[:2])])] == [OK] * 5
    assert len(encoded) == 3 + 2


def test_absence_is_absence(tmp_path):
    model = load_model(str(sam2_video(tmp_path, is_there=False)), ModelRun())
    (reply,) = model.reply([request()])
    assert reply.status is ReplyStatus.ABSENT and reply.boxes_xyxy is None and reply.score > 0.8
    assert "sees the target in none of the frames" in reply.message


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"box_xyxy": None}, ReplyStatus.FAILED),
        ({"box_xyxy": np.array([200.0, 8, 260, 40])}, ReplyStatus.FAILED),
        ({"box_xyxy": np.array([np.nan, 8, 60, 40])}, ReplyStatus.FAILED),
        ({"is_cancelled": lambda: True}, ReplyStatus.CANCELLED),
        ({"is_cancelled": iter([False, False, True]).__next__}, ReplyStatus.CANCELLED),
        ({"deadline_ns": 0}, ReplyStatus.DEADLINE),
        ({"frames": request().frames * 3}, ReplyStatus.FAILED),
    ],
)
def test_what_cannot_be_followed_or_is_not_wanted_any_more_has_no_box(model, values, status):
    (reply,) = model.reply([request(**values)])
    assert reply.status is status and reply.boxes_xyxy is None and reply.message


def test_a_phrase_is_refused_with_what_the_model_can_do(model):
    (reply,) = answers(model, [request(task=Task.FIND, text="the mug")])
    assert reply.status is ReplyStatus.REFUSED and "it can only follow a box" in reply.message


def test_options_of_our_own_runner_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="model_weights is 'int8'"):
        load_model(str(sam2_video(tmp_path)), ModelRun(weights="int8"))


def test_a_directory_can_be_shown_and_verified_without_torchvision(tmp_path):
    directory = sam2_video(tmp_path)
    sizes = published_sizes(directory)
    assert sizes.can == ("follow", "masks") and sizes.total == 1_009_057
    assert not verify_directory(directory).faults
    (directory / "processor_config.json").unlink()
    assert list(verify_directory(directory).faults) == ["image processor"]

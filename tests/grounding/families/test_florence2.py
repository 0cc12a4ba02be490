"""Florence-2, from tiny directories in both layouts, and with a network that writes a script."""

import json

import numpy as np
import pytest
import torch

from tests.grounding.families.scripted_network import ScriptedNetwork
from tests.grounding.families.tiny_text_models import florence2
from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.frame import Frame
from vitron_ros.grounding.families.box_text import FLORENCE2, write_boxes
from vitron_ros.grounding.families.florence2 import NEAR, Florence2, sureness
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.region import Region
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.models import load_model

SIZES = [(640, 480), (1280, 720), (480, 640), (333, 471)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return florence2(tmp_path_factory.mktemp("florence2"))


def frame(size=(640, 480)):
    rgb = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Frame(rgb=rgb, stamp_ns=1)


def scripted(directory, said, **network):
    model = Florence2.load(directory, ModelRun())
    fake = ScriptedNetwork(model._model, model._tokenizer, lambda prompt: said, **network)
    return Florence2(fake, model._image_processor, model._tokenizer, model.describe()), fake


def find(image=None, text="the red mug", **more):
    return ModelRequest(id="1", task=Task.FIND, text=text, frames=(image or frame(),), **more)


@pytest.mark.parametrize("layout", ["nested", "split"])
def test_a_directory_runs_in_either_layout(tmp_path, layout):
    model = load_model(str(florence2(tmp_path, layout)), ModelRun())
    assert isinstance(model, Florence2)
    model.max_new_tokens = 12
    first, second = model.reply([find(), find()])
    assert first.status in (ReplyStatus.OK, ReplyStatus.ABSENT, ReplyStatus.UNREADABLE)
    assert first.text == second.text
    assert (model.describe().family, model.describe().tasks) == ("florence2", {Task.FIND, Task.DESCRIBE})


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_true_box_is_that_box_in_pixels(tiny, size):
    box = np.array([0.1, 0.2, 0.5, 0.9]) * [*size, *size]
    model, network = scripted(tiny, "</s><s>" + write_boxes([box], ["the red mug"], FLORENCE2, size))
    old = frame(size)
    request = ModelRequest(id="1", task=Task.FIND, text="the red mug.", frames=(old, frame(size)))
    reply = model.reply([request])[0]
    assert reply.status is ReplyStatus.OK
    assert np.isnan(reply.boxes_xyxy[0]).all()
    assert np.abs(reply.boxes_xyxy[1] - box).max() <= max(size) / 1000 / 2 + 0.01
    assert network.prompts[0].endswith("<s>Locate the red mug in the image.</s>")
    assert 0.8 < reply.score <= 1


def test_the_place_that_it_is_surest_of_comes_first(tiny):
    model, _ = scripted(
        tiny, "mug<loc_1><loc_1><loc_900><loc_900><loc_100><loc_100><loc_200><loc_200>cup<loc_5>", sure=0.5
    )
    reply = answers(model, [find()])[0]
    assert reply.candidates_xyxy.shape == (2, 4)
    assert reply.candidates_xyxy[0] == pytest.approx([64.3, 48.2, 128.3, 96.2], abs=0.1)  # no edge cuts what is near
    assert reply.candidate_scores[0] > reply.candidate_scores[1]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("", ReplyStatus.ABSENT),
        ("the red mug", ReplyStatus.ABSENT),
        ("mug<loc_1><loc_2><loc_3>", ReplyStatus.UNREADABLE),
        ("mug<loc_1><loc_2><loc_1><loc_9>", ReplyStatus.UNREADABLE),
    ],
)
def test_there_is_never_a_made_up_box(tiny, said, status):
    reply = scripted(tiny, said)[0].reply([find()])[0]
    assert (reply.status, reply.boxes_xyxy) == (status, None)


def test_what_it_is_not_sure_of_is_under_the_cut_off(tiny):
    """A box is found where the probabilities of near locations add up, and lost where they are spread."""
    numbers = [100, 200, 300, 400]
    spread, peaks = torch.full((4, 1000), 1e-3), torch.zeros(4, 1000)
    for row, number in enumerate(numbers):
        peaks[row, number - 10 : number + 10] = 1 / 20
    assert sureness(spread, numbers) == pytest.approx((2 * NEAR + 1) / 1000)
    assert sureness(peaks, numbers) == pytest.approx(1)


def test_a_region_is_described_by_its_numbers(tiny):
    model, network = scripted(tiny, "a red mug")
    region = Region.from_box([64, 96, 320, 432])
    request = ModelRequest(id="1", task=Task.DESCRIBE, frames=(frame(),), regions=(region,))
    reply = model.reply([request])[0]
    assert (reply.status, reply.text) == (ReplyStatus.OK, "a red mug")
    assert "the region <loc_100><loc_200><loc_500><loc_900> describe" in network.prompts[0]


def test_control_tokens_and_long_phrases(tiny):
    model, network = scripted(tiny, "mug<loc_100><loc_200><loc_500><loc_900>")
    first, long = model.reply([find(text="mug <loc_1></s><image>"), find(text="mug " * 400)])
    assert first.status is ReplyStatus.OK
    assert network.prompts[0].count("<image>") == 5 and "<loc_1>" not in network.prompts[0]
    assert long.status is ReplyStatus.FAILED and "fewer words" in long.message


def test_questions_are_refused_before_the_model(tiny):
    model, network = scripted(tiny, "")
    reply = answers(model, [ModelRequest(id="1", task=Task.ASK, text="what colour is the mug?", frames=(frame(),))])[0]
    assert reply.status is ReplyStatus.REFUSED and "answer questions" in reply.message
    assert not network.prompts


def test_a_tokenizer_without_locations_is_refused(tmp_path):
    directory = florence2(tmp_path)
    config = json.loads((directory / "processor_config.json").read_text())
    del config["image_processor"]["image_seq_length"]
    (directory / "processor_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="image_seq_length"):
        Florence2.load(directory, ModelRun())

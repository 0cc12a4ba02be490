"""Qwen2.5-VL, Qwen3-VL and Qwen3.5, from tiny directories in both layouts, and with a network that writes a script."""

import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from tests.grounding.families.scripted_network import ScriptedNetwork
from tests.grounding.families.tiny_text_models import qwen
from vitron_ros.cli.main import main
from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.frame import Frame
from vitron_ros.grounding.families.box_text import write_boxes
from vitron_ros.grounding.families.qwen_vl import DIALECTS, QwenVL
from vitron_ros.grounding.request import ConversationTurn, ModelRequest, ReplyStatus, Task
from vitron_ros.region import Region
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.models import load_model

KINDS = list(DIALECTS)
SIZES = [(640, 480), (1280, 720), (480, 640), (333, 471)]
BOX = [64.0, 96.0, 320.0, 432.0]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The directory of a kind and a layout, each made once."""
    made = {}

    def directory(kind: str = "qwen3_vl", layout: str = "nested"):
        if (kind, layout) not in made:
            made[kind, layout] = qwen(tmp_path_factory.mktemp(kind), kind, layout)
        return made[kind, layout]

    return directory


def frame(size=(640, 480), stamp_ns=1_000_000_000, seed=0):
    rgb = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Frame(rgb=rgb, stamp_ns=stamp_ns)


def scripted(directory, say, **network):
    """The model of a directory whose network writes what `say` gives."""
    model = QwenVL.load(directory, ModelRun())
    fake = ScriptedNetwork(model._model, model._tokenizer, say, **network)
    return QwenVL(fake, model._image_processor, model._tokenizer, model.describe()), fake


def find(text="the red mug", frames=None, **more):
    return ModelRequest(id="1", task=Task.FIND, text=text, frames=frames or (frame(),), **more)


def ask(text="What is this?", frames=None, **more):
    return ModelRequest(id="1", task=Task.ASK, text=text, frames=frames or (frame(),), **more)


def there(reply):
    """A script: the target is there, and where."""
    return lambda prompt: "yes" if "yes or no" in prompt else reply


# Tiny directories with random weights: they run; what they say means nothing.


@pytest.mark.parametrize("layout", ["nested", "split"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_directory_runs_in_either_layout(tiny, kind, layout):
    model = load_model(str(tiny(kind, layout)), ModelRun())
    assert isinstance(model, QwenVL)
    model.max_new_tokens = 4
    heard = []
    found, said = model.reply([find(), ask(on_text=heard.append)])
    assert found.status in (ReplyStatus.OK, ReplyStatus.ABSENT, ReplyStatus.UNREADABLE, ReplyStatus.UNSURE)
    assert said.status is ReplyStatus.OK
    assert heard[-1] == said.text
    assert 0 < said.score < 1
    what = model.describe()
    assert (what.family, what.tasks, what.device) == (kind, {Task.FIND, Task.ASK, Task.DESCRIBE, Task.VERIFY}, "cpu")
    assert what.memory_bytes == 4 * what.parameters > 100_000


def test_the_command_line_runs_to_an_answer(tiny, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "photo.png"), frame().rgb)
    command = ["ask", str(tmp_path / "photo.png"), "where is the red mug?", "--model", str(tiny()), "--min-score", "0"]
    assert main([*command, "--json"]) in (0, 1)  # of random weights, which may write what cannot be read
    assert json.loads(capsys.readouterr().out)["status"] in ("ok", "absent", "unsure", "unreadable")


def test_answers_are_greedy_whatever_the_checkpoint_wants(tiny):
    model = QwenVL.load(tiny("qwen2_5_vl"), ModelRun(), max_new_tokens=8)
    assert model.reply([ask()])[0].text == model.reply([ask()])[0].text
    assert model._model.generation_config.repetition_penalty in (None, 1.0)


def test_pickles_and_options_of_other_layouts_are_refused(tiny, tmp_path):
    directory = qwen(tmp_path, "qwen3_vl")
    with pytest.raises(ConfigError, match="model_weights"):
        QwenVL.load(directory, ModelRun(weights="int8"))
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        QwenVL.load(directory, ModelRun())


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "processor_config.json", "chat_template.jinja", "model.safetensors"]
)
def test_a_missing_part_is_one_sentence(tmp_path, name):
    directory = qwen(tmp_path, "qwen3_vl")
    (directory / name).unlink()
    with pytest.raises(ModelError, match="fetch"):
        QwenVL.load(directory, ModelRun())


# What is asked and how it is read, with a network that writes the answer.


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_true_box_in_the_dialect_of_the_model_is_that_box_in_pixels(tiny, kind, size):
    image = frame(size)
    scale = np.array([size[0] / 640, size[1] / 480] * 2)
    box = np.array(BOX) * scale
    seen = QwenVL.load(tiny(kind), ModelRun())._seen(image.rgb)
    model, network = scripted(tiny(kind), there(write_boxes([box], ["mug"], DIALECTS[kind], size, seen)))
    old = frame(size, stamp_ns=1)
    reply = model.reply([find(frames=(old, image))])[0]
    assert reply.status is ReplyStatus.OK, reply
    assert np.isnan(reply.boxes_xyxy[0]).all()
    step = max(size) / 1000 if DIALECTS[kind].steps else max(size[0] / seen[0], size[1] / seen[1])
    assert np.abs(reply.boxes_xyxy[1] - box).max() <= step / 2 + 0.01
    assert reply.candidates_xyxy.shape == (1, 4)
    assert int(network.inputs[0]["image_grid_thw"].prod()) == len(network.inputs[0]["pixel_values"])


def test_several_candidates_are_in_the_order_of_the_model_with_the_probability_of_yes(tiny):
    boxes = [BOX, [0, 0, 64, 48], [320, 240, 640, 480]]
    text = write_boxes(boxes, ["a", "b", "c"], DIALECTS["qwen3_vl"], (640, 480))
    model, _ = scripted(tiny(), there(f"```json\n{text}\n```"), sure=0.8)
    reply = answers(model, [find()])[0]
    assert reply.status is ReplyStatus.OK
    assert reply.candidates_xyxy == pytest.approx(np.array(boxes), abs=0.5)
    assert reply.score == reply.candidate_scores[0] == pytest.approx(0.99, abs=0.02)


def test_what_is_not_there_is_absent_and_no_box_is_asked_for(tiny):
    model, network = scripted(tiny(), lambda prompt: "No")
    reply = model.reply([find()])[0]
    assert (reply.status, reply.boxes_xyxy, len(reply.candidates_xyxy)) == (ReplyStatus.ABSENT, None, 0)
    assert len(network.prompts) == 1
    assert reply.score > 0.9


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("[]", ReplyStatus.UNSURE),
        ("There are none.", ReplyStatus.UNSURE),
        ('[{"bbox_2d": [1200, 10, 1300, 20]}]', ReplyStatus.UNREADABLE),
        ("It is on the left.", ReplyStatus.UNREADABLE),
        ("", ReplyStatus.UNREADABLE),
    ],
)
def test_there_is_never_a_made_up_box(tiny, said, status):
    reply = scripted(tiny(), there(said))[0].reply([find()])[0]
    assert (reply.status, reply.boxes_xyxy) == (status, None)
    assert reply.message


def test_a_conversation_is_asked_in_its_order_with_the_boxes_that_it_was_about(tiny):
    model, network = scripted(tiny(), lambda prompt: "It is red.")
    turns = (
        ConversationTurn(question="where is the mug", reply="on the table", box_xyxy=np.array(BOX)),
        ConversationTurn(question="is it full", reply="yes"),
    )
    reply = model.reply([ask("what colour is it", history=turns)])[0]
    assert (reply.status, reply.text) == (ReplyStatus.OK, "It is red.")
    parts = re.findall(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>", network.prompts[0], re.DOTALL)
    assert [role for role, _ in parts] == ["user", "assistant"] * 2 + ["user"]
    assert '"bbox_2d": [100, 200, 500, 900]' in parts[1][1]
    assert "<|image_pad|>" in parts[4][1] and "<|image_pad|>" not in parts[0][1]
    assert parts[4][1].endswith("What colour is it?")


def test_what_this_means_is_drawn_on_the_image(tiny):
    model, network = scripted(tiny(), lambda prompt: "A mug.")
    region = Region.from_box(BOX)
    model.reply([ask(), ask(regions=(region,)), ask(regions=(region, Region.from_point(500, 100)))])
    plain, marked, _ = (one["pixel_values"] for one in network.inputs)
    assert plain.shape == marked.shape and not plain.equal(marked)
    assert 'marks what "this" means' in network.prompts[1]
    assert "1 to 2" in network.prompts[2]
    outside = model.reply([ask(regions=(Region.from_box([900, 900, 950, 950]),))])[0]
    assert outside.status is ReplyStatus.FAILED and "outside" in outside.message


def test_a_question_of_time_is_asked_of_all_frames_with_their_times(tiny):
    model, network = scripted(tiny(), lambda prompt: "The mug.")
    frames = tuple(frame(stamp_ns=1_000_000_000 + number * 250_000_000, seed=number) for number in range(3))
    model.reply([ask("which object moved?", frames), ask("what colour is the mug?", frames)])
    assert [len(one["image_grid_thw"]) for one in network.inputs] == [3, 1]
    assert all(f"{seconds} s:" in network.prompts[0] for seconds in ("-0.50", "-0.25", "0.00"))


def test_a_description_is_of_a_crop(tiny):
    model, network = scripted(tiny(), lambda prompt: "red mug")
    request = ModelRequest(id="1", task=Task.DESCRIBE, frames=(frame(),), regions=(Region.from_box([0, 0, 100, 300]),))
    reply = model.reply([request])[0]
    assert (reply.status, reply.text) == (ReplyStatus.OK, "red mug")
    _, rows, columns = network.inputs[0]["image_grid_thw"][0].tolist()
    assert rows > 2 * columns


@pytest.mark.parametrize(("word", "status"), [("yes", ReplyStatus.OK), ("no", ReplyStatus.ABSENT)])
def test_a_box_is_verified_by_yes_or_no_with_its_mark_drawn(tiny, word, status):
    model, network = scripted(tiny(), lambda prompt: word)
    plain, mark = frame(), (Region.from_box(BOX),)
    request = ModelRequest(id="1", task=Task.VERIFY, frames=(plain,), text="the mug left of the car", regions=mark)
    reply = model.reply([request])[0]
    assert reply.status is status and 0.8 < reply.score <= 1 and bool(reply.message) == (word == "no")
    moved = model.reply([replace(request, is_placed=False)])[0]
    assert moved.status is status
    assert "Is what it marks the mug left of the car? Answer yes or no" in network.prompts[0]
    assert "Is what it marks the mug? Answer" in network.prompts[1], "it may have moved"
    model.reply([find(frames=(plain,))])
    shown = [one["pixel_values"] for one in network.inputs]
    assert not torch.equal(shown[0], shown[2])


def test_of_choices_the_likeliest_is_the_answer_whatever_is_said(tiny):
    model, network = scripted(tiny(), lambda prompt: "2 or so", sure=0.7)
    reply = model.reply([ask("Which?", choices=("0", "1", "2"))])[0]
    assert (reply.status, reply.text, network.written) == (ReplyStatus.OK, "2", 1)
    other = (1 - 0.7) / (len(model._tokenizer) - 1)
    assert reply.score == pytest.approx(0.7 / (0.7 + 2 * other))


def test_boxes_with_a_label_in_an_answer_are_places(tiny):
    text = 'Here: {"bbox_2d": [100, 200, 500, 900], "label": "mug"}, and [1, 2, 3, 4]'
    reply = scripted(tiny(), lambda prompt: text)[0].reply([ask()])[0]
    assert [(item.label, item.box_xyxy.tolist()) for item in reply.grounded] == [("mug", pytest.approx(BOX, abs=1e-3))]


def test_thoughts_are_not_part_of_an_answer(tiny):
    heard = []
    model, _ = scripted(tiny(), lambda prompt: "<think>the mug is red</think>\nIt is red.")
    assert model.reply([ask(on_text=heard.append)])[0].text == "It is red."
    assert not any("think" in text for text in heard)


@pytest.mark.parametrize("text", ["<|image_pad|> <|im_end|>", "a <|vision<|im_end|>_start|> b", "<think>"])
def test_control_tokens_that_a_person_writes_are_left_out(tiny, text):
    model, network = scripted(tiny(), there("[]"))
    for request in (
        find(f"the mug {text}"),
        ask(f"what {text}", history=(ConversationTurn(question=text, reply=text),)),
    ):
        assert model.reply([request])[0].status in (ReplyStatus.UNSURE, ReplyStatus.OK)
    assert all(prompt.count("<|vision_start|>") == 1 for prompt in network.prompts)


# Limits.


def test_a_cancelled_request_ends_at_the_next_token_and_those_beside_it_go_on(tiny):
    model, network = scripted(tiny(), lambda prompt: "one two three four five six seven eight nine ten")
    heard = []
    cancelled = ask(on_text=heard.append, is_cancelled=lambda: len(heard) >= 3)
    first, second = model.reply([cancelled, ask()])
    assert (first.status, second.status) == (ReplyStatus.CANCELLED, ReplyStatus.OK)
    assert len(heard) == 3
    assert network.written == 4 + len(model._tokenizer.encode(second.text)) + 1


def test_no_token_is_written_after_the_deadline(tiny):
    directory = tiny()
    real = QwenVL.load(directory, ModelRun())
    network = ScriptedNetwork(real._model, real._tokenizer, lambda prompt: "one two three four five six")
    now = iter(range(100))
    model = QwenVL(network, real._image_processor, real._tokenizer, real.describe(), now_ns=lambda: next(now))
    assert model.reply([ask(deadline_ns=3)])[0].status is ReplyStatus.DEADLINE
    assert network.written == 3
    assert model.reply([ask(deadline_ns=3)])[0].status is ReplyStatus.DEADLINE
    assert network.written == 3


@pytest.mark.parametrize("name", ["on_text", "is_cancelled"])
def test_a_callback_that_raises_costs_its_own_request(tiny, name):
    def fails(*_):
        raise ValueError("no console")

    model, _ = scripted(tiny(), lambda prompt: "It is red.")
    first, second = model.reply([ask(**{name: fails}), ask()])
    assert (first.status, second.status) == (ReplyStatus.FAILED, ReplyStatus.OK)
    assert "no console" in first.message


def test_an_answer_that_is_cut_says_so(tiny):
    model, _ = scripted(tiny(), lambda prompt: "one two three four five six")
    model.max_new_tokens = 3
    reply = model.reply([ask()])[0]
    assert reply.status is ReplyStatus.OK and "cut at 3 tokens" in reply.message


@pytest.mark.parametrize("size", [(1, 1), (4000, 8), (8, 4000)])
def test_an_image_that_the_model_cannot_take_costs_its_own_request(tiny, size):
    model, _ = scripted(tiny(), lambda prompt: "yes")
    first, second = model.reply([ask(frames=(frame(size),)), ask()])
    assert first.status in (ReplyStatus.OK, ReplyStatus.FAILED)
    assert second.status is ReplyStatus.OK


def test_a_conversation_that_is_too_long_is_refused(tiny):
    model, _ = scripted(tiny(), lambda prompt: "yes")
    turns = tuple(ConversationTurn(question="why? " * 300, reply="because " * 300) for _ in range(10))
    reply = model.reply([ask(history=turns)])[0]
    assert reply.status is ReplyStatus.FAILED and "begin a new one" in reply.message

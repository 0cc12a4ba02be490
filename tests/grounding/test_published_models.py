"""Elysium and VITRON as the runtime's models, from tiny checkpoints in the published layouts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from published import ELYSIUM_CONFIG, FRAMES, VITRON_CONFIG, Vitron, save_elysium, save_vitron
from scripted_decoder import ScriptedDecoder
from tiny_language import sentencepiece
from torch.nn.functional import interpolate

from tests.fakes import frame
from vitron_ros.config import ModelRun
from vitron_ros.grounding.request import LanguageVision, ModelRequest, ReplyStatus, Task
from vitron_ros.model.config import PROFILES, GenerationConfig
from vitron_ros.region import Region
from vitron_ros.streaming.models import load_model

CLIP = tuple(frame(index, width=96, height=64) for index in range(6))
TOKENS = 12  # of an answer


@pytest.fixture(autouse=True)
def sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published sizes and choices, but tiny."""
    short = GenerationConfig(max_new_tokens=TOKENS)
    image = {"fit": "crop", "resample": "bicubic", "antialias": False}
    vitron = replace(
        VITRON_CONFIG,
        vision=replace(VITRON_CONFIG.vision, **image),
        video=replace(VITRON_CONFIG.video, **image),
        generation=short,
        tokenisation="published",
        prompt_profile="vitron",
    )
    elysium = replace(ELYSIUM_CONFIG, generation=short, tokenisation="published", prompt_profile="elysium")
    monkeypatch.setitem(PROFILES, "vitron-7b-published", vitron)
    monkeypatch.setitem(PROFILES, "elysium-7b", elysium)


def load(directory: Path) -> LanguageVision:
    return load_model(str(directory), ModelRun(backend="torch"))


@pytest.fixture
def vitron(tmp_path: Path) -> tuple[LanguageVision, Vitron]:
    theirs = save_vitron(tmp_path / "base", tmp_path / "vitron-lora", pickled=True)
    sentencepiece().save(tmp_path / "base")
    return load(tmp_path / "base"), theirs


def request(task: Task, frames=CLIP, text: str = "the small red ring", **values) -> ModelRequest:
    return ModelRequest(id="a", task=task, frames=frames, text=text, **values)


def scripted(model: LanguageVision, line: str) -> ScriptedDecoder:
    model._decoder = ScriptedDecoder(line)
    return model._decoder


def test_elysium_finds_follows_and_answers(tmp_path):
    save_elysium(tmp_path)
    sentencepiece().save(tmp_path)
    model = load(tmp_path)
    assert model.tasks == {Task.FIND, Task.FOLLOW, Task.ASK} and not model.uses_newest_frame_only
    scripted(model, "Frame 1: [10,20,30,40], Frame 2: none")
    (reply,) = model.reply([request(Task.FIND, CLIP[:2])])
    np.testing.assert_allclose(reply.boxes_xyxy, [[9.6, 12.8, 28.8, 25.6], [np.nan] * 4])


def test_vitron_finds_in_the_newest_image_alone(vitron):
    model, _ = vitron
    assert model.tasks == {Task.FIND, Task.ASK, Task.DESCRIBE} and model.uses_newest_frame_only
    decoder = scripted(model, "The ring is at (0.25, 0.50, 0.75, 1.00).")
    (reply,) = model.reply([request(Task.FIND)])
    assert reply.status is ReplyStatus.OK and reply.stamps_ns == tuple(one.stamp_ns for one in CLIP)
    assert np.isnan(reply.boxes_xyxy[:-1]).all()
    np.testing.assert_allclose(reply.boxes_xyxy[-1], [24, 32, 72, 64])
    assert decoder.asked[0].grammar is None  # its boxes are fractions, which the grammar's are not


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Sorry, I cannot see it", ReplyStatus.UNREADABLE),
        ("", ReplyStatus.UNREADABLE),
        ("none", ReplyStatus.ABSENT),
    ],
)
def test_what_vitron_does_not_find_has_no_box(vitron, line, status):
    model, _ = vitron
    scripted(model, line)
    (reply,) = model.reply([request(Task.FIND)])
    assert reply.status is status
    assert reply.boxes_xyxy is None or np.isnan(reply.boxes_xyxy).all()


def test_vitron_is_shown_one_image_or_a_whole_clip(vitron):
    """A question about time goes through its encoder for video, which takes one number of frames."""
    model, _ = vitron
    decoder = scripted(model, "a ring")
    mark = Region.from_box([8, 8, 40, 40])
    about_one = [request(Task.ASK, text="what is it?"), request(Task.ASK, text="what is this?", regions=(mark,))]
    about_time = [request(Task.ASK, frames, text="what moved?") for frames in (CLIP, CLIP[:2])]
    for reply in model.reply([*about_one, *about_time]):
        assert reply.status is ReplyStatus.OK and reply.text == "a ring"
    short, marked, clip, stretched = (len(asked.embeds) for asked in decoder.asked)
    patches = VITRON_CONFIG.vision.num_patches
    assert short < marked < short + patches / 2  # the token of the mark, and a few of text
    assert clip == stretched and abs(clip - short - (FRAMES - 1) * patches) < patches / 2


def test_vitron_describes_what_is_marked(vitron):
    model, _ = vitron
    scripted(model, "a red ring")
    (reply,) = model.reply([request(Task.DESCRIBE, text="", regions=(Region.from_box([8, 8, 40, 40]),))])
    assert reply.status is ReplyStatus.OK and reply.text == "a red ring"


def test_a_box_of_a_clip_is_not_taken_for_one_of_the_newest_image(vitron):
    model, _ = vitron
    scripted(model, "the ring (0.1, 0.2, 0.3, 0.4)")
    for frames, count in ((CLIP, 0), (CLIP[:1], 1)):
        (reply,) = model.reply([request(Task.ASK, frames, text="what moved?")])
        assert reply.status is ReplyStatus.OK and len(reply.grounded) == count


def prepared(rgb: np.ndarray) -> torch.Tensor:
    """What torchvision's ToTensor, Resize(bicubic), CenterCrop and Normalize make of an image."""
    image = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    image = interpolate(image, (64, 96), mode="bicubic", align_corners=False)[..., 16:80]
    mean, std = torch.tensor([[0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]])
    return (image - mean[:, None, None]) / std[:, None, None]


def test_vitrons_answer_is_that_of_its_parts_in_transformers(vitron):
    """The whole image path: the prompt as its code words it, its parts as they were saved, greedy, token by token."""
    model, theirs = vitron
    tokenizer, profile = sentencepiece(), model._decoder_requests._prompts.profile
    rgb = np.random.default_rng(0).integers(0, 256, (128, 192, 3), np.uint8)
    pixels = prepared(rgb)
    before = tokenizer.encode(f"{profile.system}USER: ", bos=True)
    after, said = tokenizer.encode("\nWhat is it? ASSISTANT:"), []
    while len(said) < TOKENS and (not said or said[-1] != tokenizer.eos_id):
        said.append(int(theirs.answer(pixels, before, [*after, *said])[-1].argmax()))
    one = replace(CLIP[0], rgb=rgb)
    (reply,) = model.reply([request(Task.ASK, (one,), text="what is it?")])
    assert tokenizer.decode(said).strip() in (reply.text, *reply.message.split("'"))  # quoted where it makes no sense

"""Detectors from saved directories with random weights, as the hub has them; what they see means nothing."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from transformers.utils import import_utils

from tests.grounding.families import tiny
from tests.refusals import assert_refused
from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.streaming.models import load_model

HAS_TORCHVISION = importlib.util.find_spec("torchvision") is not None
ELSEWHERE = os.environ.get("TORCHVISION_PATH", "")
MAKERS = {
    "grounding-dino": tiny.grounding_dino,
    "mm-grounding-dino": tiny.grounding_dino,
    "owlvit": tiny.owl,
    "owlv2": tiny.owl,
}
RNG = np.random.default_rng(0)
NOISE = [RNG.integers(0, 255, (60, 80, 3), dtype=np.uint8) for _ in range(2)]
WIDE = RNG.integers(0, 255, (54, 97, 3), dtype=np.uint8)


def saved(directory, kind, is_split=False):
    directory = MAKERS[kind](directory / kind, kind=kind)
    if is_split:
        tiny.split_processor(directory)
    return directory


def request(text="the mug", *images, **values):
    frames = tuple(Frame(rgb=rgb, stamp_ns=place) for place, rgb in enumerate(images or NOISE[:1]))
    return ModelRequest(id=text, task=Task.FIND, frames=frames, text=text, **values)


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    return load_model(str(saved(tmp_path_factory.mktemp("dino"), "grounding-dino")), ModelRun())


@pytest.mark.parametrize("is_split", [False, True], ids=["nested", "split"])
@pytest.mark.parametrize("kind", MAKERS)
def test_a_directory_of_either_layout_finds(tmp_path, kind, is_split):
    model = load_model(str(saved(tmp_path, kind, is_split)), ModelRun())
    description = model.describe()
    assert (description.name, description.family, description.device) == (kind, kind, "cpu")
    assert description.tasks == model.tasks == {Task.FIND} and description.memory_bytes == 4 * description.parameters
    assert model.uses_newest_frame_only and 0 < model.min_score < 0.5
    model.min_score = model._network.min_score = 0.0  # of random weights everything counts
    (reply,) = model.reply([request("the mug", NOISE[1], NOISE[0])])
    assert reply.status is ReplyStatus.OK and np.isnan(reply.boxes_xyxy[0]).all()
    assert (reply.boxes_xyxy[1] == reply.candidates_xyxy[0]).all() and reply.score == reply.candidate_scores[0]
    assert len(reply.candidate_scores) > 1 and (np.diff(reply.candidate_scores) <= 0).all()


@pytest.mark.skipif(HAS_TORCHVISION, reason="nothing is missing")
def test_a_missing_package_is_named_when_the_model_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setitem(import_utils.BACKENDS_MAPPING, "scipy", (lambda: False, import_utils.SCIPY_IMPORT_ERROR))
    with pytest.raises(ModelError, match=r"requires the scipy library.*; install that package$"):
        load_model(str(saved(tmp_path, "owlv2")), ModelRun())


def test_a_reply_does_not_depend_on_what_is_asked_beside_it(dino):
    asked = [
        request("the red mug", NOISE[0]),
        request("a person in the red jacket on the left", NOISE[0]),
        request("the car", WIDE),
        request("the star", NOISE[1]),
    ]
    for one, beside in zip(asked, dino.reply(asked), strict=True):
        (alone,) = dino.reply([one])
        assert (beside.id, beside.status) == (one.id, alone.status)
        assert np.allclose(beside.candidates_xyxy, alone.candidates_xyxy, atol=1e-2)
    assert [reply.boxes_xyxy.tolist() for reply in dino.reply(asked[:2])] == [
        reply.boxes_xyxy.tolist() for reply in dino.reply(asked[:2])
    ], "the same pixels and words give the same bytes"


@pytest.mark.parametrize(("height", "width"), [(3, 53), (1, 1), (200, 3), (480, 1)])
def test_strange_sizes_are_no_failure(dino, height, width):
    (reply,) = dino.reply([request("the mug", np.zeros((height, width, 3), np.uint8))])
    assert reply.status in (ReplyStatus.OK, ReplyStatus.ABSENT)


@pytest.mark.parametrize(
    ("values", "status"),
    [({"is_cancelled": lambda: True}, ReplyStatus.CANCELLED), ({"deadline_ns": 0}, ReplyStatus.DEADLINE)],
)
def test_what_nobody_waits_for_is_not_looked_for(dino, monkeypatch, values, status):
    seen = []
    monkeypatch.setattr(dino._network, "detect", lambda images, texts: seen.append(texts) or [])
    (reply,) = dino.reply([request(**values)])
    assert reply.status is status and not seen


def test_a_phrase_that_is_too_long_is_cut_and_that_is_said(tmp_path):
    model = load_model(str(saved(tmp_path, "owlvit")), ModelRun())
    (reply,) = model.reply([request("red mug near the very old car")])
    assert "looked for 'red mug near the' without 'very old car', too long" in reply.message


def test_a_long_phrase_is_no_failure_of_grounding_dino(dino):
    (reply,) = dino.reply([request("mug " * 400)])
    assert reply.status in (ReplyStatus.OK, ReplyStatus.ABSENT) and "too long" in reply.message


def test_absence_has_a_score_and_says_how_near_it_was(tmp_path):
    model = load_model(str(saved(tmp_path, "mm-grounding-dino")), ModelRun())
    (reply,) = model.reply([request()])
    assert reply.status is ReplyStatus.ABSENT and reply.boxes_xyxy is None and not len(reply.candidate_scores)
    assert reply.score > 0.6 and "sees no 'the mug.': the best score is 0.0" in reply.message


def test_numbers_that_are_none_are_no_boxes(dino, monkeypatch):
    detect = dino._network.detect

    def broken(images, texts):
        return [found._replace(scores=found.scores * np.nan) for found in detect(images, texts)]

    monkeypatch.setattr(dino._network, "detect", broken)
    (reply,) = dino.reply([request()])
    assert reply.status is ReplyStatus.UNREADABLE and reply.boxes_xyxy is None


def damage(directory, name, text):
    if text is None:
        (directory / name).unlink()
    else:
        (directory / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("processor_config.json", None, "the image processor in .* cannot be read"),
        ("tokenizer.json", None, "has no tokenizer: none of tokenizer.json"),
        ("tokenizer.json", "{", "the tokenizer in .* cannot be read"),
        ("model.safetensors", None, "has no weights: neither"),
        ("model.safetensors", "no weights", "the model in .* cannot be read"),
        ("config.json", "[", "is not valid JSON"),
    ],
)
def test_a_damaged_directory_is_one_sentence(tmp_path, name, text, says):
    directory = saved(tmp_path, "grounding-dino")
    damage(directory, name, text)
    with assert_refused(ModelError, says):
        load_model(str(directory), ModelRun())


def test_weights_of_another_size_are_refused(tmp_path):
    directory = saved(tmp_path, "grounding-dino")
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"decoder_layers": 3}))
    with pytest.raises(ModelError, match=r"do not fit its config\.json: .* are missing or of another shape"):
        load_model(str(directory), ModelRun())


@pytest.mark.parametrize("option", [{"backend": "onnx"}, {"weights": "int8"}, {"cache": "fp8"}])
def test_options_of_the_other_layout_are_refused(tmp_path, option):
    with pytest.raises(ConfigError, match="a model of this family runs"):
        load_model(str(saved(tmp_path, "grounding-dino")), ModelRun(**option))


def test_the_licence_is_that_of_the_model_card(tmp_path):
    directory = saved(tmp_path / "models--owner--name" / "snapshots", "grounding-dino")
    (directory / "README.md").write_text("---\nlicense: apache-2.0\ntags: [a]\n---\n# A card\n")
    description = load_model(str(directory), ModelRun()).describe()
    assert (description.name, description.licence) == ("owner/name", "apache-2.0")


@pytest.mark.skipif(
    not (HAS_TORCHVISION or ELSEWHERE), reason="torchvision is not installed; see test_with_torchvision"
)
def test_boxes_are_right_with_the_image_processors_of_torchvision():
    """In a process of its own, since transformers chooses its processors once."""
    root = Path(__file__).parents[3]
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(root), ELSEWHERE)))
    shim, tests = "tests.grounding.families.torchvision_shim", Path(__file__).with_name("test_detector_boxes.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", shim, str(tests)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=root,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout

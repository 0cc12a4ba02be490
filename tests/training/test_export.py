"""A model to ship: it answers as its checkpoint does, has its vocabulary and detector, and a card with figures."""

import json

import numpy as np
import pytest
import torch
from tiny_training import tiny_checkpoint

from training import export
from vitron_ros.config import ModelRun
from vitron_ros.frame import Frame
from vitron_ros.grounding.grounder import Grounder
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.model.checkpoint import load_checkpoint, save_pretrained

STAGE = {"config": {"name": "dense", "seed": 3}, "step": 20, "seconds": 90.0, "hardware": "a machine"}
FIGURES = {"rec_acc50": 0.5, "qa_em": 0.25}
VAL = {**FIGURES, "baseline_centre": {"rec_acc50": 0.125}, "baseline_chance": FIGURES, "oracle": {"rec_acc50": 1.0}}


@pytest.fixture
def source(tmp_path):
    checkpoint = tiny_checkpoint()
    folder = tmp_path / "step-0000020"
    save_pretrained(checkpoint.model, folder, tokenizer=checkpoint.tokenizer, prompt_profile=checkpoint.prompts.profile)
    (folder / "training.json").write_text(json.dumps({"stages": [STAGE]}))
    return folder


@pytest.fixture
def shipped(source, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "VOCABULARY_CLIPS", 6)
    monkeypatch.setattr(export, "OOD_CLIPS", 40)
    out = tmp_path / "shipped"
    (tmp_path / "val.json").write_text(json.dumps(VAL))
    assert export.main(["--checkpoint", str(source), "--out", str(out), "--val", str(tmp_path / "val.json")]) == 0
    return out


def test_weights_are_half_precision_and_the_same(source, shipped):
    full, half = (load_checkpoint(folder, dtype=torch.float32).model for folder in (source, shipped))
    assert (shipped / "model.safetensors").stat().st_size < 0.6 * (source / "model.safetensors").stat().st_size
    for name, weight in full.named_parameters():
        torch.testing.assert_close(dict(half.named_parameters())[name], weight, rtol=1e-3, atol=1e-4)


def test_it_answers_through_the_runtime_and_refuses_words_it_was_never_taught(shipped):
    grounder = Grounder.load(shipped, ModelRun(backend="torch"))
    frame = Frame(rgb=np.full((48, 64, 3), 90, np.uint8), stamp_ns=1)
    asked = [ModelRequest(id=text, task=Task.FIND, frames=(frame,), text=text) for text in ("the red star", "the dog")]
    known, unknown = grounder.reply(asked)
    assert known.text and known.status not in (ReplyStatus.UNKNOWN, ReplyStatus.FAILED)
    assert unknown.status is ReplyStatus.UNKNOWN and '"dog"' in unknown.message


def test_the_card_tells_the_figures_and_the_stages(shipped):
    card = (shipped / "README.md").read_text()
    assert "| `rec_acc50` | 0.500 | 0.125 | 0.500 | 1.000 |" in card
    assert "| `qa_em` | 0.250 |  | 0.250 |  |" in card
    assert "| dense | 20 | 2 | 3 | a machine |" in card
    assert "{{" not in card


def test_weights_are_the_mean_of_the_checkpoints_that_are_named(source, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "VOCABULARY_CLIPS", 6)
    monkeypatch.setattr(export, "OOD_CLIPS", 40)
    other, out = tmp_path / "step-0000030", tmp_path / "mean"
    checkpoint = load_checkpoint(source, dtype=torch.float32)
    with torch.no_grad():
        for weight in checkpoint.model.parameters():
            weight += 0.5
    prompts = checkpoint.prompts.profile
    save_pretrained(checkpoint.model, other, tokenizer=checkpoint.tokenizer, prompt_profile=prompts)
    later = {"stages": [STAGE, STAGE | {"config": {"name": "asking", "seed": 4}}]}
    (other / "training.json").write_text(json.dumps(later))
    (tmp_path / "val.json").write_text(json.dumps(VAL))
    asked = [
        "--checkpoint",
        str(other),
        "--average",
        str(source),
        "--out",
        str(out),
        "--val",
        str(tmp_path / "val.json"),
    ]
    assert export.main(asked) == 0
    first, mean = (load_checkpoint(folder, dtype=torch.float32).model for folder in (source, out))
    for name, weight in first.named_parameters():
        torch.testing.assert_close(dict(mean.named_parameters())[name], weight + 0.25, rtol=1e-3, atol=1e-3)
    assert json.loads((out / "training.json").read_text()) == later | {"mean_of": ["dense", "asking"]}
    assert "the mean of those after the stages dense and asking" in (out / "README.md").read_text()


def test_a_missing_checkpoint_is_said(tmp_path, capsys):
    assert export.main(["--checkpoint", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "holds no checkpoint" in capsys.readouterr().err

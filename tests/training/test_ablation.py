"""The comparison of token selectors: equal starts but for the selector, runs that are not run twice, a table."""

import json

import pytest
import torch
from tiny_training import write_model

from training import ablation
from training.tiny import fresh
from vitron_ros.model.checkpoint import load_checkpoint, save_pretrained
from vitron_ros.model.config import SelectorConfig

KINDS = (SelectorConfig(kind="gated", alpha=0.25), SelectorConfig(kind="pool", alpha=0.25))


@pytest.fixture
def base(tmp_path):
    checkpoint = fresh(write_model(tmp_path), seed=0, tokenizer_clips=5)
    folder = tmp_path / "base"
    save_pretrained(checkpoint.model, folder, tokenizer=checkpoint.tokenizer, prompt_profile=checkpoint.prompts.profile)
    return folder


def test_variants_share_the_vision_encoder_and_the_seed(base, tmp_path):
    checkpoint = load_checkpoint(base, dtype=torch.float32)
    made = [
        load_checkpoint(ablation.variant(kind, 3, checkpoint, tmp_path / kind.kind), dtype=torch.float32)
        for kind in KINDS
    ]
    for one in made:
        for name, weight in checkpoint.model.vision.state_dict().items():
            torch.testing.assert_close(one.model.vision.state_dict()[name], weight, rtol=0, atol=0)
    again = load_checkpoint(ablation.variant(KINDS[0], 3, checkpoint, tmp_path / "again"), dtype=torch.float32)
    for name, weight in made[0].model.named_parameters():
        torch.testing.assert_close(dict(again.model.named_parameters())[name], weight, rtol=0, atol=0)
    assert [one.model.config.selector.kind for one in made] == ["gated", "pool"]


def test_every_selector_is_trained_scored_and_not_trained_again(base, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ablation, "SELECTORS", KINDS)
    out = tmp_path / "out"
    arguments = [
        "--start", str(base), "--out", str(out), "--seeds", "0", "1",
        "--steps", "1", "--count", "1", "--clips", "4", "--workers", "0",
    ]  # fmt: skip
    assert ablation.main(arguments) == 0
    found = json.loads((out / "ablation.json").read_text())
    assert {name.split("-")[0]: len(runs) for name, runs in found.items()} == {"gated": 2, "pool": 2}
    assert all(0 <= value <= 1 for runs in found.values() for run in runs for value in run.values())
    written = {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}
    first = capsys.readouterr().out
    assert ablation.main(arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")} == written
    assert capsys.readouterr().out == first
    assert first.count("±") == sum(len(runs[0]) for runs in found.values())


def test_a_table_gives_mean_and_half_the_range():
    text = ablation.table({"gated-16": [{"rec_acc50": 0.5}, {"rec_acc50": 0.7}], "none-64": [{"rec_acc50": 0.25}]})
    assert "| gated | 16 | 0.600 ± 0.100 |" in text
    assert "| none | 64 | 0.250 |" in text


def test_a_missing_start_is_said(tmp_path, capsys):
    assert ablation.main(["--start", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "holds no checkpoint" in capsys.readouterr().err

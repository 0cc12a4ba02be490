"""The comparison of token selectors: equal starts but for the selector, runs that are not run twice, a table."""

import json

import pytest
import torch
from tiny_training import write_model

from training import ablation
from training.tiny import new_checkpoint
from vitron_ros.model.checkpoint import load_checkpoint, save_pretrained
from vitron_ros.model.config import SelectorConfig

KINDS = (
    ablation.Variant("gated", SelectorConfig(kind="gated", alpha=0.25), gate=0.1),
    ablation.Variant("pool", SelectorConfig(kind="pool", alpha=0.25)),
)


@pytest.fixture
def base(tmp_path):
    checkpoint = new_checkpoint(write_model(tmp_path), seed=0, tokenizer_clips=5)
    folder = tmp_path / "base"
    save_pretrained(checkpoint.model, folder, tokenizer=checkpoint.tokenizer, prompt_profile=checkpoint.prompts.profile)
    return folder


def test_only_the_selector_is_fresh_and_a_seed_repeats_it(base, tmp_path):
    checkpoint = load_checkpoint(base, dtype=torch.float32)

    def start(variant, seed, folder):
        made = ablation.with_selector(variant.selector, seed, checkpoint, tmp_path / folder)
        return load_checkpoint(made, dtype=torch.float32).model

    for kind in KINDS:
        model = start(kind, 3, kind.name)
        assert model.config.selector == kind.selector
        for name, weight in checkpoint.model.state_dict().items():
            if not name.startswith("selector."):
                torch.testing.assert_close(model.state_dict()[name], weight, rtol=0, atol=0)
    one, again, other = (start(KINDS[0], seed, f"seed{index}").selector for index, seed in enumerate((3, 3, 4)))
    for name, weight in one.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], weight, rtol=0, atol=0)
    assert any((other.state_dict()[name] != weight).any() for name, weight in one.state_dict().items())


def test_every_selector_is_trained_scored_and_not_trained_again(base, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ablation, "VARIANTS", KINDS)
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

"""The benchmark runs every backend that is here, and says which are not."""

import json
from dataclasses import replace

import pytest

from engines import bench
from tests.backends.small_models import GATED
from vitron_ros.model.checkpoint import save_pretrained
from vitron_ros.model.tokenizer import train_tokenizer
from vitron_ros.model.vitron import VitronModel

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")


def run(capsys, tmp_path, *words):
    assert bench.main([*words, "--rounds", "1", "--no-compile", "--json", "--cache", str(tmp_path)]) == 0
    *table, last = capsys.readouterr().out.splitlines()
    return table, json.loads(last)


def test_every_stage_beside_torch_eager(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("VITRON_ENGINES", str(tmp_path))
    tokenizer = train_tokenizer(["Frame 1: [1,2,3,4]"], 400)
    language = replace(GATED.language, vocab_size=tokenizer.size, max_positions=512)
    save_pretrained(VitronModel(replace(GATED, language=language)), tmp_path / "small", tokenizer=tokenizer)
    table, figures = run(capsys, tmp_path, "--checkpoint", str(tmp_path / "small"))
    for stage in ("encoder_batch_1", "prefill", "decode"):
        assert set(figures[stage]) >= {"torch", "onnxruntime"}, stage
    assert set(figures["grounding"]) == {"torch", "torch, drafts", "onnx, drafts"}
    for stage in ("encoder_batch_1", "prefill", "decode", "grounding"):
        assert figures[stage]["torch"]["speedup"] == 1
        assert any(line.startswith(stage) for line in table)
    assert figures["grounding_equal"]
    assert "selector, kernel" in figures["skipped"] or "kernel" in figures["selector"]


def test_a_model_without_a_tokenizer_is_measured_as_far_as_it_goes(checkpoint, tmp_path, capsys):
    _, figures = run(capsys, tmp_path, "--checkpoint", str(checkpoint))
    assert "decode" in figures and "grounding" not in figures
    assert "tokenizer" in figures["skipped"]["grounding"]


def test_the_parts_that_see_alone(checkpoint, tmp_path, capsys):
    _, figures = run(capsys, tmp_path, "--checkpoint", str(checkpoint), "--encoder-only")
    assert "encoder_batch_1" in figures and "selector" in figures
    assert "decode" not in figures and "grounding" not in figures

"""The stage files of both papers: their arithmetic, and each of them end to end on miniature models and data."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from base_models import write_clip, write_llama
from forked import train
from miniature_data import write_data

from training.assemble import PROFILES, assemble
from training.checkpointing import latest, read_record
from training.config import load_stages
from training.dry_run import costs
from training.scale import STEPS, tiny_stage
from training.train import main
from vitron_ros.errors import ConfigError
from vitron_ros.model.checkpoint import load_checkpoint

ROOT = Path(__file__).parents[2]
NAMES = [
    "elysium_1a_selector", "elysium_1b_images", "elysium_2a_clips", "elysium_2b_long_clips",
    "vitron_1_alignment", "vitron_2_grounding", "vitron_3_invocation",
]  # fmt: skip
FILES = [ROOT / "training" / "configs" / f"{name}.yaml" for name in NAMES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dry_run_tells_what_a_stage_costs_and_which_data_it_misses(path, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main([str(path), "--processes", "8", "--dry-run"]) == 0
    told = capsys.readouterr().out
    sets = load_stages(path)[0].records
    for line, records in zip(told.splitlines()[-len(sets) :], sets, strict=True):
        assert re.fullmatch(rf" +\d+% {re.escape(records.reader)} +data/\S+ is missing; .{{20,}}", line)
    assert told.startswith(f"{path.stem}: on 8 A100-80G")
    for word in ("trained", "steps", "TFLOP", "context", "EFLOP", "hours", "GB a GPU"):
        assert word in told


def test_costs_are_those_of_the_formulas():
    """By hand: 30,000 steps of 512 records; 358 tokens pass four times through 6.48e9 weights, a frame three times
    through the encoder of 0.365 TFLOP; the state of 7.05e9 weights over 8 GPUs is 14.1 GB."""
    [stage] = load_stages(FILES[1])
    one = replace(stage, records=tuple(each for each in stage.records if each.path == "data/grit"))
    found = costs(one)
    assert found.records == 15_360_000 and found.tokens == 358
    assert found.flops == pytest.approx(4 * 2 * 6.48e9 * 358 + 3 * 0.365e12, rel=0.03)
    assert found.hours[0] == pytest.approx(15_360_000 * 19.8e12 / (8 * 312e12 * 0.5) / 3600, rel=0.03)
    assert found.memory_bytes["state"] == pytest.approx(14.1e9, rel=0.01)
    frozen = costs(replace(one, trainable=("selector", "projector")))
    assert frozen.flops < 0.8 * found.flops and frozen.memory_bytes["state"] < 2e9
    again = costs(replace(one, activation_checkpointing=False, records_per_batch=4))
    assert again.flops < 0.8 * found.flops


@pytest.mark.parametrize(
    ("changes", "frames", "sentence"),
    [
        ({}, 32, r"32 frames .* take 4,442 tokens, .* has 4,096; give max_frames 29 at most"),
        ({"global_batch": 36}, 29, "multiple of 8"),
        ({"records_per_batch": 4}, 29, "GB of a GPU, which has 80"),
    ],
)
def test_a_stage_that_does_not_fit_is_refused(changes, frames, sentence):
    [stage] = load_stages(FILES[3])
    records = tuple(replace(each, max_frames=frames) for each in stage.records)
    with pytest.raises(ConfigError, match=sentence):
        costs(replace(stage, records=records, **changes))


@pytest.mark.slow
def test_every_stage_runs_at_the_scale_of_a_test_on_two_processes(tmp_path):
    write_clip(tmp_path / "clip")
    write_llama(tmp_path / "llama")
    stages = [stage for path in FILES for stage in load_stages(path)]
    write_data(stages, tmp_path / "tiny")
    for family, profile in (("elysium", "elysium-7b"), ("vitron", "vitron-7b")):
        out = tmp_path / "tiny" / "out" / family / "0_base"
        assemble(PROFILES[profile], vision=tmp_path / "clip", language=tmp_path / "llama", out=out)
    _, said = train([*map(str, FILES), "--scale", "tiny", "--device", "cpu"], tmp_path, 2)
    assert "left out" not in said
    for stage in map(tiny_stage, stages):
        checkpoint = latest(tmp_path / stage.out)
        assert checkpoint is not None and checkpoint.name == f"step-{STEPS:07}"
        losses = read_record(checkpoint)["stages"][-1]["losses"]
        assert losses["text"] > 0 and losses["grad_norm"] > 0
    last = load_checkpoint(latest(tmp_path / tiny_stage(stages[-1]).out))
    assert last.model.config.name == "vitron-7b"

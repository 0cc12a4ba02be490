"""Runs: repeatable, resumable after a kill, frozen where they should be, and learning where they may."""

import csv
import json
import signal
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml
from forked import start
from tiny_training import IMAGES, MODEL, VIDEOS, command, stage, tiny_checkpoint, write_model
from torch import nn

from training.checkpointing import read_record
from training.config import GROUPS, ClipsConfig, LossWeightsConfig
from training.data import Batches, load_batches, normalise
from training.train import main
from training.trainer import Trainer
from training.training_module import group_of
from training.worlds import make_clip
from vitron_ros.errors import ConfigError
from vitron_ros.model.checkpoint import from_pretrained
from vitron_ros.model.weights import read_tensors


def losses(out: Path) -> list[str]:
    with (out / "log.csv").open(newline="") as file:
        return [row["loss"] for row in csv.DictReader(file)]


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """All that a run saves, the optimiser's state too."""
    files = (checkpoint / "model.safetensors", checkpoint / "run" / "state.safetensors")
    return {f"{file.name}/{name}": tensor for file in files for name, tensor in read_tensors(file)}


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys() and len(a) > 50
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different, different[:5]


def test_two_runs_of_one_seed_are_the_same_and_another_seed_is_not(tmp_path):
    first, second = (Trainer(stage(tmp_path, name), "cpu").run() for name in ("a", "b"))
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    assert len(losses(tmp_path / "a")) == 6
    assert_same(weights(first), weights(second))
    Trainer(stage(tmp_path, "c", seed=1, steps=2), "cpu").run()
    assert losses(tmp_path / "c")[:2] != losses(tmp_path / "a")[:2]


def test_a_run_that_is_killed_again_and_again_goes_on_to_the_same_weights(tmp_path):
    """Ten times: five times when a checkpoint is there, five times while one is written."""
    asked = ClipsConfig(frames=1, count=1, per_task=1, tasks=("rec",))
    settings = {"steps": 8, "save_every": 1, "clips": (asked,), "loss_weights": LossWeightsConfig(pointer=0)}
    whole = Trainer(stage(tmp_path, "whole", **settings), "cpu").run()
    config = stage(tmp_path, "killed", **settings)
    out = tmp_path / "killed"
    for number in range(10):
        process = start(command(config), tmp_path, dies="while it writes" if number % 2 else "when it has written")
        process.join()
        assert process.exitcode == -signal.SIGKILL, (tmp_path / "err-0.txt").read_text()
        assert bool(list(out.glob("unfinished-*"))) == bool(number % 2)
    resumed = Trainer(config, "cpu")
    assert resumed.step == 5
    assert_same(weights(resumed.run()), weights(whole))
    assert losses(out) == losses(tmp_path / "whole")


def test_what_is_frozen_does_not_move_and_what_learns_does(tmp_path):
    start = Trainer(stage(tmp_path, "start", steps=1), "cpu").run()
    config = stage(tmp_path, "next", start=str(tmp_path / "start"), trainable=("selector", "projector", "embeddings"))
    after = from_pretrained(Trainer(config, "cpu").run())
    before = dict(from_pretrained(start).named_parameters())
    moved = dict.fromkeys(GROUPS, False)
    for name, weight in after.named_parameters():
        moved[group_of(name)] |= not torch.equal(weight, before[name])
    assert [group for group in GROUPS if moved[group]] == ["selector", "projector", "embeddings"]


def test_the_record_tells_every_stage(tmp_path):
    Trainer(stage(tmp_path, "start", steps=1), "cpu").run()
    done = Trainer(stage(tmp_path, "next", start=str(tmp_path / "start"), steps=2), "cpu").run()
    stages = read_record(done)["stages"]
    assert [(item["step"], item["config"]["start"] == "") for item in stages] == [(1, True), (2, False)]
    for item in stages:
        assert item["commit"] and item["hardware"] and item["seconds"] > 0 and item["losses"]["text"] > 0


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_time_ends_a_run_with_a_checkpoint_that_goes_on(tmp_path, optimizer):
    whole = Trainer(stage(tmp_path, "whole", steps=3, optimizer=optimizer), "cpu").run()
    config = stage(tmp_path, "timed", steps=3, optimizer=optimizer)
    assert Trainer(config, "cpu").run(minutes=0).name == "step-0000001"
    assert Trainer(config, "cpu").run(minutes=0).name == "step-0000002"
    assert_same(weights(Trainer(config, "cpu").run()), weights(whole))


def test_a_command_whose_time_is_up_begins_no_further_stage_and_goes_on_later(tmp_path, capsys):
    first = stage(tmp_path, "first", steps=2)
    second = stage(tmp_path, "second", steps=1, start=str(tmp_path / "first"))
    words = [command(first)[0], *command(second), "--minutes", "0"]
    ends = []
    for _ in range(2):
        assert main(words) == 0
        ends.append([Path(line).parts[-2:] for line in capsys.readouterr().out.split()])
    assert ends == [[("first", "step-0000001")], [("first", "step-0000002"), ("second", "step-0000001")]]


def test_a_directory_with_another_run_is_refused(tmp_path):
    Trainer(stage(tmp_path, steps=1), "cpu").run()
    with pytest.raises(ConfigError, match="learning_rate"):
        Trainer(stage(tmp_path, steps=1, learning_rate=1.0), "cpu")


def test_stages_of_one_file_run_in_order_or_by_name(tmp_path, capsys):
    shared = json.loads(json.dumps(asdict(stage(tmp_path, steps=1))))
    defaults = {key: value for key, value in shared.items() if key not in ("name", "out", "start")}
    path = tmp_path / "stages.yaml"
    stages = [{"name": "first"}, {"name": "second", "seed": 1}]
    path.write_text(yaml.safe_dump({"out": str(tmp_path / "out"), "defaults": defaults, "stages": stages}))
    assert main([str(path), "--device", "cpu", "--stage", "second"]) == 1, "the first is not there yet"
    assert "0_first holds no checkpoint" in capsys.readouterr().err
    assert main([str(path), "--device", "cpu", "--stage", "first"]) == 0
    assert main([str(path), "--device", "cpu"]) == 0
    told = [Path(line).parts[-2:] for line in capsys.readouterr().out.splitlines()]
    assert told == [("0_first", "step-0000001"), ("0_first", "step-0000001"), ("1_second", "step-0000001")]


def test_the_command_names_what_is_wrong(tmp_path, capsys):
    assert main(command(stage(tmp_path, start=str(tmp_path / "nowhere")))) == 1
    assert "nowhere" in capsys.readouterr().err


def test_all_losses_fall_on_a_fixed_batch(tmp_path):
    trainer = Trainer(stage(tmp_path, steps=30, warmup_steps=3, learning_rate=5e-3), "cpu")
    batch = next(load_batches(batches(trainer.config, trainer.checkpoint), range(9), 0))
    terms = []
    for trainer.step in range(30):
        terms.append(trainer._update([batch]))
    for name in ("text", "coordinate", "pointer", "dense"):
        assert terms[-1][name] < 0.75 * terms[0][name], (name, terms[0][name], terms[-1][name])


def test_losses_of_accumulated_batches_are_means_over_all_of_their_positions(tmp_path):
    weights = LossWeightsConfig(pointer=0)
    trainer = Trainer(stage(tmp_path, max_grad_norm=1e9, loss_weights=weights), "cpu")
    trainer.module.eval()  # no noise
    stream = load_batches(batches(trainer.config, trainer.checkpoint), range(2), 0)
    pair = [next(stream), next(stream)]
    counts = [batch.packs.counts["text"] for batch in pair]
    means = [trainer._losses(batch).terms["text"].item() for batch in pair]
    assert counts[0] != counts[1]
    expected = (means[0] * counts[0] + means[1] * counts[1]) / sum(counts)
    assert trainer._update(pair)["text"] == pytest.approx(expected, rel=1e-5)


def test_adapters_alone_move_and_are_merged(tmp_path):
    start = Trainer(stage(tmp_path, "start", steps=1), "cpu").run()
    config = stage(
        tmp_path, "lora", start=str(start), steps=4, save_every=2, lora_rank=2, trainable=("projector",),
        loss_weights=LossWeightsConfig(pointer=0.5),
    )  # fmt: skip
    done = Trainer(config, "cpu").run()
    before, after = from_pretrained(start), from_pretrained(done)
    moved = {name for name, weight in after.named_parameters() if not torch.equal(weight, before.get_parameter(name))}
    assert {group_of(name) for name in moved} == {"projector", "language"}
    assert all("_proj" in name for name in moved if group_of(name) == "language")
    again = replace(config, out=str(tmp_path / "again"))
    Trainer(again, "cpu").run(minutes=0)
    assert_same(weights(Trainer(again, "cpu").run()), weights(done))


def batches(config, checkpoint) -> Batches:
    return Batches(config, checkpoint.model.config, checkpoint.prompts, 2)


def test_batches_are_the_same_from_any_number_of_workers_and_any_start(tmp_path):
    made = batches(stage(tmp_path, steps=4, clips=(IMAGES, VIDEOS)), tiny_checkpoint())
    alone = list(load_batches(made, range(4), 0))
    for first, workers in ((2, 0), (1, 2)):
        for batch, expected in zip(load_batches(made, range(first, 4), workers), alone[first:], strict=True):
            assert torch.equal(batch.images, expected.images)
            assert torch.equal(batch.dense.boxes, expected.dense.boxes)
            assert torch.equal(batch.packs.token_ids, expected.packs.token_ids)
            assert torch.equal(batch.packs.pointer_targets, expected.packs.pointer_targets)
    assert not torch.equal(alone[0].images, alone[1].images)


def test_pattern_grids_come_beside_ordinary_clips(tmp_path):
    ordinary, both = (
        batches(stage(tmp_path, clips=kinds), tiny_checkpoint())[0]
        for kinds in ((IMAGES,), (IMAGES, ClipsConfig(frames=1, count=5, pattern_grid=True)))
    )
    count = len(ordinary.images)
    assert len(both.images) == count + 5
    assert torch.equal(both.images[:count], ordinary.images)
    assert torch.equal(both.packs.token_ids, ordinary.packs.token_ids)
    patterns, is_object = both.dense.attributes[..., 2], both.dense.objectness == 1
    assert set(patterns[count:][is_object[count:]].tolist()) == {1, 2, 3}
    assert 0 in patterns[:count]


def test_pixels_are_those_of_the_model():
    images = make_clip(1, frames=2, size=48).frames
    expected = tiny_checkpoint().model.pixels(list(images))
    torch.testing.assert_close(normalise(torch.from_numpy(images).permute(0, 3, 1, 2)), expected)


def test_query_and_key_projections_have_a_rate_of_their_own(tmp_path):
    config = stage(tmp_path, qk_lr_scale=0.0, steps=2)
    before = {name: weight.detach().clone() for name, weight in Trainer(config).checkpoint.model.named_parameters()}
    after = dict(from_pretrained(Trainer(config).run()).named_parameters())
    for name in before:
        if name.startswith("language.model.layers"):
            has_moved = bool((before[name] != after[name]).any())
            assert has_moved != name.endswith(("q_proj.weight", "k_proj.weight")), name


def test_the_vision_encoder_has_a_rate_of_its_own(tmp_path):
    config = stage(tmp_path, steps=1, warmup_steps=0, weight_decay=0.0, learning_rate=1e-3, vision_lr_scale=0.1)
    trainer = Trainer(config, "cpu")
    before = {name: weight.detach().clone() for name, weight in trainer.module.model.named_parameters()}
    trainer.run()
    moved: dict[str, float] = {}
    for name, weight in trainer.module.model.named_parameters():
        group = group_of(name)
        moved[group] = max(moved.get(group, 0.0), float((weight.detach() - before[name]).abs().max()))
    assert moved["vision"] == pytest.approx(1e-4, rel=0.01), "AdamW's first step has the size of the rate"
    assert moved["language"] == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize(("text", "dense", "learns"), [(0.0, 0.1, True), (1.0, 0.1, False), (1.0, 0.0, False)])
def test_batch_norms_take_new_statistics_in_the_dense_stage_alone(tmp_path, text, dense, learns):
    config = stage(tmp_path, loss_weights=LossWeightsConfig(text=text, dense=dense))
    write_model(tmp_path, replace(MODEL, vision=replace(MODEL.vision, stem="convolutions")))
    norms = [part for part in Trainer(config, "cpu").module.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    assert all(part.training is learns for part in norms)


def test_by_muon_hidden_matrices_turn_in_all_directions_and_nothing_else_does(tmp_path):
    config = stage(tmp_path, optimizer="muon", steps=1, warmup_steps=0, weight_decay=0.0, learning_rate=1e-3)
    model = Trainer(config, "cpu").checkpoint.model
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    after = dict(from_pretrained(Trainer(config, "cpu").run()).named_parameters())
    for name, weight in before.items():
        if weight.ndim == 2 and min(weight.shape) > 1:
            sizes = torch.linalg.svdvals((after[name].detach() - weight).double())
            share = float((sizes > sizes.max() / 2).double().mean())
            size = float(sizes.max()) / (0.2 * max(weight.shape) ** 0.5 * 1e-3)
            is_hidden = ".layers." in name or name.startswith("projector.")
            assert (size, share > 0.25) == (pytest.approx(1.2, abs=0.15), True) if is_hidden else share < 0.25, name

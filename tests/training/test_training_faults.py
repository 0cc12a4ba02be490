"""What goes wrong with a run: damaged checkpoints, full disks, NaN losses, stages that teach nothing."""

import json
import os
import resource
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_training import MODEL, VIDEOS, stage, write_model
from torch.utils.data import get_worker_info

from tests.refusals import assert_refused
from training import trainer as trainer_module
from training.checkpointing import checkpoints, latest
from training.config import ClipsConfig, LossWeightsConfig
from training.data import Batches, load_batches
from training.errors import DamagedError, TrainingError
from training.train import main
from training.trainer import Trainer
from vitron_ros.errors import ConfigError, SourceError, VitronError
from vitron_ros.model.config import RegionConfig, SelectorConfig

ASKED = ClipsConfig(frames=1, count=1, per_task=1, tasks=("rec",))
SHORT = {"steps": 4, "save_every": 1, "clips": (ASKED,), "loss_weights": LossWeightsConfig(pointer=0)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of four steps, with its last two checkpoints."""
    folder = tmp_path_factory.mktemp("finished")
    Trainer(stage(folder, **SHORT), "cpu").run()
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it, and its stage."""
    shutil.copytree(finished / "out", tmp_path / "out")
    for path in checkpoints(tmp_path / "out"):
        record = json.loads((path / "training.json").read_text())
        record["stages"][-1]["config"] |= {"out": str(tmp_path / "out"), "model": str(tmp_path / "model.json")}
        (path / "training.json").write_text(json.dumps(record))
    return stage(tmp_path, **SHORT)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(path):
    tensors = load_file(path)
    name = next(name for name in tensors if name.startswith("optimizer/exp_avg/"))
    tensors[name].view(-1)[0] = float("nan")
    save_file(tensors, path)


def reshape(path):
    tensors = load_file(path)
    save_file({name: torch.zeros(7) if "exp_avg" in name else tensor for name, tensor in tensors.items()}, path)


DAMAGE = {
    "a record that is cut": ("training.json", cut),
    "a record of another kind": ("training.json", lambda path: path.write_text("[1, 2]")),
    "a record without stages": ("training.json", lambda path: path.write_text('{"stages": []}')),
    "a record in another encoding": ("training.json", lambda path: path.write_bytes(b"{'caf\xe9': 1}")),
    "no record": ("training.json", os.unlink),
    "weights that are cut": ("model.safetensors", cut),
    "no weights": ("model.safetensors", os.unlink),
    "no config": ("config.json", os.unlink),
    "an empty config": ("config.json", lambda path: path.write_text("")),
    "no tokenizer": ("tokenizer.json", os.unlink),
    "a state that is cut": ("run/state.safetensors", cut),
    "no state": ("run/state.safetensors", os.unlink),
    "NaN in the state": ("run/state.safetensors", spoil),
    "a state of other shapes": ("run/state.safetensors", reshape),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before_with_a_word(run, caplog, name):
    file, damage = DAMAGE[name]
    newest, before = checkpoints(Path(run.out))
    damage(newest / file)
    caplog.set_level("INFO")
    resumed = Trainer(run, "cpu")
    assert resumed.step == 3
    assert str(newest) in caplog.text and str(before) in caplog.text


def test_the_run_then_ends_as_it_would_have(run, finished):
    newest = latest(Path(run.out))
    cut(newest / "model.safetensors")
    again = load_file(Trainer(run, "cpu").run() / "model.safetensors")
    for name, weight in load_file(finished / "out" / newest.name / "model.safetensors").items():
        assert torch.equal(again[name], weight), name


def test_checkpoints_that_are_all_damaged_are_an_error_that_names_the_folder(run):
    for path in checkpoints(Path(run.out)):
        cut(path / "model.safetensors")
    with pytest.raises(DamagedError, match=f"{run.out}.*remove them"):
        Trainer(run, "cpu")


def test_a_run_that_ends_early_leaves_no_damaged_later_checkpoint(run):
    newest = latest(Path(run.out))
    cut(newest / "model.safetensors")
    newest.rename(newest.with_name("step-0000009"))
    done = Trainer(run, "cpu").run(minutes=0)
    assert [path.name for path in checkpoints(done.parent)] == ["step-0000004", "step-0000003"]


def test_checkpoints_are_in_the_order_of_their_numbers(tmp_path):
    for name in ("step-9999999", "step-10000000", "step-0000002", "step-x1", "unfinished-0000003"):
        (tmp_path / name).mkdir()
    (tmp_path / "step-99999999").touch()
    assert [path.name for path in checkpoints(tmp_path)] == ["step-10000000", "step-9999999", "step-0000002"]


def test_all_of_a_checkpoint_is_on_the_disk_before_it_has_its_name(run, monkeypatch):
    synced, wanted = [], []
    fsync, rename = os.fsync, Path.rename

    def note_sync(descriptor):
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def note_rename(path, target):
        wanted.extend(str(each) for each in (path, *path.rglob("*")))
        assert set(wanted) <= set(synced)
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "rename", note_rename)
    again = stage(Path(run.out).parent, "again", **SHORT)
    Trainer(again, "cpu").run(minutes=0)
    assert len(wanted) > 6 and synced[-1] == again.out, "and the new name after it"


def test_a_full_disk_is_one_line_and_leaves_the_last_whole_checkpoint(run):
    out = Path(run.out)
    shutil.rmtree(latest(out))
    (out / "unfinished-0000004").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with assert_refused(SourceError, r"step 4 cannot be written.*make room"):
            Trainer(run, "cpu").run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in out.iterdir()) == ["log.csv", "step-0000003"]
    assert Trainer(run, "cpu").run().name == "step-0000004"


def test_a_damaged_log_begins_anew(run, caplog):
    (Path(run.out) / "log.csv").write_bytes(b"\xff\xfe\0step")
    Trainer(replace(run, log_every=1), "cpu").run()
    assert "log.csv is damaged" in caplog.text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_a_run_in_one_sentence(tmp_path, monkeypatch, value):
    trainer = Trainer(stage(tmp_path, **SHORT), "cpu")
    monkeypatch.setattr(trainer, "_losses", lambda *_: trainer_module.Losses(torch.tensor(value), {}))
    with pytest.raises(TrainingError, match=r"loss of step 1 is (nan|inf).*learning_rate"):
        trainer.run()
    assert latest(trainer.out) is None


def test_weights_that_are_no_numbers_are_never_saved(tmp_path, monkeypatch):
    trainer = Trainer(stage(tmp_path, **SHORT), "cpu")
    with torch.no_grad():
        trainer.module.model.language.lm_head.weight[0] = float("inf")
    trainer._update = lambda batches: {"loss": 0.0}
    monkeypatch.setattr(trainer, "_check_learning", lambda: None)
    with pytest.raises(TrainingError, match="not finite after step 1"):
        trainer.run()
    assert latest(trainer.out) is None


LEARN_NOTHING = {
    "regions of which nothing is asked": {"trainable": ("region",)},
    "a selector that takes the first patches": {"trainable": ("selector",), "model": SelectorConfig(kind="pool")},
    "the released selector": {"trainable": ("selector",), "model": SelectorConfig(kind="published")},
    "regions of a model without": {
        "trainable": ("region",), "model": RegionConfig(kind="none"), "clips": (replace(ASKED, tasks=("reg",)),)
    },
    "a language model of which nothing is asked": {
        "trainable": ("language",), "clips": (replace(ASKED, tasks=()),), "loss_weights": LossWeightsConfig(dense=1)
    },
    "a language model under the dense loss": {
        "trainable": ("language",), "loss_weights": LossWeightsConfig(text=0, coordinate=0, pointer=0, dense=1)
    },
    "numbers of answers without any": {
        "clips": (replace(ASKED, tasks=("reg",)),), "loss_weights": LossWeightsConfig(text=0, pointer=0)
    },
    "motion history of single images": {
        "loss_weights": LossWeightsConfig(text=0, coordinate=0, pointer=0, motion_history=1)
    },
    "no weight": {"loss_weights": LossWeightsConfig(text=0, coordinate=0, pointer=0)},
    "a vision encoder without a rate": {"trainable": ("vision",), "vision_lr_scale": 0.0},
}  # fmt: skip


@pytest.mark.parametrize("name", LEARN_NOTHING)
def test_a_stage_that_teaches_nothing_is_refused_before_it_runs(tmp_path, name):
    changes = dict(LEARN_NOTHING[name])
    part = changes.pop("model", None)
    config = stage(tmp_path, **{**SHORT, **changes})
    if part is not None:
        write_model(tmp_path, replace(MODEL, **{"region" if isinstance(part, RegionConfig) else "selector": part}))
    with pytest.raises(ConfigError, match="nothing is trained"):
        Trainer(config, "cpu")


def test_what_is_not_reached_beside_what_is_gets_a_word(tmp_path, caplog):
    Trainer(stage(tmp_path, **{**SHORT, "trainable": ("language", "region")}), "cpu")
    assert "reaches region" in caplog.text


def test_a_batch_that_happens_to_ask_nothing_is_passed_over_and_a_run_of_such_ends(tmp_path, monkeypatch):
    trainer = Trainer(stage(tmp_path, **SHORT), "cpu")
    monkeypatch.setattr(trainer_module, "load_batches", lambda batches, *_: iter(made))
    made = [replace(batch, packs=None) for batch in load_batches(_batches(trainer), range(4), 0)]
    with pytest.raises(TrainingError, match="nothing was trained in 4 steps"):
        trainer.run()


def _batches(trainer):
    return Batches(trainer.config, trainer.checkpoint.model.config, trainer.checkpoint.prompts, 2)


def test_an_error_in_a_worker_is_the_same_sentence(tmp_path, monkeypatch):
    def fail(batches, number):
        raise ConfigError(f"batch {number} in worker {get_worker_info().id}")

    monkeypatch.setattr(Batches, "__getitem__", fail)
    with pytest.raises(ConfigError, match=r"^batch 0 in worker 0$"):
        next(load_batches(_batches(Trainer(stage(tmp_path, **SHORT), "cpu")), range(4), 1))


def test_a_start_that_holds_adapters_alone_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "before" / "step-0000004" / "run").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"step-0000004 holds adapters without their model.*run that to its end"):
        Trainer(stage(tmp_path, **{**SHORT, "start": str(tmp_path / "before")}), "cpu")


def test_a_run_goes_on_with_steps_of_as_many_batches(run):
    path = latest(Path(run.out)) / "training.json"
    record = json.loads(path.read_text())
    assert record["stages"][-1]["batches_per_step"] == 1
    record["stages"][-1]["batches_per_step"] = 2
    path.write_text(json.dumps(record))
    with pytest.raises(ConfigError, match=r"steps of 2 batches, and 1 would follow.*start 2 processes"):
        Trainer(run, "cpu")


REFUSED = {
    "an adapter of too high a rank": {"trainable": (), "lora_rank": 49},
    "clips longer than the model's": {"clips": (replace(VIDEOS, frames=9),)},
    "a start that is not a checkpoint": {"start": "/nowhere"},
    "a start whose name is too long": {"start": "n" * 300},
    "a start whose name cannot be": {"start": "a\0b"},
    "a model that is none": {"model": "vitron-tinny"},
    "an out below a file": {"out": "/dev/null/x"},
    "an out that cannot be": {"out": "/proc/nothing"},
    "an out whose name cannot be": {"out": "a\0b"},
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_stage_that_cannot_be_is_refused_in_one_line(tmp_path, name):
    with assert_refused(VitronError, "."):
        Trainer(stage(tmp_path, **{**SHORT, **REFUSED[name]}), "cpu")


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff\xfe{", b"{" * 9])
def test_a_model_file_that_is_damaged_is_named(tmp_path, data):
    config = stage(tmp_path, **SHORT)
    (tmp_path / "model.json").write_bytes(data)
    with pytest.raises(ConfigError, match=r"model\.json"):
        Trainer(config, "cpu")


@pytest.mark.parametrize("words", [["--minutes", "nan"], ["--minutes", "-1"], ["--workers", "-1"], ["--workers", "x"]])
def test_numbers_that_cannot_be_meant_are_errors_of_usage(words):
    with pytest.raises(SystemExit) as caught:
        main(["training/configs/tiny.yaml", *words])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    "words", [["--device", "foo"], ["gone.yaml"], ["training/configs/tiny.yaml"], ["--stage", "densest"]]
)
def test_other_faults_of_the_command_line_are_one_line(words, capsys):
    assert main(["training/configs/tiny.yaml", *words]) == 1
    said = capsys.readouterr().err
    assert said.startswith("train: ") and said.count("\n") == 1

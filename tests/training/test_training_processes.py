"""Several processes train what one does, resume each other's checkpoints, and end together."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from forked import train
from tiny_training import MODEL, command, stage, write_model

from training.checkpointing import latest, read_record
from training.config import ClipsConfig, LossWeightsConfig, TrainConfig
from training.data import Batches
from training.train import main
from training.trainer import Trainer
from vitron_ros.errors import ConfigError
from vitron_ros.model.checkpoint import from_pretrained, load_checkpoint

# One clip a batch and one question at most: some batches have none, some no region, some no box.
UNEVEN = (ClipsConfig(frames=1, count=1, per_task=1, tasks=("invocation",)),)
LOSSES = LossWeightsConfig(
    dense=0.1, gate=0.1, visual_token=0.1, attribute_attention=0.1, object_attention=0.1, copy_attention=0.1,
    motion_history=0.1,
)  # fmt: skip
BATCHES = 6  # a step: for 1, 2 and 3 processes


def uneven(folder: Path, out: str, **changes) -> TrainConfig:
    settings = {"steps": 5, "save_every": 4, "global_batch": BATCHES, "clips": UNEVEN, "loss_weights": LOSSES}
    return stage(folder, out, **{**settings, **changes})


@contextmanager
def launched(config: TrainConfig) -> Iterator[subprocess.Popen]:
    """The command that trains a stage in two processes. None of them outlives a test that fails."""
    words = ["-m", "training.train", *command(config), "--processes", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                for each in (*children(process), process):
                    each.kill()


def wait_for(pattern: str, out: str, process: subprocess.Popen) -> None:
    while not list(Path(out).glob(pattern)) and process.poll() is None:
        time.sleep(0.01)


def children(process: subprocess.Popen) -> list[psutil.Process]:
    """The training processes of a command, in order of their rank."""
    return sorted(psutil.Process(process.pid).children(), key=lambda child: int(child.environ()["RANK"]))


def run_to_end(config: TrainConfig, count: int) -> Path:
    """The last checkpoint of a stage that several processes train."""
    out, said = train(command(config), Path(config.out).parent, count)
    assert out.strip() == str(latest(Path(config.out))), said
    return Path(out.strip())


def last_loss(checkpoint: Path) -> float:
    return read_record(checkpoint)["stages"][-1]["losses"]["loss"]


def losses(out: Path) -> list[float]:
    with (out / "log.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The folder of a run in one process, and its last checkpoint."""
    folder = tmp_path_factory.mktemp("one")
    return Trainer(uneven(folder, "out"), "cpu").run()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The last checkpoint of the same run in two processes."""
    folder = tmp_path_factory.mktemp("two")
    return run_to_end(uneven(folder, "out"), 2)


def test_batches_differ_in_what_they_have(tmp_path, one):
    checkpoint = load_checkpoint(one)
    batches = Batches(uneven(tmp_path, "out"), checkpoint.model.config, checkpoint.prompts, 2)
    packs = [batches[number].packs for number in range(5 * BATCHES)]
    assert None in packs
    assert (
        {bool(pack.regions) for pack in packs if pack} == {bool(len(p.pointers)) for p in packs if p} == {True, False}
    )


def test_two_processes_have_the_losses_of_one(one, two):
    assert losses(two.parent) == pytest.approx(losses(one.parent), abs=1e-5, rel=1e-5)
    assert last_loss(two) == pytest.approx(last_loss(one), abs=1e-5)
    assert "2 processes" in read_record(two)["stages"][-1]["hardware"]


def test_their_checkpoint_is_one_of_vitron_ros_and_holds_no_pickle(one, two):
    ours, theirs = from_pretrained(two), from_pretrained(one)
    for name, weight in theirs.named_parameters():
        torch.testing.assert_close(ours.get_parameter(name), weight, atol=5e-4, rtol=1e-4)
    suffixes = {path.suffix for path in two.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".yaml", ".safetensors"}
    assert len(list(two.glob("model-*.safetensors"))) == len(list(two.glob("run/*.safetensors"))) == 2


@pytest.mark.parametrize("count", [1, 3])
def test_other_numbers_of_processes_go_on_to_the_same_next_loss(tmp_path, two, count):
    out = tmp_path / "out"
    shutil.copytree(two.parent, out)
    shutil.rmtree(latest(out))
    config = uneven(tmp_path, "out")
    saved = latest(out)
    record = json.loads((saved / "training.json").read_text())
    record["stages"][-1]["config"] |= {"out": config.out, "model": config.model}
    (saved / "training.json").write_text(json.dumps(record))
    done = Trainer(config, "cpu").run() if count == 1 else run_to_end(config, count)
    assert (saved.name, done.name) == ("step-0000004", "step-0000005")
    assert last_loss(done) == pytest.approx(last_loss(two), abs=1e-5)


def test_adapters_on_a_base_that_is_read_in_parts(tmp_path):
    untied = replace(MODEL, language=replace(MODEL.language, tie_embeddings=False))
    first = stage(tmp_path, "first", steps=1, model=write_model(tmp_path, untied))
    base = from_pretrained(Trainer(first, "cpu").run())
    settings = {
        "start": first.out, "lora_rank": 2, "lora_dropout": 0.1, "trainable": ("projector",),
        "activation_checkpointing": True,
    }  # fmt: skip
    config = uneven(tmp_path, "two", **settings)
    done = run_to_end(config, 2)
    alone = Trainer(uneven(tmp_path, "one", **settings), "cpu").run()
    assert last_loss(done) == pytest.approx(last_loss(alone), abs=1e-5)
    moved = {
        name
        for name, weight in from_pretrained(done).named_parameters()
        if not torch.equal(weight, base.get_parameter(name))
    }
    assert any("q_proj" in name for name in moved)
    assert all("projector" in name or "_proj" in name for name in moved)
    before = done.with_name("step-0000004")
    assert not list(before.glob("model*")), "before the last step the adapters alone are saved"
    size = sum(path.stat().st_size for path in before.rglob("*.safetensors"))
    assert size < sum(path.stat().st_size for path in done.rglob("*.safetensors"))


def test_a_killed_process_ends_the_command_with_a_sentence(tmp_path):
    config = uneven(tmp_path, "out", steps=10_000, save_every=1)
    with launched(config) as process:
        wait_for("step-*", config.out, process)
        ranks = children(process)
        ranks[1].kill()
        _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert said.splitlines()[-1].startswith("train: process 1 of 2 was killed by SIGKILL; the same command"), said
    assert not any(child.is_running() for child in ranks)
    saved = latest(Path(config.out))
    assert saved is not None
    assert Trainer(config, "cpu").step == int(saved.name[5:]), "one process goes on from there"


def test_sigterm_ends_all_processes_with_a_checkpoint(tmp_path):
    config = uneven(tmp_path, "out", steps=10_000, save_every=10_000)
    with launched(config) as process:
        wait_for("log.csv", config.out, process)
        process.send_signal(signal.SIGTERM)
        out, said = process.communicate(timeout=120)
    assert (process.returncode, out.strip()) == (0, str(latest(Path(config.out)))), said


def test_a_killed_command_leaves_no_process_behind(tmp_path):
    config = uneven(tmp_path, "out", steps=10_000)
    with launched(config) as process:
        while len(ranks := psutil.Process(process.pid).children()) < 2:
            time.sleep(0.01)
        process.kill()
        process.wait()
        ended, running = psutil.wait_procs(ranks, timeout=120)
        for each in running:
            each.kill()
    assert len(ended) == 2, "they get SIGTERM, on which a run ends with a checkpoint"


def test_one_of_torchruns_processes_starts_no_others(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x7")
    monkeypatch.setattr("training.train.launch", lambda *_: pytest.fail("it did"))
    monkeypatch.setattr("training.train.end_with_launcher", lambda: None)
    assert main([str(tmp_path / "gone.yaml"), "--processes", "2"]) == 1
    assert "gone.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "global_batch", "fits"), [(2, 24, True), (2, 0, True), (4, 24, False), (1, 7, False)]
)
def test_a_global_batch_is_divided_among_processes(tmp_path, count, global_batch, fits):
    config = uneven(tmp_path, "out", clips=(replace(UNEVEN[0], count=12),), global_batch=global_batch)
    if fits:
        assert config.batches_per_step(count) == 2
    else:
        with pytest.raises(ConfigError, match=rf"global_batch is {global_batch}.* multiple of {12 * count}"):
            config.batches_per_step(count)

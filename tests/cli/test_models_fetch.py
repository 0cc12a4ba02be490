"""`vitron models fetch` against a hub on loopback: what it fetches, what it refuses, and how it goes on."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fake_hub
import numpy as np
import pytest
from fake_hub import COMMIT, FakeHub
from published import VITRON_CONFIG, save_vitron
from safetensors.numpy import save
from tiny_language import bpe
from tiny_vitron import tiny_vitron

from vitron_ros.cli.main import main
from vitron_ros.model.checkpoint import save_pretrained

TINY, ELYSIUM, VICUNA = "lab/tiny", "sty-yyj/elysium_7b", "lmsys/vicuna-7b-v1.5"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub.serving() as hub:
        yield hub


@pytest.fixture
def cache(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return fake_hub.use(monkeypatch, hub.url, tmp_path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("saved")
    save_pretrained(tiny_vitron(), directory, tokenizer=bpe())
    return directory


def folder_of(cache: Path, name: str = TINY) -> Path:
    return cache / f"models--{name.replace('/', '--')}" / "snapshots" / COMMIT


def config(**values: object) -> str:
    return json.dumps(values)


def test_size_and_licence_are_said_before_the_weights_are_fetched(hub, cache, saved, capsys):
    hub.add(TINY, saved, README__md="# a card", modelling__py="import os", pytorch_model__bin=b"\x80")
    assert main(["models", "fetch", TINY]) == 1  # nobody answers the question
    told = capsys.readouterr().err
    assert "lab/tiny: 635.8 kB in 4 files, licence apache-2.0" in told and "give --yes" in told
    assert hub.fetched() == ["config.json"]
    assert main(["models", "fetch", TINY, "--yes"]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(folder_of(cache)) and "model.safetensors: 618.7 kB" in printed.err
    fetched = {path.name for path in folder_of(cache).iterdir()}
    assert fetched == {"config.json", "prompt_profile.yaml", "model.safetensors", "tokenizer.json"}
    assert (folder_of(cache) / "model.safetensors").read_bytes() == (saved / "model.safetensors").read_bytes()


def test_what_is_there_is_not_fetched_again_and_what_is_damaged_there_is(hub, cache, saved, capsys):
    hub.add(TINY, saved)
    assert main(["models", "fetch", TINY, "--yes"]) == 0
    hub.requests.clear()
    assert main(["models", "fetch", TINY, "--json"]) == 0
    assert hub.fetched() == [] and json.loads(capsys.readouterr().out.splitlines()[-1])["faults"] == []
    (folder_of(cache) / "model.safetensors").resolve().write_bytes(b"damaged")
    assert main(["models", "fetch", TINY, "--yes"]) == 0
    assert hub.fetched() == ["model.safetensors"]


def test_a_killed_download_goes_on_where_it_was(hub, tmp_path):
    data = bytes(24 << 20)  # the client writes 10 MB at a time
    repository = hub.add(ELYSIUM, config__json=config(model_type="elysium"), model__safetensors=data)
    repository.cut["model.safetensors"] = 15 << 20
    hub.add(VICUNA, tokenizer__model=b"pieces")
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.url, "HF_HUB_DOWNLOAD_TIMEOUT": "100"}
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-m", "vitron_ros.cli.main", "models", "fetch", ELYSIUM, "--yes"]
    first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert hub.stalled.wait(100)
        (part,) = (tmp_path / "hub").glob("*/blobs/*.part")
        while part.stat().st_size == 0:
            assert first.poll() is None
            time.sleep(0.01)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    kept = part.stat().st_size
    hub.requests.clear()
    subprocess.run(command, env=environment, check=True, timeout=100, capture_output=True)
    assert [request for request in hub.requests if request[0] == "GET"] == [
        ("GET", "model.safetensors", f"bytes={kept}-"),
        ("GET", "tokenizer.model", ""),
    ]
    assert (folder_of(tmp_path / "hub", ELYSIUM) / "model.safetensors").read_bytes() == data


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_wrong_hash_is_refused_and_nothing_of_it_kept(hub, cache, saved, capsys, name):
    repository = hub.add(TINY, saved)
    repository.corrupt.add(name)
    assert main(["models", "fetch", TINY, "--yes"]) == 1
    assert f"{name} of lab/tiny did not arrive as the hub has it" in capsys.readouterr().err
    assert not folder_of(cache).exists() and not list(cache.rglob("*.part"))
    repository.corrupt.clear()
    assert main(["models", "fetch", TINY, "--yes"]) == 0


def test_weights_that_an_index_names_are_fetched_and_no_others(hub, cache, capsys):
    weights = save({"a": np.zeros(3, np.float32)})
    repository = hub.add("lab/shards", config__json=config(model_type="elysium"), merges__txt="a b", notes__md="")
    repository.files |= {
        "model.safetensors.index.json": config(weight_map={"a": "model-1.safetensors"}).encode(),
        "model-1.safetensors": weights,
        "consolidated.safetensors": weights,
    }
    main(["models", "fetch", "lab/shards", "--yes"])
    assert {path.name for path in folder_of(cache, "lab/shards").iterdir()} == {
        "config.json",
        "merges.txt",
        "model.safetensors.index.json",
        "model-1.safetensors",
    }


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"config__json": config(model_type="elysium"), "pytorch_model__bin": b"\x80"},
            "as pickles (pytorch_model.bin)",
        ),
        ({"config__json": config(model_type="elysium")}, "no weights as safetensors"),
        ({"config__json": config(model_type="gpt_audio")}, "a model of type 'gpt_audio'; the types that run here are "),
        ({"config__json": "{"}, "is not valid JSON"),
        ({"README__md": "# nothing"}, "has no config.json"),
    ],
)
def test_what_cannot_run_is_refused_before_its_weights_are_fetched(hub, cache, capsys, files, sentence):
    hub.add("lab/other", **{"model__safetensors": b"", **files} if "gpt" in sentence else files)
    assert main(["models", "fetch", "lab/other", "--yes"]) == 1
    assert sentence in capsys.readouterr().err
    assert set(hub.fetched()) <= {"config.json"}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("lab/nothing", "has no model lab/nothing, or a private one"),
        ("no id", "is not a hub id; they look like owner/name"),
    ],
)
def test_an_id_that_is_not_there(hub, cache, capsys, name, sentence):
    assert main(["models", "fetch", name, "--yes"]) == 1
    assert sentence in capsys.readouterr().err


def test_a_gated_model_says_where_its_licence_is(hub, cache, saved, capsys):
    hub.add(TINY, saved).is_gated = True
    assert main(["models", "fetch", TINY, "--yes"]) == 1
    assert f"lab/tiny is gated: accept its licence on {hub.url}/lab/tiny" in capsys.readouterr().err


def test_no_network(monkeypatch, tmp_path, capsys):
    fake_hub.use(monkeypatch, "http://127.0.0.1:9", tmp_path)
    assert main(["models", "fetch", TINY, "--yes"]) == 1
    assert "http://127.0.0.1:9 cannot be reached" in capsys.readouterr().err
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main(["models", "fetch", TINY, "--yes"]) == 1
    assert "HF_HUB_OFFLINE forbids" in capsys.readouterr().err


def test_a_full_disk(hub, cache, saved, capsys, monkeypatch):
    hub.add(TINY, saved)

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vitron_ros.model.hub.http_get", full)
    assert main(["models", "fetch", TINY, "--yes"]) == 1
    assert "the disk is full" in capsys.readouterr().err
    monkeypatch.undo()


def test_too_little_room_is_said_before_the_weights_are_fetched(hub, cache, saved, capsys, monkeypatch):
    hub.add(TINY, saved)
    monkeypatch.setattr("vitron_ros.model.hub.free_bytes", lambda folder: 1000)
    assert main(["models", "fetch", TINY, "--yes"]) == 1
    assert "needs 634.6 kB more and" in (told := capsys.readouterr().err) and "set HF_HOME" in told
    assert hub.fetched() == ["config.json"]


def test_a_published_layout_is_fetched_with_its_parts_and_says_how_it_is_converted(hub, cache, capsys):
    hub.add(ELYSIUM, config__json=config(model_type="elysium"), model__safetensors=b"weights")
    hub.add(VICUNA, tokenizer__model=b"pieces", pytorch_model__bin=b"\x80").licence = "llama2"
    assert main(["models", "fetch", ELYSIUM, "--yes"]) == 0
    told = capsys.readouterr()
    assert "licence llama2" in told.err
    elysium, vicuna = folder_of(cache, ELYSIUM), folder_of(cache, VICUNA)
    assert told.out.split() == [str(elysium), str(vicuna)]
    assert f"vitron models convert {elysium} models/elysium --tokenizer {vicuna}" in told.err
    assert [path.name for path in vicuna.iterdir()] == ["tokenizer.model"]


def test_vitron_is_fetched_with_its_pickles_and_converted_by_its_ids(hub, cache, tmp_path, capsys):
    save_vitron(tmp_path / "base", tmp_path / "lora", pickled=True)
    hub.add("Vitron/vitron-base", tmp_path / "base")
    hub.add("Vitron/vitron-lora", tmp_path / "lora")
    assert main(["models", "fetch", "Vitron/vitron-base", "--yes"]) == 0
    (tmp_path / "config.json").write_text(VITRON_CONFIG.to_json())
    words = ["Vitron/vitron-base", str(tmp_path / "out"), "--lora", "Vitron/vitron-lora", "--config", str(tmp_path)]
    assert main(["models", "convert", *words]) == 0
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_the_question_is_answered_on_the_terminal(hub, cache, saved, capsys, monkeypatch):
    hub.add(TINY, saved)
    for answer, code in (("n", 1), ("y", 0)):
        terminal = io.StringIO(f"{answer}\n")
        terminal.isatty = lambda: True
        monkeypatch.setattr("sys.stdin", terminal)
        assert main(["models", "fetch", TINY]) == code
        assert "fetch? [y/N]" in (told := capsys.readouterr().err) and ("nothing was fetched" in told) == bool(code)


def test_show_of_an_id_that_was_not_fetched_fetches_no_weights(hub, cache, saved, capsys):
    hub.add(TINY, saved)
    assert main(["models", "show", TINY, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["licence"] == "apache-2.0" and shown["files"]["model.safetensors"] == len(
        (saved / "model.safetensors").read_bytes()
    )
    assert hub.fetched() == ["config.json"]

"""`vitron models fetch` against a hub on loopback: what it fetches, what it refuses, and how it goes on."""

import io
import json
import os
import re
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
from published import ELYSIUM_CONFIG, VITRON_CONFIG, save_elysium, save_vitron
from safetensors.numpy import save
from tiny_language import bpe, sentencepiece
from tiny_vitron import tiny_vitron

from vitron_ros.cli.main import main
from vitron_ros.model.checkpoint import fetched_checkpoint, save_pretrained
from vitron_ros.model.config import PROFILES

TINY, ELYSIUM, VICUNA = "lab/tiny", "sty-yyj/elysium_7b", "lmsys/vicuna-7b-v1.5"
VITRON, LORA = "Vitron/vitron-base", "Vitron/vitron-lora"
SAMPLE = str(Path(__file__).parents[2] / "bags" / "sample")
PLAIN = ("--model-backend", "torch")
TOKENIZER = "tokenizer.model"
ANSWERED = (0, 3)  # random weights rarely give an answer; what matters is that they were asked


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
    assert "lab/tiny: 635.8 kB in 5 files, licence apache-2.0" in told and "give --yes" in told
    assert hub.fetched() == ["config.json"]
    assert main(["models", "fetch", TINY, "--yes"]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(folder_of(cache)) and "model.safetensors: 618.7 kB" in printed.err
    fetched = {path.name for path in folder_of(cache).iterdir()}
    assert fetched == {"README.md", "config.json", "prompt_profile.yaml", "model.safetensors", "tokenizer.json"}
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
    patience = {"HF_HUB_DOWNLOAD_TIMEOUT": "100", "HF_HUB_ETAG_TIMEOUT": "100"}
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.url, **patience}
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-m", "vitron_ros.cli.main", "models", "fetch", ELYSIUM, "--yes"]
    first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not hub.stalled.wait(0.1):  # it imports all that it needs first
            assert first.poll() is None
        (part,) = (tmp_path / "hub").glob("*/blobs/*.part")
        while part.stat().st_size == 0:
            assert first.poll() is None
            time.sleep(0.01)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    kept = part.stat().st_size
    hub.requests.clear()
    subprocess.run(command, env=environment, capture_output=True)  # verified, these are no weights
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
    repository = hub.add("lab/shards", config__json=config(model_type="qwen3_vl"), merges__txt="a b", notes__md="")
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
    assert fetched_checkpoint("lab/shards") == folder_of(cache, "lab/shards"), "whole: the hub is not asked again"


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"config__json": config(model_type="elysium"), "pytorch_model__bin": b"\x80"},
            "as pickles (pytorch_model.bin)",
        ),
        ({"config__json": config(model_type="elysium")}, "no weights as safetensors"),
        ({"config__json": config(model_type="gpt_audio")}, "a model of type 'gpt_audio'; the types that run here are "),
        *(
            ({"config__json": config(model_type=kind), "model__safetensors": b""}, f"a model of type {kind}; the types")
            for kind in (["llava"], {"llava": 1}, 1, None)
        ),
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
        ("https://huggingface.co/lab/model", "is a page of the hub; give the id of its model: lab/model"),
        ("vitron-tiny", "comes with this package; nothing is to be fetched"),
        ("elysium-7b", "is a profile without weights"),
        (str(Path(__file__).parent), "is a folder here, which is used as it is"),
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


@pytest.fixture
def papers(hub, cache, tmp_path, monkeypatch) -> None:
    """Both published models on the hub, tiny, in the layouts that they have there."""
    monkeypatch.setitem(PROFILES, "elysium-7b", ELYSIUM_CONFIG)
    monkeypatch.setitem(PROFILES, "vitron-7b-published", VITRON_CONFIG)
    save_elysium(tmp_path / "elysium")
    hub.add(ELYSIUM, tmp_path / "elysium", modeling__py="import os")
    save_vitron(tmp_path / "base", tmp_path / "lora", pickled=True)
    sentencepiece().save(tmp_path / "base")
    hub.add(VITRON, tmp_path / "base")
    hub.add(LORA, tmp_path / "lora", config__json=config(model_type="llava"))
    sentencepiece().save(tmp_path)
    vicuna = hub.add(VICUNA, tokenizer__model=(tmp_path / TOKENIZER).read_bytes(), pytorch_model__bin=b"\x80")
    vicuna.licence = "llama2"


@pytest.mark.usefixtures("papers")
def test_elysium_is_fetched_with_its_tokenizer_and_runs(hub, cache, capsys):
    assert main(["models", "fetch", ELYSIUM, "--yes"]) == 0
    told = capsys.readouterr()
    assert "licence llama2" in told.err and told.err.endswith("ok\n")
    assert told.out.split() == [str(folder_of(cache, ELYSIUM)), str(folder_of(cache, VICUNA))]
    assert [path.name for path in folder_of(cache, VICUNA).iterdir()] == ["tokenizer.model"]
    hub.requests.clear()
    for action in ("verify", "show"):
        assert main(["models", action, ELYSIUM]) == 0
    assert main(["ask", SAMPLE, "what is there?", "--model", ELYSIUM, *PLAIN]) in ANSWERED
    assert hub.requests == []


@pytest.mark.usefixtures("papers")
def test_vitron_is_fetched_on_its_first_use_with_its_adapter_and_size_and_licence_are_said(hub, cache, capsys):
    assert main(["models", "show", VITRON, "--json"]) == 0
    assert [part["id"] for part in json.loads(capsys.readouterr().out)["parts"]] == [LORA]
    assert not [name for name in hub.fetched() if name.endswith(".bin")]
    assert main(["ask", SAMPLE, "what is there?", "--model", VITRON, *PLAIN]) in ANSWERED
    told = capsys.readouterr().err
    for repository in (VITRON, LORA):
        assert re.search(rf"^fetching {repository}: [0-9.]+ kB, licence apache-2.0$", told, re.MULTILINE)
    hub.requests.clear()
    script = ["--goals", str(cache.parent / "goals.yaml"), "--model", VITRON, "--frames", "20", "--json", *PLAIN]
    (cache.parent / "goals.yaml").write_text("goals: [{prompt: the red ring}]\n")
    results = []
    for _ in range(2):
        assert main(["replay", SAMPLE, *script]) in ANSWERED
        results.append(capsys.readouterr().out)
    assert results[0] == results[1] and hub.requests == []


@pytest.mark.usefixtures("papers")
def test_a_published_model_is_converted_by_its_id(cache, tmp_path):
    assert main(["models", "convert", VITRON, str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "model.safetensors").is_file()


@pytest.mark.usefixtures("papers")
def test_a_part_that_cannot_be_had_is_named_with_the_place_for_it(hub, cache, tmp_path, capsys):
    del hub.repositories[VICUNA]
    assert main(["ask", SAMPLE, "what is there?", "--model", str(tmp_path / "elysium"), *PLAIN]) == 1
    assert re.search(
        rf"needs the tokenizer of {VICUNA}: .* has no model .*; or put it into the folder .*elysium/vicuna-7b-v1\.5",
        capsys.readouterr().err,
    )
    (tmp_path / "vicuna-7b-v1.5").mkdir()  # beside it does as well
    (tmp_path / TOKENIZER).rename(tmp_path / "vicuna-7b-v1.5" / TOKENIZER)
    assert main(["models", "verify", str(tmp_path / "elysium")]) == 0


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

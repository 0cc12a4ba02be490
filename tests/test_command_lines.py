"""The command lines of training and engines: what a person gives wrong is one line, and the exit code is 1 or 2."""

import importlib
import json
from pathlib import Path

import pytest

from tests.refusals import assert_refused
from training.export import read_figures
from vitron_ros.errors import VitronError
from vitron_ros.model.bundled import ASSETS

TINY = str(ASSETS / "vitron-tiny")
PROFILE = str(Path("engines/profiles/vitron-tiny-frames-cpu.yaml").resolve())
BARE = ["--checkpoint", TINY]
USAGE = [
    ["training.evaluate", *BARE, "--clips", "0"],
    ["training.evaluate", *BARE, "--clips", "-3"],
    ["training.evaluate", *BARE, "--seed", "-1"],
    ["training.evaluate", *BARE, "--rows", "0"],
    ["training.evaluate", *BARE, "--tasks", "fly"],
    ["training.evaluate", *BARE, "--split", "real-background"],
    ["training.export", *BARE, "--out", "x", "--clips", "0"],
    ["training.export", *BARE, "--out", "x", "--real", "figures.json"],
    ["training.ablation", "--start", TINY, "--out", "x", "--steps", "0"],
    ["training.ablation", "--start", TINY, "--out", "x", "--seeds", "-1"],
    ["training.ablation", "--start", TINY, "--out", "x", "--count", "0"],
    ["training.ablation", "--start", TINY, "--out", "x", "--clips", "nan"],
    ["training.ablation", "--start", TINY, "--out", "x", "--workers", "-1"],
    ["training.worlds.__main__", "preview", "--out", "x.png", "--rows", "0"],
    ["training.worlds.__main__", "preview", "--out", "x.png", "--size", "0"],
    ["training.worlds.__main__", "preview", "--out", "x.png", "--seed", "-1"],
    ["training.worlds.__main__", "speed", "--clips", "-1"],
    ["training.worlds.__main__", "suite", "streaming", "--out", "x", "--workers", "0"],
    ["training.worlds.__main__", "suite", "streaming", "--out", "x", "--fps", "nan"],
    ["training.worlds.__main__", "suite", "streaming", "--out", "x", "--clips", "0"],
    ["engines.bench", "--rounds", "0"],
    ["engines.bench", "--threads", "0"],
    ["engines.bench", "--checkpoint", "a", "--profile", "b"],
    ["engines.roofline", "--rounds", "0"],
    ["engines.roofline", "--tokens", "1"],
    ["engines.roofline", "--frames", "-1"],
    ["engines.roofline", "--layers", "0"],
    ["engines.roofline", "--weights", "int3"],
    ["engines.quantisation", "--clips", "0"],
    ["engines.quantisation", "--threads", "-1"],
    ["engines.quantisation", "--layers", "x"],
    ["engines.export_onnx", "--profile", "vitron-tiny", "--part", "brain", "--out", "x"],
    ["engines.export_onnx", "--part", "frames", "--out", "x"],
    ["engines.build"],
    ["engines.verify"],
]
FAULTS = [
    ["training.evaluate", "--checkpoint", "gone"],
    ["training.evaluate", "--checkpoint", "n" * 300],
    ["training.evaluate", "--checkpoint", ""],
    ["training.evaluate", *BARE, "--device", "foo"],
    ["training.evaluate", *BARE, "--device", "cuda:99"],
    ["training.evaluate", *BARE, "--split", "real-background", "--backgrounds", "gone"],
    ["training.export", "--checkpoint", "gone", "--out", "x"],
    ["training.export", *BARE, "--out", "/proc/nothing"],
    ["training.export", *BARE, "--out", "/dev/null"],
    ["training.export", *BARE, "--out", TINY],
    ["training.export", *BARE, "--out", "x", "--val", "gone.json"],
    ["training.export", *BARE, "--out", "x", "--average", "gone"],
    ["training.ablation", "--start", "gone", "--out", "x"],
    ["training.ablation", "--start", TINY, "--out", "/dev/null/x"],
    ["training.worlds.__main__", "preview", "--out", "/proc/nothing/x.png", "--rows", "1", "--size", "32"],
    ["training.worlds.__main__", "preview", "--out", ".", "--rows", "1", "--size", "32"],
    ["training.worlds.__main__", "preview", "--out", "x.png", "--background", "gone"],
    ["training.worlds.__main__", "shapes", "--out", "/proc/nothing/x.pdf"],
    ["training.worlds.__main__", "suite", "streaming", "--out", "/dev/null", "--clips", "1"],
    ["training.worlds.__main__", "suite", "streaming", "--out", "x", "--size", "99999x99999"],
    ["training.worlds.__main__", "suite", "streaming", "--out", "x", "--size", "64x"],
    ["training.worlds.__main__", "suite", "streaming", "--out", "x", "--seconds", "nan-nan"],
    ["engines.bench", "--device", "foo"],
    ["engines.bench", "--device", "cuda:99"],
    ["engines.bench", "--profile", "gone"],
    ["engines.bench", "--profile", ""],
    ["engines.bench", "--checkpoint", "gone"],
    ["engines.roofline", "--device", "foo"],
    ["engines.roofline", "--profile", "gone"],
    ["engines.roofline", "--profile", "vitron-tiny", "--layers", "99", "--device", "cpu"],
    ["engines.quantisation", "--checkpoint", "gone"],
    ["engines.quantisation", "--layers-of", "gone"],
    ["engines.quantisation", "--layers", "99"],
    ["engines.export_onnx", "--profile", "gone", "--part", "frames", "--out", "x"],
    ["engines.export_onnx", "--checkpoint", "gone", "--part", "frames", "--out", "x"],
    ["engines.export_onnx", "--profile", "vitron-tiny", "--part", "frames", "--out", "/proc/nothing"],
    ["engines.export_onnx", "--profile", "vitron-tiny", "--part", "frames", "--out", "/dev/null"],
    ["engines.build", "gone.yaml"],
    ["engines.build", "."],
    ["engines.build", PROFILE, "--cache", "/dev/null"],
    ["engines.build", PROFILE, "--cache", "/proc/nothing"],
    ["engines.verify", "gone.yaml"],
    ["engines.verify", PROFILE, "--cache", "/dev/null"],
    ["engines.kernels.compile", "--out", "/proc/nothing/x"],
]


def run(words):
    return importlib.import_module(words[0]).main(words[1:])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", USAGE, ids=" ".join)
def test_values_that_cannot_be_meant_are_errors_of_usage(words):
    with pytest.raises(SystemExit) as caught:
        run(words)
    assert caught.value.code == 2


@pytest.mark.parametrize("words", FAULTS, ids=lambda words: " ".join(words)[-60:])
def test_what_is_not_there_or_cannot_be_written_is_one_line(words, capsys):
    assert run(words) == 1
    said = capsys.readouterr().err
    name = words[0].removesuffix(".__main__").rpartition(".")[2]
    assert said.startswith(name) and said.count("\n") == 1


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "{}", '{"rec_acc50": 0.5}', '{"rec_acc50": "x", "oracle": {}}', "\udcff", "[" * 99999]
)
def test_figures_that_are_none_are_named(tmp_path, text):
    path = tmp_path / "val.json"
    path.write_text(text, errors="surrogateescape")
    with assert_refused(VitronError, r"val\.json"):
        read_figures(path)


@pytest.mark.parametrize("text", ["", "[1]", "{", "caf\udce9"])
def test_a_damaged_clip_of_a_suite_is_named(tmp_path, capsys, text):
    folder = tmp_path / "suite" / "clip-000"
    folder.mkdir(parents=True)
    (folder / "truth.json").write_text(text, errors="surrogateescape")
    assert run(["training.worlds.__main__", "suite", "streaming", "--out", str(folder.parent), "--clips", "1"]) == 1
    said = capsys.readouterr().err
    assert "clip-000" in said and "remove" in said


def test_a_full_disk_leaves_no_model_that_looks_whole(tmp_path, monkeypatch, capsys):
    from training import export

    def fail(*_, **__):
        (out / "config.json").write_text("{}")
        raise OSError(28, "No space left on device")

    out = tmp_path / "x"
    monkeypatch.setattr(export, "VOCABULARY_CLIPS", 2)
    monkeypatch.setattr(export, "OOD_CLIPS", 40)
    monkeypatch.setattr(export, "save_pretrained", fail)
    assert run(["training.export", *BARE, "--out", str(out)]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not (out / "config.json").exists()
    assert json.loads((out / "training.json").read_text())["stages"]


def test_a_preview_is_written_into_a_folder_that_was_not_there():
    assert run(["training.worlds.__main__", "preview", "--out", "new/x.png", "--rows", "1", "--size", "32"]) == 0
    assert Path("new/x.png").read_bytes().startswith(b"\x89PNG")


def test_two_profiles_of_one_name_are_refused(tmp_path, capsys):
    (tmp_path / "vitron-tiny-frames-cpu.yaml").write_bytes(Path(PROFILE).read_bytes())
    assert run(["engines.build", PROFILE, "vitron-tiny-frames-cpu.yaml"]) == 1
    assert "another profile is named" in capsys.readouterr().err

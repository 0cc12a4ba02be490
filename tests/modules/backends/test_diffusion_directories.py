"""Directories of pipelines that are damaged, hostile or of another kind, and sizes that a pipeline takes."""

import importlib.util
import json
import re
import shutil

import pytest
import torch

from tests.refusals import assert_refused
from vitron_ros.cli.main import main
from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.diffusion.pipeline_kinds import KINDS

pytest.importorskip("diffusers")
from safetensors.torch import load_file, save_file

from vitron_ros.modules.diffusion.pipeline import Pipeline, frames_to_draw, working_size

UNET = "unet/diffusion_pytorch_model.safetensors"
TEXT = "text_encoder/model.safetensors"


def without_a_weight(file):
    def change(folder):
        weights = load_file(folder / file)
        weights.pop(sorted(weights)[0])
        save_file(weights, folder / file)

    return change


def with_index(**values):
    def change(folder):
        path = folder / "model_index.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


BAD = {
    "diffusion weight missing": (without_a_weight(UNET), "lacks 1 weights, unet"),
    "text weight missing": (without_a_weight(TEXT), "1 are missing or of another shape"),
    "weights cut off": (lambda folder: (folder / UNET).write_bytes(b"0" * 100), "is damaged"),
    "weights missing": (lambda folder: (folder / UNET).unlink(), "fetch it again"),
    "pickle": (lambda folder: (folder / UNET).rename(folder / "unet/model.bin"), "holds pickles"),
    "pointer": (
        lambda folder: (folder / UNET).write_text("version https://git-lfs.github.com/spec/v1\n"),
        "git lfs pull",
    ),
    "config": (lambda folder: (folder / "unet/config.json").write_text("{"), "cannot be read"),
    "part missing": (lambda folder: shutil.rmtree(folder / "vae"), "lacks the part vae"),
    "foreign part": (with_index(unet=["os", "system"]), r"the part 'unet' .* is \['os', 'system'\]"),
    "own code": (with_index(unet=["unet_code", "Unet"]), "code of anything else is not run"),
    "no model": (with_index(text_encoder=["transformers", "pipeline"]), "no model of transformers"),
    "no class": (with_index(_class_name=["a", "B"]), "holds a model of type"),
    "another pipeline": (with_index(_class_name="OmniGenPipeline"), "holds a model of type 'OmniGenPipeline'"),
}


@pytest.mark.parametrize(("change", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_directory_is_refused_in_one_sentence(tiny, tmp_path, change, sentence):
    folder = shutil.copytree(tiny("sd"), tmp_path / "model")
    change(folder)
    with assert_refused(ModelError, sentence):
        load_backend("generation", str(folder), ModelRun())


def test_names_of_weights_as_published_before_transformers_5_are_taken(tiny, tmp_path):
    folder = shutil.copytree(tiny("sd"), tmp_path / "model")
    weights = load_file(folder / TEXT)
    old = {name if name.startswith("text_model.") else f"text_model.{name}": weights[name] for name in weights}
    save_file(old, folder / TEXT, {"format": "pt"})
    encoder = Pipeline.load(folder, ModelRun())._loaded.text_encoder
    loaded = {name.removeprefix("text_model."): weight for name, weight in encoder.state_dict().items()}
    assert loaded.keys() == {name.removeprefix("text_model.") for name in weights}
    assert all(torch.equal(loaded[name.removeprefix("text_model.")], weight) for name, weight in weights.items())


def test_show_counts_the_parts_of_a_pipeline(tiny, capsys):
    folder = tiny("flux2-klein")
    assert main(["models", "show", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["architecture"], shown["can"][-1]) == ("Flux2KleinPipeline", "style")
    loaded = Pipeline.load(folder, ModelRun())._loaded
    for part in ("text_encoder", "transformer", "vae"):
        assert shown["parameters"][part] >= sum(weight.numel() for weight in getattr(loaded, part).parameters())
    assert main(["models", "show", str(folder)]) == 0
    assert "Flux2KleinPipeline; can background, generate, " in capsys.readouterr().out


def spoilt(folder):
    weights = load_file(folder / UNET)
    weights["conv_in.bias"][0] = float("nan")
    save_file(weights, folder / UNET)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (spoilt, r"conv_in\.bias in .* holds NaN or infinity"),
        (without_a_weight(UNET), "lacks 1 weights, unet"),
        (lambda folder: shutil.rmtree(folder / "vae"), "lacks the part vae"),
    ],
)
def test_verify_names_what_is_wrong_with_a_pipeline(tiny, tmp_path, capsys, change, sentence):
    folder = shutil.copytree(tiny("sd"), tmp_path / "model")
    assert main(["models", "verify", str(folder)]) == 0
    assert capsys.readouterr().out == "ok\n"
    change(folder)
    assert main(["models", "verify", str(folder)]) == 1
    said = capsys.readouterr().out
    assert re.search(sentence, said) and said.endswith("not ok\n")


@pytest.mark.parametrize(
    ("name", "node", "sentence"),
    [
        ("gligen", "editing", "are for generation, not for editing"),
        ("gligen-inpaint", "generation", "are for editing, not for generation"),
        ("sd", "editing", "those that editing runs are"),
        ("sd", "segmentation", "those that segmentation runs are"),
    ],
)
def test_weights_for_another_node_are_refused(tiny, name, node, sentence):
    with pytest.raises(ModelError, match=sentence):
        load_backend(node, str(tiny(name)), ModelRun())


def test_a_package_that_is_missing_is_named_with_its_extra(tiny, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "diffusers" else found(name))
    with pytest.raises(ModelError, match=r"needs diffusers; run: pip install 'vitron_ros\[diffusers\]'"):
        load_backend("generation", str(tiny("sd")), ModelRun())


def test_weights_beyond_the_memory_are_refused(tiny, monkeypatch):
    monkeypatch.setattr("vitron_ros.model.transformers_directory.memory_bytes", lambda device: 1000)
    with pytest.raises(ModelError, match="use a smaller model"):
        load_backend("generation", str(tiny("sd")), ModelRun())


def test_weights_are_counted_as_the_cpu_holds_them(tiny, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny("sd"), tmp_path / "model")
    files = list(folder.glob("*/*.safetensors"))
    for file in files:
        halved = {name: weight.half() for name, weight in load_file(file).items()}
        save_file(halved, file, {"format": "pt"})
    stored = sum(file.stat().st_size for file in files)
    monkeypatch.setattr("vitron_ros.model.transformers_directory.memory_bytes", lambda device: int(1.2 * stored))
    with pytest.raises(ModelError, match="use a smaller model"):
        load_backend("generation", str(folder), ModelRun())


def test_a_device_that_runs_full_while_loading_is_said(tiny, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("diffusers.DiffusionPipeline.to", full)
    with pytest.raises(ModelError, match="does not fit into the free memory"):
        load_backend("generation", str(tiny("sd")), ModelRun())


def test_the_licence_of_the_model_card_is_shown(tiny, tmp_path):
    folder = shutil.copytree(tiny("sd"), tmp_path / "model")
    assert load_backend("generation", str(folder), ModelRun()).describe().licence == "unknown, see the model's page"
    (folder / "README.md").write_text("---\nlicense: creativeml-openrail-m\n---\n")
    assert load_backend("generation", str(folder), ModelRun()).describe().licence == "creativeml-openrail-m"


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        ("StableDiffusionPipeline", (512, 384), (512, 384)),
        ("StableDiffusionPipeline", (1280, 720), (680, 384)),
        ("StableDiffusionPipeline", (160, 120), (416, 312)),
        ("WanPipeline", (832, 480), (832, 480)),
        ("WanPipeline", (1920, 1080), (832, 480)),
        ("WanPipeline", (4000, 10), (1792, 224)),
    ],
)
def test_a_size_is_snapped_to_what_a_pipeline_takes(kind, size, expected):
    assert working_size(*size, KINDS[kind]) == expected


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 5), (5, 5), (6, 9), (81, 81)])
def test_a_clip_is_drawn_with_as_many_frames_as_wan_takes(count, expected):
    assert frames_to_draw(count, KINDS["WanPipeline"]) == expected
    assert frames_to_draw(count, KINDS["TextToVideoSDPipeline"]) == count

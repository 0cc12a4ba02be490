"""Backends by hub id: which files of a pipeline are fetched, from a hub on loopback, and what is refused."""

import json

import pytest

from tests.model import fake_hub
from tests.modules.backends.tiny_segmentation import clipseg
from vitron_ros.cli.main import main
from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.modules.backends import load_backend
from vitron_ros.streaming.models import load_model

SD = "lab/sd"


@pytest.fixture
def hub():
    with fake_hub.serving() as hub:
        yield hub


@pytest.fixture
def cache(hub, monkeypatch, tmp_path):
    return fake_hub.use(monkeypatch, hub.url, tmp_path)


def test_a_pipeline_is_fetched_once_without_what_it_does_not_need(hub, cache, tiny, capsys):
    repository = hub.add(SD, tiny("sd"), README__md="---\nlicense: openrail\n---\n")
    for extra in ("unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.bin", "v1-5.ckpt"):
        repository.files[extra] = b"\x80"
    repository.files |= {"text_encoder/code.py": b"", "other/model.safetensors": b"\x80", "a.safetensors": b"\x80"}
    assert main(["models", "show", SD, "--json"]) == 0
    assert "unet/diffusion_pytorch_model.safetensors" in json.loads(capsys.readouterr().out)["files"]
    about = load_backend("generation", SD, ModelRun()).describe()
    assert about.name == SD and about.licence == "openrail"
    (folder,) = cache.glob("models--lab--sd/snapshots/*")
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {str(path.relative_to(tiny("sd"))) for path in tiny("sd").rglob("*") if path.is_file()} | {
        "README.md"
    }
    hub.requests.clear()
    load_backend("generation", SD, ModelRun())
    assert not hub.requests, "from the cache, without asking the hub"


def test_weights_in_several_files_are_fetched_by_their_index(hub, cache, tiny):
    repository = hub.add(SD, tiny("sd"))
    whole = repository.files.pop("unet/diffusion_pytorch_model.safetensors")
    shard = "diffusion_pytorch_model-00001-of-00001.safetensors"
    index = {"metadata": {}, "weight_map": dict.fromkeys(_names(whole), shard)}
    repository.files |= {
        f"unet/{shard}": whole,
        "unet/diffusion_pytorch_model.safetensors.index.json": json.dumps(index).encode(),
    }
    load_backend("generation", SD, ModelRun())
    assert f"unet/{shard}" in hub.fetched()


def _names(data):
    return [name for name in json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]) if name != "__metadata__"]


def test_a_pipeline_of_pickles_is_refused_before_its_weights_are_fetched(hub, cache, tiny):
    repository = hub.add(SD, tiny("sd"))
    repository.files["vae/diffusion_pytorch_model.bin"] = repository.files.pop(
        "vae/diffusion_pytorch_model.safetensors"
    )
    with pytest.raises(ModelError, match="lab/sd holds its part vae as pickles"):
        load_backend("generation", SD, ModelRun())
    assert hub.fetched() == ["model_index.json"]


def test_a_pipeline_for_another_node_is_refused_before_its_weights_are_fetched(hub, cache, tiny):
    hub.add(SD, tiny("sd"))
    with pytest.raises(ModelError, match="lab/sd holds a model of type 'StableDiffusionPipeline'; those that editing"):
        load_backend("editing", SD, ModelRun())
    with pytest.raises(ModelError, match="lab/sd holds a pipeline of diffusers, which answers nothing"):
        load_model(SD, ModelRun())
    assert set(hub.fetched()) == {"model_index.json"}


def test_a_gated_pipeline_says_where_its_licence_is(hub, cache, tiny):
    hub.add(SD, tiny("sd")).is_gated = True
    with pytest.raises(ModelError, match=f"lab/sd is gated: accept its licence on {hub.url}/lab/sd"):
        load_backend("generation", SD, ModelRun())


def test_models_of_modules_are_fetched_by_the_command_too(hub, cache, tiny, tmp_path, capsys):
    hub.add(SD, tiny("sd"))
    hub.add("lab/clipseg", clipseg(tmp_path / "clipseg"))
    hub.add("lab/other", model_index__json=json.dumps({"_class_name": "OmniGenPipeline"}))
    assert main(["models", "fetch", SD, "--yes"]) == 0
    assert main(["models", "fetch", "lab/clipseg", "--yes"]) == 0
    assert main(["models", "fetch", "lab/other", "--yes"]) == 1
    assert "lab/other holds a pipeline of class 'OmniGenPipeline'" in capsys.readouterr().err
    hub.requests.clear()
    assert load_backend("segmentation", "lab/clipseg", ModelRun()).describe().name == "lab/clipseg"
    assert not hub.requests

"""Engines of TensorRT before they reach a GPU: manifests, and everything that is refused. On one: they run."""

import json
from types import SimpleNamespace

import pytest
import torch

from vitron_ros.backends import tensorrt_runner
from vitron_ros.backends.manifest import Manifest, check_fit, read_manifest, sha256
from vitron_ros.backends.tensorrt_runner import TensorRTRunner, outer_limits, read_specs
from vitron_ros.errors import EngineError

REBUILD = "python -m engines.build engines/profiles/small.yaml"


@pytest.fixture
def engine(tmp_path):
    """An engine file of TensorRT for RTX 1.7 for SM86 and SM89 that no GPU would load, and its manifest."""
    path = tmp_path / "small.engine"
    path.write_bytes(b"engine" * 100)
    Manifest(
        model="small",
        part="frames",
        weights="of the model",
        graph="of the graph",
        library="tensorrt_rtx",
        version="1.7",
        targets=("SM86", "SM89"),
        precision="float16",
        levels=False,
        profiles=({"frames": (1, 1, 2)}, {"frames": (3, 8, 16)}),
        inputs=({"name": "pixels", "shape": ["frames", 3, 48, 48], "dtype": "float32"},),
        outputs=({"name": "tokens", "shape": ["frames", 9, 32], "dtype": "float16"},),
        sha256=sha256(path),
        bytes=600,
        source="unchanged",
        build_s=1.5,
        peak_mb=300,
        rebuild=REBUILD,
    ).write(path)
    return path


@pytest.fixture
def fake_library(monkeypatch):
    """TensorRT for RTX 1.7 on an SM89 GPU, whose runtime loads nothing."""
    library = SimpleNamespace(
        __version__="1.7",
        Logger=type("Logger", (), {"WARNING": 2, "__init__": lambda self, level: None}),
        Runtime=lambda logger: SimpleNamespace(deserialize_cuda_engine=lambda content: None),
    )
    monkeypatch.setattr(tensorrt_runner, "import_tensorrt", lambda name: library)
    monkeypatch.setattr(tensorrt_runner, "device_target", lambda: "SM89")
    return library


def test_a_manifest_comes_back_as_it_was(engine):
    manifest = read_manifest(engine)
    assert manifest.targets == ("SM86", "SM89")
    assert outer_limits(manifest) == {"frames": (1, 16)}
    (pixels,) = read_specs(manifest.inputs)
    assert (pixels.name, pixels.shape, pixels.dtype) == ("pixels", ("frames", 3, 48, 48), torch.float32)
    manifest.write(engine)
    assert read_manifest(engine) == manifest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "has no manifest small.json; build it with"),
        ("{", "not a manifest of this release"),
        ("[]", "not a manifest of this release"),
        (
            json.dumps({"targets": [], "profiles": [], "inputs": [], "outputs": []}),
            "its fields differ by build_s, bytes, graph",
        ),
    ],
)
def test_bad_manifests(engine, text, words):
    manifest = engine.with_suffix(".json")
    manifest.unlink() if text is None else manifest.write_text(text)
    with pytest.raises(EngineError, match=words):
        TensorRTRunner(engine)


@pytest.mark.parametrize("damage", [lambda content: content[:-7], lambda content: b"x" + content[1:]])
def test_a_damaged_engine_is_refused_with_the_command_that_rebuilds_it(engine, fake_library, damage):
    engine.write_bytes(damage(engine.read_bytes()))
    with pytest.raises(EngineError, match=f"is damaged: .*; rebuild it with: {REBUILD}"):
        TensorRTRunner(engine)


def test_an_engine_that_is_gone(engine, fake_library):
    engine.unlink()
    with pytest.raises(EngineError, match=f"there is no engine .*{REBUILD}"):
        TensorRTRunner(engine)


def test_an_engine_of_another_version(engine, fake_library):
    fake_library.__version__ = "1.8"
    with pytest.raises(EngineError, match=f"built with tensorrt_rtx 1.7, this is 1.8; rebuild it with: {REBUILD}"):
        TensorRTRunner(engine)


def test_an_engine_for_another_gpu(engine, fake_library, monkeypatch):
    monkeypatch.setattr(tensorrt_runner, "device_target", lambda: "SM120")
    with pytest.raises(EngineError, match=f"built for SM86, SM89, this is SM120; rebuild it with: {REBUILD}"):
        TensorRTRunner(engine)


def test_an_engine_of_other_weights(engine, fake_library):
    with pytest.raises(EngineError, match="built from other weights than the model has"):
        TensorRTRunner(engine, weights="of another model")


def test_an_engine_that_the_library_refuses(engine, fake_library):
    with pytest.raises(EngineError, match=f"tensorrt_rtx 1.7 cannot load .*small.engine; rebuild it with: {REBUILD}"):
        TensorRTRunner(engine, weights="of the model")


def test_all_that_is_wrong_is_said_at_once(engine):
    with pytest.raises(EngineError, match=r"other weights .*; it was built with .*; it was built for"):
        check_fit(engine, read_manifest(engine), weights="w", version="2", target="SM75")


def test_without_a_gpu(engine, fake_library, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(tensorrt_runner, "import_tensorrt", lambda name: fake_library)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EngineError, match="needs an NVIDIA GPU and a torch with CUDA; use onnxruntime or torch here"):
        TensorRTRunner(engine)


def test_without_the_library(engine, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorrt_rtx", None)
    with pytest.raises(EngineError, match="tensorrt_rtx is not installed: pip install tensorrt-rtx"):
        TensorRTRunner(engine)


def test_a_file_of_onnx_runtime_is_no_engine(engine, fake_library):
    manifest = json.loads(engine.with_suffix(".json").read_text())
    engine.with_suffix(".json").write_text(json.dumps({**manifest, "library": "onnxruntime"}))
    with pytest.raises(EngineError, match="an engine of onnxruntime, not of TensorRT"):
        TensorRTRunner(engine)

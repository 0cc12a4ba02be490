"""What a model runs on: what is asked for, or the fastest that is right, said in the log; never silently another."""

import logging
import sys

import pytest
import torch

from tests.backends.small_models import AVERAGED, GATED, small_model
from vitron_ros.backends import backend_selection, frame_encoder
from vitron_ros.backends.backend_selection import select_backends
from vitron_ros.backends.frame_encoder import RunnerFrameEncoder, TorchFrameEncoder
from vitron_ros.backends.onnx_language import OnnxLanguage
from vitron_ros.errors import ConfigError, EngineError
from vitron_ros.model.vitron import VitronModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("engines")


@pytest.fixture
def said(caplog):
    """`said()`: level and text of what the backends logged of their choice."""
    caplog.set_level(logging.INFO, "vitron_ros.backends")
    names = ("vitron_ros.backends.backend_selection", "vitron_ros.backends.frame_encoder")
    return lambda: [(record.levelname, record.message) for record in caplog.records if record.name in names]


@pytest.fixture
def needs_onnx():
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name, reason=f"{name} is not installed")


def is_torch(parts, model):
    return isinstance(parts.encoder, TorchFrameEncoder) and parts.language is model.language


@pytest.mark.usefixtures("needs_onnx")
@pytest.mark.parametrize("backend", ["auto", "onnx"])
def test_onnx_runtime_on_a_cpu(folder, said, backend):
    parts = select_backends(small_model(GATED), backend, folder=folder)
    assert isinstance(parts.encoder, RunnerFrameEncoder)
    assert isinstance(parts.language, OnnxLanguage)
    expected = ["frames are encoded by onnxruntime cpu: ", "answers are decoded by onnxruntime cpu: "]
    assert len(said()) == (2 if backend == "auto" else 0)
    for (level, text), start in zip(said(), expected, strict=False):
        assert level == "INFO" and text.startswith(start) and "agrees with torch" in text


def test_torch_when_it_is_asked_for_touches_nothing_else(monkeypatch, tmp_path, said):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = small_model(GATED)
    assert is_torch(select_backends(model, "torch", folder=tmp_path), model)
    assert said() == [] and not list(tmp_path.iterdir())


def test_without_onnx_runtime_auto_says_so_once_and_onnx_refuses(monkeypatch, tmp_path, said):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = small_model(GATED)
    assert is_torch(select_backends(model, folder=tmp_path), model)
    assert said() == [
        (
            "WARNING",
            "gated runs on torch, which is slower here: "
            "ONNX Runtime is not installed: pip install 'vitron_ros[engines]'",
        )
    ]
    with pytest.raises(EngineError, match=r"pip install 'vitron_ros\[engines\]'"):
        select_backends(model, "onnx", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_large_model_is_not_exported_for_nothing(monkeypatch, tmp_path, said):
    monkeypatch.setattr(backend_selection, "LARGE_MODEL", 1000)
    model = small_model(GATED)
    assert is_torch(select_backends(model, folder=tmp_path), model)
    assert said() == [("INFO", "gated runs on torch: of 0 million weights it is as fast")]
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("needs_onnx")
def test_an_installation_without_what_exports_keeps_what_needs_no_export(monkeypatch, tmp_path, said):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    parts = select_backends(small_model(GATED), folder=tmp_path)
    assert isinstance(parts.encoder, TorchFrameEncoder) and isinstance(parts.language, OnnxLanguage)
    assert (
        "WARNING",
        "frames fall back to torch: export needs onnx and onnxscript: pip install 'vitron_ros[engines]'",
    ) in said()


@pytest.mark.usefixtures("needs_onnx")
def test_a_part_that_is_wrong_falls_back_by_itself(monkeypatch, folder, said):
    def disagree(*_):
        raise EngineError("decoding on ONNX Runtime disagrees with torch: logits")

    monkeypatch.setattr(backend_selection, "check_language", disagree)
    model = small_model(GATED)
    parts = select_backends(model, folder=folder)
    assert parts.language is model.language and isinstance(parts.encoder, RunnerFrameEncoder)
    assert ("WARNING", "answers fall back to torch: decoding on ONNX Runtime disagrees with torch: logits") in said()
    with pytest.raises(EngineError, match="disagrees"):
        select_backends(model, "onnx", folder=folder)


@pytest.mark.usefixtures("needs_onnx")
def test_a_model_that_is_no_graph_of_frames_still_decodes_fast(tmp_path, said):
    parts = select_backends(small_model(AVERAGED), folder=tmp_path)
    assert isinstance(parts.encoder, TorchFrameEncoder) and isinstance(parts.language, OnnxLanguage)
    assert any(level == "WARNING" and "averaged encodes a clip by another way" in text for level, text in said())


def test_half_precision_is_torch_with_its_reason(tmp_path, said):
    model = VitronModel(GATED).eval().bfloat16()
    assert is_torch(select_backends(model, folder=tmp_path), model)
    assert all("bfloat16" in text for _, text in said()) and len(said()) == 2


def test_tensorrt_without_a_gpu(tmp_path):
    with pytest.raises(EngineError, match="runs on a GPU; set the device to cuda, or use the backend onnx or torch"):
        select_backends(small_model(GATED), "tensorrt", folder=tmp_path)


def test_tensorrt_without_an_engine_names_the_command_that_builds_one(tmp_path, monkeypatch):
    monkeypatch.setattr(VitronModel, "device", property(lambda _: torch.device("cuda")))
    with pytest.raises(EngineError, match=r"no tensorrt engine .*engines\.build; there is no tensorrt_rtx engine"):
        select_backends(small_model(GATED), "tensorrt", folder=tmp_path)


def test_auto_on_a_gpu_takes_the_engine_that_fits_and_warns_of_one_that_does_not(tmp_path, monkeypatch, said):
    """The library is a stand-in: an engine is found, refused, and torch goes on."""
    monkeypatch.setattr(VitronModel, "device", property(lambda _: torch.device("cuda")))
    monkeypatch.setattr(frame_encoder, "_manifests", lambda folder, library: iter([("an engine", None)]))

    def refuse(model, library, folder):
        raise EngineError(f"{library}: it was built for SM86, this is SM90; rebuild it with: python -m engines.build")

    monkeypatch.setattr(frame_encoder, "_build", refuse)
    model = small_model(GATED)
    assert is_torch(select_backends(model, folder=tmp_path), model)
    warnings = [text for level, text in said() if level == "WARNING"]
    assert len(warnings) == 2 and all("rebuild it with" in text for text in warnings)


def test_an_unknown_backend():
    with pytest.raises(ConfigError, match="backend is 'gpu'; it must be one of auto, torch, onnx, tensorrt"):
        select_backends(small_model(GATED), "gpu")

"""The frame encoder: every backend gives what the model gives, and auto says what it chose."""

import importlib.util
import logging

import pytest
import torch

from tests.backends.small_models import AVERAGED, GATED, POOL, PUBLISHED, small_model
from vitron_ros.backends import frame_encoder
from vitron_ros.backends.frame_encoder import RunnerFrameEncoder, TorchFrameEncoder, build_frame_encoder
from vitron_ros.backends.graphs import build_graph
from vitron_ros.backends.runner import EngineRunner
from vitron_ros.backends.torch_runner import TorchRunner
from vitron_ros.errors import ConfigError, EngineError, ModelError
from vitron_ros.model.region import MarkedRegion
from vitron_ros.model.vitron import VitronModel
from vitron_ros.region import Region

needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnxruntime", "onnxscript")),
    reason="onnxruntime or onnxscript is not installed",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("engines")


@needs_onnx
@pytest.mark.parametrize("config", [GATED, PUBLISHED, POOL], ids=lambda config: config.name)
def test_onnx_runtime_encodes_as_the_model_does(config, folder):
    model = small_model(config)
    encoder = build_frame_encoder(model, "onnxruntime", folder=folder)
    pixels = torch.randn(4, 3, 48, 48)
    with torch.no_grad():
        features = model.features(pixels)
        visual = model.visual_tokens(features)
        encoded = encoder.encode(pixels, regions=True)
        marked = [MarkedRegion(region=Region.from_box([4, 4, 30, 30]), width=48, height=48, frame=2)]
        assert torch.allclose(encoded.visual.tokens, visual.tokens, atol=1e-4)
        assert torch.allclose(
            model.region_tokens(encoded.features, marked), model.region_tokens(features, marked), atol=1e-4
        )
    if visual.indices is None:
        assert encoded.visual.indices is None
    else:
        assert torch.equal(encoded.visual.indices, visual.indices)
    assert encoder.encode(pixels).features is None


@needs_onnx
def test_auto_on_a_cpu_is_onnx_runtime_and_says_so(folder, caplog):
    caplog.set_level(logging.INFO, "vitron_ros.backends")
    encoder = build_frame_encoder(small_model(GATED), folder=folder)
    assert encoder.name == "onnxruntime cpu"
    said = [record for record in caplog.records if "frames are encoded by onnxruntime cpu" in record.message]
    assert len(said) == 1


@needs_onnx
def test_the_graph_is_exported_once_and_again_when_weights_change_or_the_file_is_damaged(folder, monkeypatch, caplog):
    build_frame_encoder(small_model(GATED), "onnxruntime", folder=folder)
    exports = []
    export = frame_encoder.cached_onnx.__globals__["export_onnx"]

    def counted(graph, path):
        exports.append(path)
        return export(graph, path)

    monkeypatch.setitem(frame_encoder.cached_onnx.__globals__, "export_onnx", counted)
    caplog.clear()
    build_frame_encoder(small_model(GATED), "onnxruntime", folder=folder)
    assert exports == [] and "exporting" not in caplog.text
    other = small_model(GATED, seed=5)
    build_frame_encoder(other, "onnxruntime", folder=folder)
    assert len(exports) == 1 and "exporting the frames of gated to" in caplog.text  # whoever waits is told why
    content = bytearray(exports[0].read_bytes())
    content[len(content) // 2] ^= 1
    exports[0].write_bytes(content)
    encoder = build_frame_encoder(other, "onnxruntime", folder=folder)
    assert len(exports) == 2
    pixels = torch.randn(1, 3, 48, 48)
    with torch.no_grad():
        assert torch.allclose(encoder.encode(pixels).visual.tokens, other.encode_frames(pixels), atol=1e-4)


def test_auto_falls_back_loudly(tmp_path, caplog, monkeypatch):
    def missing(*_, **__):
        raise EngineError("ONNX Runtime is not installed")

    monkeypatch.setattr(frame_encoder, "OnnxRunner", missing)
    monkeypatch.setattr(frame_encoder, "cached_onnx", lambda *_: tmp_path)
    caplog.set_level(logging.INFO, "vitron_ros.backends")
    encoder = build_frame_encoder(small_model(GATED), folder=tmp_path)
    assert isinstance(encoder, TorchFrameEncoder)
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["frames fall back to torch: ONNX Runtime is not installed"]
    with pytest.raises(EngineError, match="not installed"):
        build_frame_encoder(small_model(GATED), "onnxruntime", folder=tmp_path)


def test_a_backend_that_disagrees_is_not_used(tmp_path, caplog, monkeypatch):
    """A graph of other weights in the right place: auto must notice, not trust the name."""
    wrong = build_graph(small_model(GATED, seed=9), "frames", levels=True)
    monkeypatch.setattr(frame_encoder, "OnnxRunner", lambda *_, **__: TorchRunner(wrong))
    monkeypatch.setattr(frame_encoder, "cached_onnx", lambda *_: tmp_path)
    encoder = build_frame_encoder(small_model(GATED), folder=tmp_path)
    assert isinstance(encoder, TorchFrameEncoder)
    assert "disagrees with torch on the same frames" in caplog.text


def test_models_that_are_no_graph_run_with_torch(tmp_path, caplog):
    model = small_model(AVERAGED)
    encoder = build_frame_encoder(model, folder=tmp_path)
    assert "averaged encodes a clip by another way" in caplog.text
    pixels = torch.randn(3, 3, 48, 48)
    with torch.no_grad():
        assert torch.equal(encoder.encode(pixels).visual.tokens, model.encode_frames(pixels))


def test_half_precision_on_a_cpu_stays_with_torch(tmp_path):
    model = VitronModel(GATED).eval().bfloat16()
    assert isinstance(build_frame_encoder(model, folder=tmp_path), TorchFrameEncoder)


class Short(EngineRunner):
    """A runner of at most two frames, whose tokens carry their frame's first pixel."""

    name, device = "short", torch.device("cpu")

    def __init__(self):
        graph = build_graph(small_model(GATED), "frames", levels=True)
        self.inputs, self.outputs, self.limits = graph.inputs, graph.outputs, {"frames": (1, 2)}
        self.seen = []

    def run(self, inputs):
        pixels = inputs["pixels"]
        self.seen.append(len(pixels))
        mark = pixels[:, 0, 0, 0]
        return {
            spec.name: mark.view(-1, *[1] * (len(spec.shape) - 1))
            .expand(spec.at({"frames": len(pixels)}))
            .to(spec.dtype)
            for spec in self.outputs
        }

    def close(self):
        pass


def test_long_clips_go_through_in_pieces_and_keep_their_order():
    runner = Short()
    pixels = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 3, 48, 48)
    encoded = RunnerFrameEncoder(runner, small_model(GATED)).encode(pixels, regions=True)
    assert runner.seen == [2, 2, 1]
    assert encoded.visual.tokens[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert encoded.visual.indices[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert [len(level) for level in encoded.features.levels] == [5] * len(GATED.region_levels)


@pytest.mark.parametrize("frames", [0, 7])
@pytest.mark.parametrize("kind", [TorchFrameEncoder, lambda model: RunnerFrameEncoder(Short(), model)])
def test_too_few_or_too_many_frames(kind, frames):
    with pytest.raises(ModelError, match=r"at least one|more than the 6|1 to 6 frames"):
        kind(small_model(GATED)).encode(torch.zeros(frames, 3, 48, 48))


def test_an_unknown_backend():
    with pytest.raises(ConfigError, match="backend is 'gpu'; it must be one of auto, torch"):
        build_frame_encoder(small_model(GATED), "gpu")


def test_a_tensorrt_backend_without_an_engine(tmp_path):
    with pytest.raises(EngineError, match=r"no tensorrt_rtx engine of frames in .*; build one with"):
        build_frame_encoder(small_model(GATED), "tensorrt_rtx", folder=tmp_path)


def test_an_engine_without_the_patches_is_refused_at_the_start_not_in_the_first_grounding(tmp_path, monkeypatch):
    bare = build_graph(small_model(GATED), "frames")
    monkeypatch.setattr(frame_encoder, "_find_engine", lambda *_: tmp_path)
    monkeypatch.setattr(frame_encoder, "TensorRTRunner", lambda *_, **__: TorchRunner(bare))
    with pytest.raises(
        EngineError, match="gives no patches, which grounding needs; build its engine with levels: true"
    ):
        build_frame_encoder(small_model(GATED), "tensorrt_rtx", folder=tmp_path)


def test_the_log_of_a_gpu_without_an_engine_says_how_to_build_one(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "vitron_ros.backends")
    model = small_model(GATED)
    monkeypatch.setattr(VitronModel, "device", property(lambda _: torch.device("cuda")))
    assert isinstance(build_frame_encoder(model, folder=tmp_path), TorchFrameEncoder)
    assert "build one with: python -m engines.build" in caplog.text

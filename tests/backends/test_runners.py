"""Runners of torch and ONNX Runtime: the same outputs for the same inputs, and the same refusals."""

import pytest
import torch

from tests.backends.small_models import ATTENTION, GATED, POOL, PUBLISHED, small_model
from vitron_ros.backends.graphs import build_graph
from vitron_ros.backends.onnx_export import export_onnx
from vitron_ros.backends.onnx_runner import OnnxRunner
from vitron_ros.backends.runner import random_inputs
from vitron_ros.backends.torch_runner import TorchRunner
from vitron_ros.errors import EngineError

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
SIZES = (
    {"frames": 1, "regions": 1, "clip": 1, "rows": 1, "tokens": 1, "slots": 1, "taken": 1},
    {"frames": 5, "regions": 4, "clip": 3, "rows": 3, "tokens": 6, "slots": 17, "taken": 2},
)


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (GATED, "frames"),
        (PUBLISHED, "frames"),
        (ATTENTION, "frames"),
        (POOL, "frames"),
        (GATED, "vision"),
        (GATED, "region"),
        (PUBLISHED, "region"),
        (GATED, "prefill"),
        (GATED, "decode"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_onnx_runtime_agrees_with_torch(exported, config, part):
    graph, path = exported(small_model(config), part, levels=part in ("frames", "vision"))
    with TorchRunner(graph) as reference, OnnxRunner(path, limits=graph.limits) as runner:
        assert [(spec.name, spec.shape, spec.dtype) for spec in (*runner.inputs, *runner.outputs)] == [
            (spec.name, spec.shape, spec.dtype) for spec in (*graph.inputs, *graph.outputs)
        ]
        for seed, sizes in enumerate(SIZES):
            inputs = random_inputs(graph.inputs, sizes, seed)
            expected, outputs = reference.run(inputs), runner.run(inputs)
            assert list(outputs) == list(expected)
            for name, value in expected.items():
                if value.dtype == torch.int64:
                    assert torch.equal(outputs[name], value), name
                else:
                    assert torch.allclose(outputs[name], value, rtol=1e-4, atol=1e-4), name


def test_outputs_are_not_overwritten_by_the_next_run(exported):
    graph, path = exported(small_model(GATED), "frames", levels=True)
    with OnnxRunner(path, limits=graph.limits) as runner:
        first = runner.run({"pixels": torch.zeros(2, 3, 48, 48)})
        kept = {name: value.clone() for name, value in first.items()}
        runner.run({"pixels": torch.randn(2, 3, 48, 48)})
        assert all(torch.equal(first[name], kept[name]) for name in kept)


def test_a_channels_last_input_is_understood(exported):
    graph, path = exported(small_model(GATED), "frames", levels=True)
    pixels = torch.randn(2, 3, 48, 48)
    with OnnxRunner(path, limits=graph.limits) as runner:
        plain = runner.run({"pixels": pixels})
        turned = runner.run({"pixels": pixels.to(memory_format=torch.channels_last)})
    assert torch.equal(plain["tokens"], turned["tokens"])


@pytest.fixture(params=["torch", "onnxruntime"])
def runner(request, exported):
    graph, path = exported(small_model(GATED), "frames", levels=True)
    with TorchRunner(graph) if request.param == "torch" else OnnxRunner(path, limits=graph.limits) as runner:
        yield runner


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "takes the inputs pixels; pixels missing"),
        ({"pixels": torch.zeros(1, 3, 48, 48), "mask": torch.zeros(1)}, "mask unknown"),
        ({"pixels": torch.zeros(1, 3, 48, 48).double()}, "is torch.float64 on cpu; it must be torch.float32 on cpu"),
        ({"pixels": torch.zeros(1, 3, 48, 40)}, r"is \(1, 3, 48, 40\); it must be \(frames, 3, 48, 48\)"),
        ({"pixels": torch.zeros(3, 48, 48)}, r"is \(3, 48, 48\)"),
        ({"pixels": torch.zeros(7, 3, 48, 48)}, "built for frames from 1 to 6, not 7"),
        ({"pixels": torch.zeros(0, 3, 48, 48)}, "built for frames from 1 to 6, not 0"),
        ({"pixels": torch.zeros(1, 3, 48, 48, device="meta")}, "on meta"),
    ],
)
def test_bad_inputs_are_named(runner, inputs, words):
    with pytest.raises(EngineError, match=words):
        runner.run(inputs)


def test_sizes_must_agree_between_inputs():
    graph = build_graph(small_model(GATED), "decode")
    inputs = random_inputs(graph.inputs, {"rows": 2, "tokens": 1, "slots": 4}, seed=0)
    inputs["lengths"] = torch.zeros(3, dtype=torch.int64)
    with pytest.raises(EngineError, match=r"lengths is \(3,\); it must be \(rows\) with rows = 2"):
        TorchRunner(graph).run(inputs)


def test_a_closed_runner_says_so(runner):
    runner.close()
    runner.close()
    with pytest.raises(EngineError, match="is closed"):
        runner.run({"pixels": torch.zeros(1, 3, 48, 48)})


def test_files_that_are_no_graph(tmp_path):
    with pytest.raises(EngineError, match="there is no ONNX file"):
        OnnxRunner(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"not a graph")
    with pytest.raises(EngineError, match=r"cannot load .*bad\.onnx"):
        OnnxRunner(tmp_path / "bad.onnx")


def test_a_provider_that_is_not_there(tmp_path):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(EngineError, match="not CUDAExecutionProvider; install onnxruntime-gpu"):
        OnnxRunner(tmp_path / "any.onnx", provider="cuda")


def test_torch_modes_that_are_not_there():
    graph = build_graph(small_model(GATED), "frames")
    with pytest.raises(EngineError, match="no mode 'fast'; there are eager, compiled and cuda_graphs"):
        TorchRunner(graph, "fast")
    with pytest.raises(EngineError, match="CUDA graphs need a model on a GPU, this one is on cpu"):
        TorchRunner(graph, "cuda_graphs")


def test_an_operation_without_an_onnx_counterpart_is_named(tmp_path):
    class Strange(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, pixels):
            return (torch.linalg.eigvals(pixels.mean((0, 1)) * self.weight).real,)

    graph = build_graph(small_model(GATED), "frames")
    object.__setattr__(graph, "module", Strange())
    with pytest.raises(EngineError, match=r"cannot export the part frames: at %linalg_eig: .*aten.linalg_eig"):
        export_onnx(graph, tmp_path / "strange.onnx")
    assert not list(tmp_path.iterdir())


def test_half_precision(tmp_path):
    from vitron_ros.model.vitron import VitronModel

    torch.manual_seed(0)
    graph = build_graph(VitronModel(GATED).eval().half(), "frames")
    path = export_onnx(graph, tmp_path / "half.onnx")
    pixels = torch.randn(2, 3, 48, 48)
    with OnnxRunner(path, limits=graph.limits) as runner:
        tokens = runner.run({"pixels": pixels})["tokens"]
    assert tokens.dtype == torch.float16
    torch.manual_seed(0)
    expected = VitronModel(GATED).eval().encode_frames(pixels).float()
    assert (tokens.float() - expected).abs().max() < 0.02 * expected.abs().max()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_graphs_give_what_eager_gives():
    from vitron_ros.model.vitron import VitronModel

    graph = build_graph(VitronModel(GATED).eval().cuda(), "frames", levels=True)
    with TorchRunner(graph) as eager, TorchRunner(graph, "cuda_graphs") as replayed:
        for seed, frames in enumerate((1, 4, 1)):
            inputs = random_inputs(graph.inputs, {"frames": frames}, seed, "cuda")
            expected, outputs = eager.run(inputs), replayed.run(inputs)
            assert all(torch.allclose(outputs[name], expected[name], atol=1e-4) for name in expected)

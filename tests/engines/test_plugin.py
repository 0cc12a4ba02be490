"""The T-Selector plugin: a graph with it, what it launches, and engines of TensorRT for RTX with it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from engines.builder import build_engine
from engines.kernels import plugin as plugin_module
from engines.kernels.compile import FATBIN
from engines.kernels.plugin import NAME, NAMESPACE, VERSION, check_parser, register_plugin, write_plugin_graph
from engines.profile import read_profile
from engines.verify import verify
from tests.backends.small_models import GATED, small_model
from tests.engines.test_t_selector_kernel import DTYPES, first_of_the_highest, gather, on_cpu  # noqa: F401
from vitron_ros.backends.graphs import build_graph
from vitron_ros.backends.onnx_export import OPSET, export_onnx
from vitron_ros.backends.tensorrt_runner import device_target
from vitron_ros.errors import EngineError
from vitron_ros.model.token_selector import top_patches

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")
ROOT = Path(__file__).parents[2]
RTX = {"library": "tensorrt_rtx", "precision": "float32", "targets": ["SM86", "SM89"]}


class Selection(nn.Module):
    """patches (T, N, C) and scores (T, N) to twice the selected tokens, and indices."""

    def __init__(self, count=5):
        super().__init__()
        self.count = count

    def forward(self, patches, scores):
        selected = top_patches(patches, scores, self.count)
        return 2 * selected.tokens, selected.indices


def export(path, patches, scores):
    frames = {0: torch.export.Dim.DYNAMIC}
    torch.onnx.export(
        Selection().eval(),
        (patches, scores),
        path,
        dynamo=True,
        opset_version=OPSET,
        dynamic_shapes=(frames, frames),
        input_names=["patches", "scores"],
        output_names=["tokens", "indices"],
        external_data=False,
        verbose=False,
    )
    return path


SELECTION = """
    all = Constant<value_ints = [{patches}]>()
    zero = Constant<value_ints = [0]>()
    selected = Constant<value_ints = [5]>()
    last = Constant<value_ints = [-1]>()
    shape = Constant<value_ints = [1, 1, {channels}]>()
    sorted, order = TopK(scores, all)
    best = Slice(order, zero, selected, last)
    indices, places = TopK<largest = 0>(best, selected)
    column = Unsqueeze(indices, last)
    rows = Expand(column, shape)
    tokens = GatherElements<axis = 1>(patches, rows)"""
SORTING = """
    all = Constant<value_ints = [{patches}]>()
    sorted, indices = TopK(scores, all)
    tokens = GatherElements<axis = 1>(patches, patches)"""


def write_graph(path, nodes, patches, channels):
    inputs = f"float[frames, {patches}, {channels}] patches, float[frames, {patches}] scores"
    outputs = f"float[frames, 5, {channels}] tokens, int64[frames, 5] indices"
    body = nodes.format(patches=patches, channels=channels)
    header = f'<ir_version: 10, opset_import: ["": {OPSET}]>'
    onnx.save(onnx.parser.parse_model(f"{header} graph ({inputs}) => ({outputs}) {{{body}\n}}"), path)
    return path


class TSelector(onnx.reference.op_run.OpRun):
    """The node for ONNX's reference evaluator."""

    op_domain = NAMESPACE

    def _run(self, features, logits, selected=None, plugin_namespace=None, plugin_version=None):
        assert (plugin_namespace, plugin_version, logits.dtype) == (NAMESPACE, VERSION, np.float32)
        indices = first_of_the_highest(torch.from_numpy(logits), selected)
        return gather(torch.from_numpy(features), indices).numpy(), indices.numpy()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_graph_with_the_plugin_gives_what_it_gave_before(tmp_path, dtype):
    patches, scores = torch.randn(3, 20, 8).to(dtype), torch.randperm(60).view(3, 20).to(dtype)
    exported = export(tmp_path / "plain.onnx", patches[:2], scores[:2])
    path = write_plugin_graph(exported, tmp_path / "plugin.onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model)
    operations = [node.op_type for node in model.graph.node]
    assert operations.count(NAME) == 1
    assert not {"TopK", "GatherElements"} & set(operations)
    evaluator = onnx.reference.ReferenceEvaluator(model, new_ops=[TSelector])
    tokens, indices = evaluator.run(["tokens", "indices"], {"patches": patches.numpy(), "scores": scores.numpy()})
    expected_tokens, expected_indices = Selection()(patches, scores)
    assert np.array_equal(tokens, expected_tokens.numpy())
    assert np.array_equal(indices, expected_indices.numpy())


@pytest.mark.parametrize(
    ("nodes", "patches", "channels", "words"),
    [
        (SORTING, 20, 8, "has 0 selections of patches by score, and the plugin takes the place of one"),
        (SELECTION, 20, 12, "selects 5 of 20 patches of 12; the T-Selector kernel takes up to 1024 of a multiple of 8"),
        (SELECTION, 1025, 8, "selects 5 of 1025 patches of 8"),
    ],
)
def test_a_graph_that_the_plugin_does_not_fit(tmp_path, nodes, patches, channels, words):
    path = write_graph(tmp_path / "plain.onnx", nodes, patches, channels)
    with pytest.raises(EngineError, match=words):
        write_plugin_graph(path, tmp_path / "plugin.onnx")
    assert not (tmp_path / "plugin.onnx").exists()


def test_the_largest_size_that_the_plugin_takes(tmp_path):
    path = write_graph(tmp_path / "plain.onnx", SELECTION, 1024, 8)
    model = onnx.load(write_plugin_graph(path, tmp_path / "plugin.onnx"))
    (node,) = (node for node in model.graph.node if node.op_type == NAME)
    assert list(node.input) == ["patches", "scores"]
    assert next(each.i for each in node.attribute if each.name == "selected") == 5


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.parametrize("library", ["tensorrt", "tensorrt_rtx"])
def test_an_engine_with_the_plugin_agrees_with_torch(write_profile, tmp_path, library):
    trt = pytest.importorskip(library, reason=f"{library} is not installed")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    if not FATBIN.is_file():
        pytest.skip("not compiled; run: python -m engines.kernels.compile")
    try:
        check_parser(trt)
    except EngineError as error:
        pytest.skip(str(error))
    target = "CURRENT" if library == "tensorrt" else device_target()
    settings = {"library": library, "precision": "float16", "targets": [target], "selector": "plugin"}
    report = verify(read_profile(write_profile(**settings)), tmp_path)
    assert library in report["comparisons"], report["skipped"]
    assert report["agrees"], report["comparisons"]


def without_the_name(name):
    raise OSError(f"{name}: cannot open shared object file")


class TestTensorRTForRTX:
    @pytest.fixture(autouse=True)
    def library(self):
        self.trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")

    def plugin(self, selected, launcher):
        """What the library gets for a node: from its registry, by name."""
        register_plugin(self.trt, launcher)
        creator = self.trt.get_plugin_registry().get_creator(NAME, VERSION, NAMESPACE)
        field = self.trt.PluginField("selected", np.array([selected], np.int32), self.trt.PluginFieldType.INT32)
        fields = self.trt.PluginFieldCollection([field])
        return creator.create_plugin("selector", fields, self.trt.TensorRTPhase.RUNTIME)

    def desc(self, shape, dtype):
        desc = self.trt.PluginTensorDesc()
        desc.dims, desc.type = shape, dtype
        return desc

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_it_launches_the_kernel_on_the_tensors_that_it_is_given(self, on_cpu, dtype):  # noqa: F811
        types = {torch.float32: self.trt.float32, torch.float16: self.trt.float16, torch.bfloat16: self.trt.bfloat16}
        patches, scores = torch.randn(3, 70, 24).to(dtype), torch.randn(3, 70)
        tokens, indices = torch.zeros(3, 17, 24, dtype=dtype), torch.zeros(3, 17, dtype=torch.int64)
        status = self.plugin(17, on_cpu).enqueue(
            [self.desc((3, 70, 24), types[dtype]), self.desc((3, 70), self.trt.float32)],
            [self.desc((3, 17, 24), types[dtype]), self.desc((3, 17), self.trt.int64)],
            [patches.data_ptr(), scores.data_ptr()],
            [tokens.data_ptr(), indices.data_ptr()],
            0,
            0,
        )
        assert status == 0
        assert torch.equal(indices, first_of_the_highest(scores, 17))
        assert torch.equal(tokens, gather(patches, indices))

    def test_a_copy_selects_as_many(self):
        plugin = self.plugin(9, None)
        (field,) = plugin.attach_to_context(None).get_fields_to_serialize()
        assert (field.name, field.data.tolist()) == ("selected", [9])

    def test_without_a_compiled_kernel_the_first_frame_says_so(self, tmp_path):
        desc = [self.desc((1, 9, 8), self.trt.float32), self.desc((1, 9), self.trt.float32)]
        plugin = self.plugin(2, plugin_module.CompiledKernel(tmp_path / "none.fatbin"))
        with pytest.raises(EngineError, match=r"compile it with: python -m engines\.kernels\.compile"):
            plugin.enqueue(desc, [], [0, 0], [0, 0], 0, 0)

    def test_a_library_that_its_parser_does_not_find_is_refused_before_it_ends_the_process(self, tmp_path, monkeypatch):
        monkeypatch.setattr(plugin_module.ctypes, "CDLL", without_the_name)
        spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
        monkeypatch.setattr(plugin_module.importlib.util, "find_spec", lambda name: spec)
        with pytest.raises(
            EngineError, match=rf"make it with: ln -s libtensorrt_rtx\.so\.1 {tmp_path}/libtensorrt_rtx"
        ):
            check_parser(self.trt)
        (tmp_path / "libtensorrt_rtx.so").touch()
        check_parser(self.trt)

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_an_engine_for_two_gpus(self, write_profile, tmp_path):
        """In a process of its own, to which the library has the name that its package lacks."""
        libraries = Path(
            pytest.importorskip("tensorrt_rtx_libs", reason="tensorrt_rtx is not from pip").__file__
        ).parent
        (tmp_path / "libtensorrt_rtx.so").symlink_to(libraries / "libtensorrt_rtx.so.1")
        graph = export_onnx(build_graph(small_model(GATED), "frames"), tmp_path / "small.onnx")
        profile = write_profile(**RTX)
        engine = tmp_path / "small.engine"
        code = (
            "from pathlib import Path; from engines.builder import build_engine; "
            "from engines.profile import read_profile; "
            f"graph, profile, engine = (Path(each) for each in {[str(graph), str(profile), str(engine)]}); "
            "print(build_engine(graph, read_profile(profile), engine, plugin=True))"
        )
        path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("LD_LIBRARY_PATH")]))
        environment = {**os.environ, "LD_LIBRARY_PATH": path}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "('SM86', 'SM89')\n"
        plain = tmp_path / "plain.engine"
        build_engine(graph, read_profile(profile), plain)
        assert NAME.encode() in engine.read_bytes()
        assert NAME.encode() not in plain.read_bytes()
        assert not list(tmp_path.glob(".*"))

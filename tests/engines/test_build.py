"""Building: an engine and its manifest, nothing twice, nothing stale, and what cannot be built."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from engines import build as build_module
from engines import builder
from engines.build import build, main
from engines.builder import build_engine
from engines.profile import read_profile
from engines.verify import verify
from tests.backends.small_models import GATED, small_model
from tests.engines.conftest import SETTINGS
from vitron_ros.backends.frame_encoder import build_frame_encoder
from vitron_ros.backends.graphs import build_graph, fingerprint
from vitron_ros.backends.manifest import read_manifest, sha256
from vitron_ros.backends.onnx_runner import OnnxRunner
from vitron_ros.errors import EngineError
from vitron_ros.model.checkpoint import from_pretrained, save_pretrained

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")
ROOT = Path(__file__).parents[2]
RTX = {"library": "tensorrt_rtx", "precision": "float16", "targets": ["SM86", "SM89"]}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A profile, its checkpoint and its cache, built once; tests work on copies of the cache."""
    folder = tmp_path_factory.mktemp("built")
    save_pretrained(small_model(GATED), folder / "checkpoint")
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({"model": str(folder / "checkpoint"), **SETTINGS}))
    build(read_profile(path), folder / "cache")
    return folder


@pytest.fixture
def cache(built, tmp_path):
    return Path(shutil.copytree(built / "cache", tmp_path / "cache"))


def test_an_engine_for_onnx_runtime_and_its_manifest(cache):
    engine = cache / "small.onnx"
    manifest = read_manifest(engine)
    graph = build_graph(small_model(GATED), "frames", levels=True)
    assert manifest.weights == fingerprint(graph.module)
    assert manifest.sha256 == manifest.graph == sha256(engine)
    assert manifest.bytes == engine.stat().st_size
    assert (manifest.library, manifest.precision, manifest.part, manifest.model) == (
        "onnxruntime", "float32", "frames", "gated",
    )  # fmt: skip
    assert manifest.build_s > 0 and manifest.peak_mb > 0
    pixels = torch.randn(2, 3, 48, 48)
    with OnnxRunner(engine) as runner, torch.no_grad():
        assert torch.allclose(runner.run({"pixels": pixels})["tokens"], graph.module(pixels)[0], atol=1e-4)


def test_an_unchanged_engine_is_found_without_torch(built, cache):
    code = (
        "import sys; from engines.build import main; "
        f"assert main([{str(built / 'small.yaml')!r}, '--cache', {str(cache)!r}]) == 0; "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "is up to date" in done.stderr


@pytest.mark.parametrize("change", ["profile", "weights", "engine", "manifest", "nothing"])
def test_what_has_changed_is_built_again(built, cache, tmp_path, monkeypatch, change):
    path, weights, engine = built / "small.yaml", built / "checkpoint" / "model.safetensors", cache / "small.onnx"
    before, manifest = weights.stat().st_mtime_ns, read_manifest(engine)
    if change == "profile":
        path = tmp_path / "small.yaml"
        path.write_text((built / "small.yaml").read_text().replace("max: 6", "max: 5"))
    elif change == "weights":
        os.utime(weights, ns=(1, 1))
    elif change == "engine":
        engine.write_bytes(engine.read_bytes()[:-1])
    elif change == "manifest":
        engine.with_suffix(".json").write_text("{}")
    again = []
    monkeypatch.setattr(build_module, "_build", lambda profile, *_: again.append(profile) or manifest)
    build(read_profile(path), cache)
    os.utime(weights, ns=(before, before))
    assert len(again) == (change != "nothing")


def test_only_the_parts_that_see_are_loaded_for_them(checkpoint):
    from engines.source import load_model

    model = load_model(checkpoint=checkpoint, profile_name=None, part="frames")
    assert all(weight.is_meta for weight in model.language.parameters())
    whole = from_pretrained(checkpoint)
    pixels = torch.randn(1, 3, 48, 48)
    with torch.no_grad():
        got, expected = (build_graph(each, "frames").module(pixels)[0] for each in (model, whole))
    assert torch.equal(got, expected)


@pytest.mark.parametrize("changes", [{}, {"selector": "plugin"}])
def test_the_plugin_is_built_in_where_the_profile_has_it(write_profile, tmp_path, monkeypatch, changes):
    asked = []

    def build_engine(onnx, profile, engine, *, plugin):
        engine.write_bytes(b"engine")
        asked.append(plugin)
        return profile.targets

    monkeypatch.setattr(builder, "build_engine", build_engine)
    monkeypatch.setattr(build_module, "library_version", lambda name: "1")
    monkeypatch.setattr(build_module, "source_hash", lambda profile: "1")
    build(read_profile(write_profile(**RTX, **changes)), tmp_path / "cache")
    assert asked == [bool(changes)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sizes": [{"images": {"min": 1, "opt": 1, "max": 2}}]}, "sizes name images; the part frames has frames"),
        ({"sizes": [{"frames": {"min": 1, "opt": 1, "max": 7}}]}, r"frames \(1, 1, 7\) must lie between 1 and 6"),
    ],
)
def test_sizes_that_the_model_does_not_have(write_profile, tmp_path, changes, words):
    with pytest.raises(EngineError, match=words):
        build(read_profile(write_profile(**changes)), tmp_path / "cache")


def test_errors_are_one_line_on_the_command_line(write_profile, tmp_path, capsys):
    assert main([str(write_profile(model="nowhere")), "--cache", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("build: ")


class Anything:
    """Takes every call, as a library's objects do that this test is not about."""

    def __getattr__(self, name):
        return lambda *_: Anything()


class FailingLibrary:
    """A TensorRT whose builder gives up, as one without memory does: with an exception, or with a word in its log."""

    __version__ = "11.4"
    NetworkDefinitionCreationFlag = type("Flag", (), {"STRONGLY_TYPED": 0})
    BuilderFlag = type("Flag", (), {"TF32": 0})
    IProgressMonitor = type("IProgressMonitor", (), {})

    class ILogger:
        ERROR, INTERNAL_ERROR = "error", "internal"

    def __init__(self, fail):
        library = self
        self._fail = fail

        class Builder:
            def __init__(self, log):
                self.log = log

            def create_network(self, flags):
                return type("Network", (), {"num_inputs": 0})()

            def create_builder_config(self):
                config = Anything()
                config.add_optimization_profile = lambda profile: 0
                config.set_compute_capability = config.create_timing_cache
                return config

            def create_optimization_profile(self):
                return Anything()

            def build_serialized_network(self, network, config):
                return library._fail(self.log)

        self.Builder = Builder
        self.OnnxParser = lambda network, log: type("Parser", (), {"parse_from_file": lambda self, path: True})()
        self.ComputeCapability = type("Capability", (), {"__members__": {"SM86": 1}})


def run_out(log):
    raise MemoryError


def complain_of_memory(log):
    log.log("error", "Requested amount of GPU memory (9663676416 bytes) could not be allocated: out of memory")


def complain_of_something_else(log):
    log.log("internal", "no implementation for node ForeignNode[/selector/TopK]")


@pytest.mark.parametrize(
    ("fail", "words"),
    [
        (run_out, "memory ran out while building small; lower the max of its sizes, or build where there is more"),
        (complain_of_memory, r"memory ran out while building small; .* \(Requested amount of GPU memory"),
        (complain_of_something_else, r"cannot build small: no implementation for node ForeignNode\[/selector/TopK\]"),
        (lambda log: None, "cannot build small: no reason given"),
    ],
)
def test_a_build_that_gives_up_says_why_and_leaves_nothing(write_profile, tmp_path, monkeypatch, fail, words):
    monkeypatch.setattr(builder, "import_tensorrt", lambda name: FailingLibrary(fail))
    profile = read_profile(write_profile(library="tensorrt_rtx", precision="float16", targets=["SM86"]))
    with pytest.raises(EngineError, match=words):
        build_engine(tmp_path / "any.onnx", profile, tmp_path / "small.engine")
    assert not list(tmp_path.glob("*.engine")) and not list(tmp_path.glob(".*"))


class TestTensorRTForRTX:
    @pytest.fixture(autouse=True)
    def library(self):
        pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")

    def test_an_engine_for_two_gpus_is_refused_without_one_and_auto_goes_on(self, write_profile, tmp_path):
        sizes = [{"frames": {"min": 1, "opt": 1, "max": 1}}, {"frames": {"min": 2, "opt": 4, "max": 6}}]
        profile = read_profile(write_profile(**RTX, sizes=sizes))
        engine = build(profile, tmp_path / "cache")
        manifest = read_manifest(engine)
        assert manifest.targets == ("SM86", "SM89")
        assert manifest.profiles == ({"frames": (1, 1, 1)}, {"frames": (2, 4, 6)})
        assert manifest.bytes > 10_000
        if not torch.cuda.is_available():
            with pytest.raises(EngineError, match="needs an NVIDIA GPU"):
                build_frame_encoder(small_model(GATED), "tensorrt_rtx", folder=engine.parent)
            assert build_frame_encoder(small_model(GATED), folder=engine.parent).name == "onnxruntime cpu"

    @pytest.mark.parametrize("target", ["SM87", "SM90", "CURRENT", "cpu"])
    def test_a_gpu_that_it_cannot_build_for(self, write_profile, built, tmp_path, target):
        profile = read_profile(write_profile(**{**RTX, "targets": ["SM86", target]}))
        with pytest.raises(EngineError, match=rf"builds for SM75, .*, not for {target}; use library: tensorrt"):
            build_engine(built / "cache" / "small.onnx", profile, tmp_path / "small.engine")
        assert not (tmp_path / "small.engine").exists()

    def test_an_operation_that_it_does_not_know_is_named_with_its_node(self, write_profile, tmp_path):
        import onnx

        node = onnx.helper.make_node("Frobnicate", ["pixels"], ["tokens"], name="node_of_mine", domain="ours")
        value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3]) for name in node.input]
        out = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3]) for name in node.output]
        graph = onnx.helper.make_graph([node], "strange", value, out)
        opsets = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid("ours", 1)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "strange.onnx")
        with pytest.raises(EngineError, match=r"cannot read .*strange.onnx: node node_of_mine \(Frobnicate\): "):
            build_engine(tmp_path / "strange.onnx", read_profile(write_profile(**RTX)), tmp_path / "strange.engine")

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_vitron_tiny_for_sm86_and_sm89(self, tmp_path):
        profile = read_profile(ROOT / "engines" / "profiles" / "vitron-tiny-frames-random.yaml")
        report = verify(profile, tmp_path)
        assert read_manifest(tmp_path / f"{profile.name}.engine").targets == ("SM86", "SM89")
        assert report["agrees"], report["comparisons"]
        assert "onnxruntime" in report["comparisons"]

    @pytest.mark.slow
    @pytest.mark.timeout(1800)
    @pytest.mark.skipif("VITRON_ENGINES_CHECK" not in os.environ, reason="run by: make engines-check")
    def test_vit_l_336_for_sm86_and_sm89(self, tmp_path):
        profile = read_profile(ROOT / "engines" / "profiles" / "vit-l-336-frames-random.yaml")
        engine = build(profile, tmp_path)
        assert read_manifest(engine).targets == ("SM86", "SM89")
        assert engine.stat().st_size > 500e6

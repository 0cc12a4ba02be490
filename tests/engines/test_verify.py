"""Verification: it agrees where it should, and names the layer where it should not."""

import json
import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engines import verify as verify_module
from engines.int8_graph import PRODUCTS
from engines.profile import read_profile
from engines.verify import main, verify
from vitron_ros.backends.onnx_runner import OnnxRunner
from vitron_ros.errors import ConfigError, EngineError

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")

CPU = Path("/proc/cpuinfo")
HAS_VNNI = not CPU.exists() or "avx2" not in (flags := CPU.read_text()) or "vnni" in flags


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder of engines that several tests share; the engine of the small model's plain profile is built once."""
    return tmp_path_factory.mktemp("engines")


@pytest.mark.parametrize(
    ("part", "sizes"),
    [
        ("frames", {"frames": {"min": 1, "opt": 2, "max": 6}}),
        ("region", {"regions": {"min": 1, "opt": 2, "max": 5}, "clip": {"min": 1, "opt": 2, "max": 4}}),
        (
            "decode",
            {
                "rows": {"min": 1, "opt": 1, "max": 2},
                "tokens": {"min": 1, "opt": 1, "max": 4},
                "slots": {"min": 1, "opt": 30, "max": 97},
            },
        ),
    ],
)
def test_every_part_agrees_with_torch(write_profile, built, part, sizes):
    name = "small" if part == "frames" else part
    report = verify(read_profile(write_profile(name, part=part, sizes=[sizes], levels=part == "frames")), built)
    assert report["agrees"]
    differences = report["comparisons"]["onnxruntime"]
    assert all(each["relative"] < 1e-3 for each in differences)
    if part == "frames":
        assert {each["name"] for each in report["comparisons"]["onnxruntime, layers"]} >= {"layer.1", "layer.2"}
        assert all(each["shared"] == 1 for each in differences if each["name"] == "indices")
    if part == "decode":
        assert {"new_keys.0", "new_values.1", "logits"} <= {each["name"] for each in differences}


def test_half_precision_has_its_own_tolerance(write_profile, tmp_path):
    report = verify(read_profile(write_profile(precision="float16")), tmp_path / "cache")
    assert report["agrees"]
    assert report["comparisons"]["onnxruntime, layers"][0]["relative"] > 1e-5  # it is half precision


@pytest.mark.parametrize("source", ["worlds", "folder"])
def test_products_in_int8(write_profile, tmp_path, source):
    if source == "folder" and not HAS_VNNI:
        pytest.skip("without VNNI, ONNX Runtime's products of bytes saturate on images of noise")
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
    named = source if source == "worlds" else str(folder)
    profile = read_profile(write_profile(precision="int8", calibration=named))
    report = verify(profile, tmp_path / "cache")
    assert report["agrees"]
    patches = next(each for each in report["comparisons"]["onnxruntime"] if each["name"] == "patches")
    assert 1e-3 < patches["relative"] < 1  # it is int8, and close
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["small.json", "small.onnx"]
    nodes = onnx.load(tmp_path / "cache" / "small.onnx").graph.node
    made = {node.output[0]: node.op_type for node in nodes}
    fed = [made.get(name) for node in nodes if node.op_type in PRODUCTS for name in node.input[:2]]
    assert len(fed) > 10
    assert set(fed) == {"DequantizeLinear"}


def test_int8_needs_images(write_profile, tmp_path):
    profile = read_profile(write_profile(precision="int8", calibration=str(tmp_path / "nothing")))
    with pytest.raises(ConfigError, match="nothing holds no JPEG or PNG image; give a folder of real frames"):
        verify(profile, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_layer_that_is_off_is_named_first_and_fails(write_profile, built, monkeypatch, capsys):
    class Spoiled(OnnxRunner):
        def run(self, inputs):
            return {name: value + (name == "layer.2") for name, value in super().run(inputs).items()}

    monkeypatch.setattr(verify_module, "OnnxRunner", Spoiled)
    status = main([str(write_profile()), "--cache", str(built), "--json"])
    *lines, report = capsys.readouterr().out.strip().splitlines()
    assert status == 1
    first = lines[lines.index(next(line for line in lines if line.startswith("onnxruntime, layers"))) + 1]
    assert first.startswith("  WRONG layer.2")
    assert json.loads(report)[0]["agrees"] is False


def test_a_backend_that_cannot_run_is_said_and_not_counted_as_agreement(write_profile, tmp_path, capsys):
    pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    profile = read_profile(write_profile(library="tensorrt_rtx", precision="float16", targets=["SM89"]))
    report = verify(profile, tmp_path / "cache")
    assert "needs an NVIDIA GPU" in report["skipped"]["tensorrt_rtx"]
    assert "tensorrt_rtx" not in report["comparisons"]
    assert "tensorrt_rtx: not compared" in capsys.readouterr().out


def test_an_engine_that_was_compared_with_nothing_does_not_agree(write_profile, built, monkeypatch, capsys):
    def refuse(*_, **__):
        raise EngineError("no session here")

    monkeypatch.setattr(verify_module, "OnnxRunner", refuse)
    assert main([str(write_profile()), "--cache", str(built)]) == 1
    assert "verify: small was compared with nothing: no session here" in capsys.readouterr().err


def test_a_full_disk_while_building_is_one_line_and_leaves_nothing_that_looks_whole(write_profile, tmp_path, capsys):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        assert main([str(write_profile()), "--cache", str(tmp_path / "cache")]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capsys.readouterr().err
    assert "File too large" in said and said.count("\n") == 1
    assert not list((tmp_path / "cache").glob("small*"))

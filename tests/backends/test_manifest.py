"""A manifest that is damaged or of another release is one line that names it."""

import json
from pathlib import Path

import pytest

from vitron_ros.backends.manifest import Manifest, manifest_path, read_manifest
from vitron_ros.errors import EngineError

SPEC = {"name": "pixels", "shape": ["frames", 3, 64, 64], "dtype": "float32"}
GOOD = Manifest(
    model="tiny",
    part="frames",
    weights="a",
    graph="b",
    library="onnxruntime",
    version="1",
    targets=("cpu",),
    precision="float32",
    levels=True,
    profiles=({"frames": (1, 4, 8)},),
    inputs=(SPEC,),
    outputs=(SPEC,),
    sha256="c",
    bytes=3,
    source="d",
    build_s=1,
    peak_mb=0,
    rebuild="make it again",
)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    GOOD.write(tmp_path / "a.onnx")
    return tmp_path / "a.onnx"


def test_it_comes_back_as_it_was_written(engine):
    assert read_manifest(engine) == GOOD


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"[" * 100_000, b"\xff\xfe", b'{"model": 1}', b'{"bytes": 1, "bytes": 2}']
)
def test_a_file_that_is_no_manifest(engine, content):
    manifest_path(engine).write_bytes(content)
    with pytest.raises(EngineError, match=r"a\.json is not a manifest of this release .* build the engine again"):
        read_manifest(engine)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", None),
        ("bytes", "3"),
        ("bytes", 3.5),
        ("levels", 1),
        ("build_s", "fast"),
        ("targets", "cpu"),
        ("targets", [1]),
        ("profiles", [{"frames": [1, 4]}]),
        ("profiles", [{"frames": [8, 4, 1]}]),
        ("profiles", [[1]]),
        ("profiles", [{"frames": "abc"}]),
        ("inputs", [{"name": "pixels"}]),
        ("inputs", [SPEC | {"shape": [0, -1]}]),
        ("outputs", [SPEC | {"dtype": "save"}]),
        ("outputs", [SPEC | {"dtype": ["float32"]}]),
        ("outputs", None),
    ],
)
def test_a_value_of_another_type_is_named(engine, field, value):
    path = manifest_path(engine)
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(EngineError, match=f"is not a manifest of this release .{field} is "):
        read_manifest(engine)

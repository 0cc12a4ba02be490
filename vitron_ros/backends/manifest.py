"""What a compiled engine is: the JSON file beside it. Needs no torch, so that an unchanged build is found at once.

NAME.engine or NAME.onnx    the engine
NAME.json                   its manifest
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from vitron_ros.errors import EngineError, ModelError
from vitron_ros.model.files import is_file, quoted, read_json, shortened

SUFFIX = ".json"
CHUNK = 1 << 20
SCALAR_FIELDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("model", "part", "weights", "graph", "library", "version", "precision", "sha256", "source", "rebuild"), (str,)
    ),
    **dict.fromkeys(("bytes", "peak_mb"), (int,)),
    "levels": (bool,),
    "build_s": (int, float),
}
DTYPES = ("float32", "float16", "bfloat16", "int8", "int32", "int64", "bool")
GRAPH_MODULES = ("graphs", "onnx_export")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What an engine was made from, with, and for.

    Attributes:
        model, part: what of which model.
        weights: hash of the part's weights, see `graphs.fingerprint`.
        graph: SHA-256 of the ONNX file.
        library, version: that built it and can run it.
        targets: "SM86", ... of GPUs; "cpu".
        precision: of the weights.
        levels: whether hidden states come out, too.
        profiles: of each optimisation profile, every named dimension's least, usual and largest value.
        inputs, outputs: name, shape and dtype of each.
        sha256, bytes: of the engine's file.
        source: hash of all that a rebuild would start from; the same: nothing has changed.
        build_s, peak_mb: time and memory that building took.
        rebuild: the command that makes it again.
    """

    model: str
    part: str
    weights: str
    graph: str
    library: str
    version: str
    targets: tuple[str, ...]
    precision: str
    levels: bool
    profiles: tuple[Mapping[str, tuple[int, int, int]], ...]
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]
    sha256: str
    bytes: int
    source: str
    build_s: float
    peak_mb: int
    rebuild: str

    def write(self, engine: Path) -> None:
        """Writes the manifest of an engine beside it, whole or not at all."""
        path = manifest_path(engine)
        partial = path.with_name(f".{os.getpid()}-{path.name}")
        partial.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        partial.replace(path)


def manifest_path(engine: Path) -> Path:
    return engine.with_suffix(SUFFIX)


def read_manifest(engine: Path) -> Manifest:
    """The manifest of an engine.

    Raises:
        EngineError: it is not there, or no manifest of this release.
    """
    path = manifest_path(engine)
    if not is_file(path):
        raise EngineError(f"{engine} has no manifest {path.name}; build it with: python -m engines.build")
    try:
        values = read_json(path)
        known = {item.name for item in fields(Manifest)}
        if set(values) != known:
            raise ValueError(f"its fields differ by {shortened(sorted(set(values) ^ known))}")
        for name, kinds in SCALAR_FIELDS.items():
            if type(values[name]) not in kinds:
                raise ValueError(f"{name} is {quoted(values[name])}")
        lists = {
            "targets": _list_of(values, "targets", lambda each: isinstance(each, str)),
            "profiles": tuple(
                {name: tuple(sizes) for name, sizes in each.items()}
                for each in _list_of(values, "profiles", _is_profile)
            ),
            "inputs": _list_of(values, "inputs", _is_spec),
            "outputs": _list_of(values, "outputs", _is_spec),
        }
    except (ModelError, ValueError) as error:
        raise EngineError(f"{path} is not a manifest of this release ({error}); build the engine again") from error
    return Manifest(**{**values, **lists})


def _list_of(values: Mapping[str, Any], name: str, fits: Callable[[Any], bool]) -> tuple[Any, ...]:
    found = values[name]
    if not isinstance(found, list) or not all(map(fits, found)):
        raise ValueError(f"{name} is {quoted(found)}")
    return tuple(found)


def _is_profile(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(sizes, list)
        and len(sizes) == 3
        and all(type(size) is int and size > 0 for size in sizes)
        and sizes == sorted(sizes)
        for sizes in value.values()
    )


def _is_spec(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"name", "shape", "dtype"}
        and isinstance(value["name"], str)
        and isinstance(value["shape"], list)
        and all(isinstance(size, str) or (type(size) is int and size > 0) for size in value["shape"])
        and value["dtype"] in DTYPES
    )


def check_file(engine: Path, manifest: Manifest) -> None:
    """Compares an engine's file with its manifest.

    Raises:
        EngineError: it is not there, cut off or changed.
    """
    if not engine.is_file():
        raise EngineError(f"there is no engine {engine}; rebuild it with: {manifest.rebuild}")
    size = engine.stat().st_size
    if size != manifest.bytes or sha256(engine) != manifest.sha256:
        raise EngineError(
            f"{engine} is damaged: {size} bytes, its manifest says {manifest.bytes} with another content; "
            f"rebuild it with: {manifest.rebuild}"
        )


def check_fit(
    engine: Path,
    manifest: Manifest,
    *,
    weights: str | None = None,
    version: str | None = None,
    target: str | None = None,
) -> None:
    """Refuses an engine of other weights, another version of its library or another device. None: not compared.

    Raises:
        EngineError: it does not fit.
    """
    wrong = []
    if weights is not None and weights != manifest.weights:
        wrong.append("it was built from other weights than the model has")
    if version is not None and version != manifest.version:
        wrong.append(f"it was built with {manifest.library} {manifest.version}, this is {version}")
    if target is not None and target not in manifest.targets:
        wrong.append(f"it was built for {', '.join(manifest.targets)}, this is {target}")
    if wrong:
        raise EngineError(f"{engine} does not fit: {'; '.join(wrong)}; rebuild it with: {manifest.rebuild}")


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def code_hash() -> str:
    """Hash of the code that graphs are made of."""
    package = Path(__file__).parents[1]
    files = [
        *sorted((package / "model").glob("*.py")),
        *(package / "backends" / f"{name}.py" for name in GRAPH_MODULES),
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()

"""ONNX files of graphs, exported once and cached until the weights, the code or torch change."""

import hashlib
import json
import logging
import time
from importlib.metadata import version
from pathlib import Path

import torch

from vitron_ros.backends.graphs import Graph, fingerprint
from vitron_ros.backends.manifest import Manifest, check_file, code_hash, manifest_path, read_manifest, sha256
from vitron_ros.backends.onnx_export import export_onnx
from vitron_ros.backends.runner import TensorSpec
from vitron_ros.errors import EngineError
from vitron_ros.model.config import ModelConfig

logger = logging.getLogger(__name__)


def cached_onnx(graph: Graph, config: ModelConfig, folder: Path) -> Path:
    """The ONNX file of a graph in a folder; written if it is not there, or damaged.

    Raises:
        EngineError: it cannot be exported or written.
    """
    weights = fingerprint(graph.module)
    source = source_hash(weights, graph, config)
    path = folder / f"{graph.part}-{source[:16]}.onnx"
    if manifest_path(path).is_file():
        try:
            check_file(path, read_manifest(path))
            return path
        except EngineError as error:
            logger.warning("exporting again: %s", error)
    # A warning, so that a command line that waits for it says why.
    logger.warning("exporting the %s of %s to %s: once, some 10 s", graph.part, config.name, path)
    start = time.monotonic()
    try:
        export_onnx(graph, path)
        describe(path, graph, config, weights=weights, source=source, build_s=time.monotonic() - start).write(path)
    except OSError as error:
        raise EngineError(f"{path} cannot be written: {error}; name another folder in VITRON_ENGINES") from error
    return path


def source_hash(weights: str, graph: Graph, config: ModelConfig) -> str:
    """Hash of all that the ONNX file depends on."""
    digest = hashlib.sha256(f"{weights} {torch.__version__} {graph.part} {config.to_json()}".encode())
    digest.update(repr((graph.inputs, graph.outputs)).encode())
    digest.update(code_hash().encode())
    return digest.hexdigest()


def describe(path: Path, graph: Graph, config: ModelConfig, *, weights: str, source: str, build_s: float) -> Manifest:
    """The manifest of an exported file."""
    file_hash = sha256(path)
    return Manifest(
        model=config.name,
        part=graph.part,
        weights=weights,
        graph=file_hash,
        library="onnxruntime",
        version=version("onnxruntime"),
        targets=("cpu",),
        precision=dtype_name(graph.outputs[0].dtype),
        levels=any(spec.name == "patches" for spec in graph.outputs),
        profiles=({name: (low, low, high) for name, (low, high) in graph.limits.items()},),
        inputs=spec_values(graph.inputs),
        outputs=spec_values(graph.outputs),
        sha256=file_hash,
        bytes=path.stat().st_size,
        source=source,
        build_s=round(build_s, 2),
        peak_mb=0,
        rebuild=f"rm {path}, and start again",
    )


def spec_values(specs: tuple[TensorSpec, ...]) -> tuple[dict[str, object], ...]:
    """Tensor specs as a manifest holds them."""
    plain = [{"name": spec.name, "shape": list(spec.shape), "dtype": dtype_name(spec.dtype)} for spec in specs]
    return tuple(json.loads(json.dumps(plain)))


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

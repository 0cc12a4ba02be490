"""Graphs to ONNX files, by torch's exporter (the one on torch.export)."""

import contextlib
import logging
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from vitron_ros.backends.graphs import Graph
from vitron_ros.backends.runner import TensorSpec, random_inputs
from vitron_ros.errors import EngineError

OPSET = 20
INLINE_BYTES = 1_500_000_000  # a protobuf file ends at 2 GiB; larger weights lie in a file beside it
EXAMPLE_SIZES = {"frames": 2, "regions": 3, "clip": 2, "rows": 2, "tokens": 5, "slots": 7, "taken": 3}

logger = logging.getLogger(__name__)


def export_onnx(graph: Graph, path: Path) -> Path:
    """Writes a graph as an ONNX file with named inputs, outputs and dimensions; gives its path.

    Weights beyond 1.5 GB go to `path` + ".data". The file appears whole or not at all.

    Raises:
        EngineError: onnx or onnxscript is not installed, or torch cannot export the graph; names the operation.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise EngineError("export needs onnx and onnxscript: pip install 'vitron_ros[engines]'") from error
    sizes = {name: min(size, graph.limits[name][1]) for name, size in EXAMPLE_SIZES.items() if name in graph.limits}
    inputs = random_inputs(graph.inputs, sizes, seed=0, device=graph.device.type)
    # Without bounds: those of a graph are the runners' to check, and torch.export would refuse some that it infers.
    dims = {name: torch.export.Dim.DYNAMIC for name, (low, high) in graph.limits.items() if low < high}
    shapes = [_dynamic(spec, dims) for spec in graph.inputs]
    fixed = len(graph.inputs) - _variadic(graph)
    dynamic_shapes = (*shapes[:fixed], tuple(shapes[fixed:])) if fixed < len(shapes) else tuple(shapes)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    nbytes = sum(weight.nbytes for weight in graph.module.state_dict().values())
    try:
        with _quiet(), torch.no_grad():
            program: Any = torch.onnx.export(
                graph.module,
                tuple(inputs[spec.name] for spec in graph.inputs),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=dynamic_shapes,
                input_names=[spec.name for spec in graph.inputs],
                output_names=[spec.name for spec in graph.outputs],
                verbose=False,
            )
        _name_dimensions(program, graph)
        if nbytes > INLINE_BYTES:
            program.save(path, external_data=True)
        else:
            program.save(partial, external_data=False)
            partial.replace(path)
    except (torch.onnx.OnnxExporterError, torch._dynamo.exc.TorchDynamoException, RuntimeError, ValueError) as error:
        raise EngineError(f"torch cannot export the part {graph.part}: {_reason(error)}") from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def _variadic(graph: Graph) -> int:
    """How many of the inputs go to the module's `*arguments`, which torch.export describes as one tuple."""
    code = graph.module.forward.__code__
    has_rest = bool(code.co_flags & 0x04)
    return len(graph.inputs) - (code.co_argcount - 1) if has_rest else 0


def _dynamic(spec: TensorSpec, dims: dict[str, Any]) -> dict[int, Any]:
    return {axis: dims[size] for axis, size in enumerate(spec.shape) if isinstance(size, str) and size in dims}


def _name_dimensions(program: Any, graph: Graph) -> None:
    """Gives each dimension its own name: torch.export calls them s77."""
    import onnx_ir

    for values, specs in ((program.model.graph.inputs, graph.inputs), (program.model.graph.outputs, graph.outputs)):
        for value, spec in zip(values, specs, strict=True):
            value.name = spec.name
            value.shape = onnx_ir.Shape(spec.shape)


def _reason(error: BaseException) -> str:
    """The innermost cause, and the node of the graph at which it happened, in one line."""
    node = ""
    while True:
        found = re.search(r"translating node (%\S+)", str(error))
        node = f"at {found[1]}: " if found else node
        if error.__cause__ is None:
            return node + " ".join(str(error).split())[:600]
        error = error.__cause__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's own talk of torchvision and deprecated calls."""
    noisy = logging.getLogger("torch.onnx")
    level = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        noisy.setLevel(level)

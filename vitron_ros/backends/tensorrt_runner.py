"""Engines of TensorRT and TensorRT for RTX, on torch's own memory and streams: nothing is copied in or out."""

import importlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitron_ros.backends.manifest import Manifest, check_file, check_fit, read_manifest
from vitron_ros.backends.runner import EngineRunner, Limits, TensorSpec, check_inputs
from vitron_ros.errors import EngineError

LIBRARIES = ("tensorrt", "tensorrt_rtx")
RUNTIME_CACHE = ".runtime-cache"  # beside an engine of TensorRT for RTX: kernels compiled for this GPU

logger = logging.getLogger(__name__)


def import_tensorrt(library: str) -> Any:
    """The module of one of the two libraries; both have nearly the same interface.

    Raises:
        EngineError: it is not installed.
    """
    try:
        return importlib.import_module(library)
    except ImportError as error:
        hint = (
            "pip install tensorrt-rtx"
            if library == "tensorrt_rtx"
            else "it comes with JetPack, or pip install tensorrt"
        )
        raise EngineError(f"{library} is not installed: {hint}") from error


def device_target() -> str:
    """The compute capability of the GPU, "SM89".

    Raises:
        EngineError: there is none.
    """
    if not torch.cuda.is_available():
        raise EngineError("a TensorRT engine needs an NVIDIA GPU and a torch with CUDA; use onnxruntime or torch here")
    major, minor = torch.cuda.get_device_capability()
    return f"SM{major}{minor}"


class TensorRTRunner(EngineRunner):
    """Runs an engine file with a manifest. Each optimisation profile has an execution context of its own.

    Args:
        weights: hash that the engine's weights must have; None: any.
        cuda_graphs: each set of shapes is captured once and replayed after.

    Raises:
        EngineError: the library or a GPU is missing, or the engine is damaged, stale or built for another device.
    """

    def __init__(self, path: Path, *, weights: str | None = None, cuda_graphs: bool = False) -> None:
        manifest = read_manifest(path)
        if manifest.library not in LIBRARIES:
            raise EngineError(f"{path} is an engine of {manifest.library}, not of TensorRT")
        check_file(path, manifest)
        trt = import_tensorrt(manifest.library)
        check_fit(path, manifest, weights=weights, version=trt.__version__)
        check_fit(path, manifest, target=device_target())
        self.name = f"{manifest.library} {trt.__version__}"
        self.device = torch.device("cuda")
        self.inputs, self.outputs = read_specs(manifest.inputs), read_specs(manifest.outputs)
        self.limits = outer_limits(manifest)
        self._is_int8 = manifest.precision == "int8"
        self._profiles = manifest.profiles
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
        self._engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            raise EngineError(f"{self.name} cannot load {path}; rebuild it with: {manifest.rebuild}")
        self._cache_path = path.with_suffix(RUNTIME_CACHE)
        self._stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._config = self._runtime_config()
        self._contexts = [self._context(index) for index in range(len(self._profiles))]
        self._captures: dict[tuple[int, ...], _EngineGraph] | None = {} if cuda_graphs else None
        self._stream.synchronize()

    @property
    def precision(self) -> torch.dtype:
        return torch.int8 if self._is_int8 else super().precision

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        sizes = check_inputs(self, inputs)
        if self._engine is None:
            raise EngineError(f"{self.name} is closed; make a new one")
        context = self._contexts[self._fitting(sizes)]
        given = {spec.name: inputs[spec.name].detach().contiguous() for spec in self.inputs}
        outputs = {
            spec.name: torch.empty(spec.at(sizes), dtype=spec.dtype, device=self.device) for spec in self.outputs
        }
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        if self._captures is None:
            self._enqueue(context, given, outputs)
        else:
            key = tuple(sizes.values())
            if key not in self._captures:
                self._captures[key] = _EngineGraph(self, context, given, outputs)
            self._captures[key].replay(given, outputs)
        # Memory of this run is reused on the current stream alone, which waits here: no record_stream is needed.
        current.wait_stream(self._stream)
        return outputs

    def close(self) -> None:
        if self._engine is None:
            return
        self._stream.synchronize()
        if self._captures is not None:
            self._captures.clear()
        self._save_kernels()
        self._contexts, self._config, self._engine, self._runtime = [], None, None, None

    def _fitting(self, sizes: Mapping[str, int]) -> int:
        """The first profile that takes these sizes."""
        for index, profile in enumerate(self._profiles):
            if all(profile[name][0] <= size <= profile[name][2] for name, size in sizes.items()):
                return index
        raise EngineError(f"{self.name}: no profile of the engine takes {dict(sizes)}; it has {list(self._profiles)}")

    def _enqueue(self, context: Any, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        for name, tensor in inputs.items():
            if not context.set_input_shape(name, tuple(tensor.shape)):
                raise EngineError(f"{self.name} refuses {name} of {tuple(tensor.shape)}")
        for name, tensor in (*inputs.items(), *outputs.items()):
            context.set_tensor_address(name, tensor.data_ptr())
        if not context.execute_async_v3(self._stream.cuda_stream):
            raise EngineError(f"{self.name} failed; its reason is in the log")

    def _runtime_config(self) -> Any:
        """TensorRT for RTX compiles its kernels on the device; those of earlier runs are reused."""
        if not hasattr(self._engine, "create_runtime_config"):
            return None
        config = self._engine.create_runtime_config()
        if not hasattr(config, "create_runtime_cache"):
            return None
        cache = config.create_runtime_cache()
        if self._cache_path.is_file() and not cache.deserialize(self._cache_path.read_bytes()):
            logger.warning("%s is of another GPU or driver; kernels are compiled again", self._cache_path)
        config.set_runtime_cache(cache)
        return config

    def _context(self, index: int) -> Any:
        context = (
            self._engine.create_execution_context()
            if self._config is None
            else self._engine.create_execution_context(self._config)
        )
        if context is None or not context.set_optimization_profile_async(index, self._stream.cuda_stream):
            raise EngineError(f"{self.name} has no memory for profile {index}; free some, or build for smaller sizes")
        return context

    def _save_kernels(self) -> None:
        if self._config is None:
            return
        try:
            self._cache_path.write_bytes(bytes(self._config.get_runtime_cache().serialize()))
        except OSError as error:
            logger.warning("the kernels made for this GPU cannot be saved: %s", error)


class _EngineGraph:
    """One CUDA graph of an engine's pass and the memory that it reads and writes."""

    def __init__(
        self, runner: TensorRTRunner, context: Any, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
    ) -> None:
        self._stream = runner._stream
        with torch.cuda.stream(self._stream):
            self._inputs = {name: tensor.clone() for name, tensor in inputs.items()}
            self._outputs = {name: torch.empty_like(tensor) for name, tensor in outputs.items()}
        # The first pass with new shapes may allocate, which a capture does not allow.
        runner._enqueue(context, self._inputs, self._outputs)
        self._stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            runner._enqueue(context, self._inputs, self._outputs)

    def replay(self, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        with torch.cuda.stream(self._stream):
            for name, tensor in inputs.items():
                self._inputs[name].copy_(tensor)
            self._graph.replay()
            for name, tensor in outputs.items():
                tensor.copy_(self._outputs[name])


def outer_limits(manifest: Manifest) -> Limits:
    """Least and largest value of each named dimension over all profiles."""
    limits: dict[str, tuple[int, int]] = {}
    for profile in manifest.profiles:
        for name, (low, _, high) in profile.items():
            least, most = limits.get(name, (low, high))
            limits[name] = min(least, low), max(most, high)
    return limits


def read_specs(values: tuple[Mapping[str, Any], ...]) -> tuple[TensorSpec, ...]:
    """Tensor specs as a manifest holds them."""
    return tuple(
        TensorSpec(name=each["name"], shape=tuple(each["shape"]), dtype=getattr(torch, each["dtype"]))
        for each in values
    )

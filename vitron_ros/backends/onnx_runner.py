"""Graphs run by ONNX Runtime, on torch tensors in place: nothing is copied in or out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from vitron_ros.backends.runner import EngineRunner, Limits, TensorSpec, check_inputs
from vitron_ros.errors import EngineError

Provider = Literal["cpu", "cuda", "tensorrt"]
PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider"],
    "tensorrt": ["TensorrtExecutionProvider", "CUDAExecutionProvider"],
}
# Names of ONNX Runtime, and numbers of ONNX, for element types.
DTYPES = {
    "tensor(float)": (torch.float32, 1),
    "tensor(float16)": (torch.float16, 10),
    "tensor(bfloat16)": (torch.bfloat16, 16),
    "tensor(int32)": (torch.int32, 6),
    "tensor(int64)": (torch.int64, 7),
    "tensor(bool)": (torch.bool, 9),
}
ERRORS = 3  # log severity


class OnnxRunner(EngineRunner):
    """Runs an ONNX file.

    Args:
        limits: of each named dimension; None: from 1 up.
        threads: CPU threads of one operation; None: as many as torch uses.

    Raises:
        EngineError: onnxruntime is not installed or lacks the provider, or the file is missing, damaged or has
            dimensions that no input names.
    """

    def __init__(
        self, path: Path, *, provider: Provider = "cpu", limits: Limits | None = None, threads: int | None = None
    ) -> None:
        require_onnxruntime(provider)
        if not path.is_file():
            raise EngineError(f"there is no ONNX file {path}; write it with: python -m engines.export_onnx")
        self._session: Any = open_session(str(path), str(path), provider=provider, threads=threads)
        self._providers = self._session.get_providers()
        if PROVIDERS[provider][0] not in self._providers:
            raise EngineError(
                f"ONNX Runtime fell back to {', '.join(self._providers)}; its {provider} provider found no device"
            )
        self.device = torch.device("cpu" if provider == "cpu" else "cuda")
        self.name = f"onnxruntime {provider}"
        self.inputs = tuple(_spec(value, path) for value in self._session.get_inputs())
        self.outputs = tuple(_spec(value, path) for value in self._session.get_outputs())
        named = {size for spec in self.inputs for size in spec.shape if isinstance(size, str)}
        lost = {size for spec in self.outputs for size in spec.shape if isinstance(size, str)} - named
        if lost:
            raise EngineError(
                f"outputs of {path} have sizes {', '.join(sorted(lost))} that no input has; export it again"
            )
        self.limits: Limits = dict(limits) if limits is not None else dict.fromkeys(named, (1, 2**31 - 1))

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        sizes = check_inputs(self, inputs)
        if self._session is None:
            raise EngineError(f"{self.name} is closed; make a new one")
        binding = self._session.io_binding()
        alive = []  # memory that must live until the run ends
        for spec in self.inputs:
            tensor = inputs[spec.name].detach().contiguous()
            alive.append(tensor)
            binding.bind_input(spec.name, self.device.type, 0, _number(spec), tuple(tensor.shape), tensor.data_ptr())
        outputs = {}
        for spec in self.outputs:
            tensor = outputs[spec.name] = torch.empty(spec.at(sizes), dtype=spec.dtype, device=self.device)
            binding.bind_output(spec.name, self.device.type, 0, _number(spec), tuple(tensor.shape), tensor.data_ptr())
        if self.device.type == "cuda":  # ONNX Runtime works on a stream of its own
            torch.cuda.current_stream().synchronize()
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:
            raise EngineError(f"{self.name} failed: {error}") from error
        binding.synchronize_outputs()
        return outputs

    def close(self) -> None:
        self._session = None


def require_onnxruntime(provider: Provider = "cpu") -> Any:
    """The module onnxruntime, with a provider.

    Raises:
        EngineError: it is not installed, or lacks the provider.
    """
    if provider not in PROVIDERS:
        raise EngineError(f"ONNX Runtime is used with {', '.join(PROVIDERS)}, not {provider!r}")
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineError("ONNX Runtime is not installed: pip install 'vitron_ros[engines]'") from error
    there = onnxruntime.get_available_providers()
    if PROVIDERS[provider][0] not in there:
        raise EngineError(
            f"this ONNX Runtime has {', '.join(there)}, but not {PROVIDERS[provider][0]}; install onnxruntime-gpu"
        )
    return onnxruntime


def open_session(graph: str | bytes, name: str, *, provider: Provider = "cpu", threads: int | None = None) -> Any:
    """A session of a graph in memory, or in a file.

    Args:
        name: of the graph, for messages.
        threads: CPU threads of one operation; None: as many as torch uses.

    Raises:
        EngineError: onnxruntime is not installed or lacks the provider, or cannot load the graph.
    """
    runtime = require_onnxruntime(provider)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = ERRORS
    # A thread that spins while it waits takes a core from the tracker.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return runtime.InferenceSession(graph, options, providers=PROVIDERS[provider])
    except Exception as error:  # its own kinds have no common base
        raise EngineError(f"ONNX Runtime cannot load {name}: {error}; export it again") from error


def _spec(value: Any, path: Path) -> TensorSpec:
    if value.type not in DTYPES:
        raise EngineError(f"{value.name} of {path} is {value.type}; runners take {', '.join(DTYPES)}")
    return TensorSpec(name=value.name, shape=tuple(value.shape), dtype=DTYPES[value.type][0])


def _number(spec: TensorSpec) -> int:
    return next(number for dtype, number in DTYPES.values() if dtype == spec.dtype)

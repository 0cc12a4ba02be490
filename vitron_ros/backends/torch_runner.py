"""Graphs run by torch itself: eager, compiled, or replayed from a CUDA graph."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from vitron_ros.backends.graphs import Graph
from vitron_ros.backends.runner import EngineRunner, check_inputs
from vitron_ros.errors import EngineError

Mode = Literal["eager", "compiled", "cuda_graphs"]
WARM_UPS = 3  # passes before a capture: libraries allocate their workspaces in them


class TorchRunner(EngineRunner):
    """Runs a graph where the weights of its model are.

    compiled: the first run of each number of frames, and of a second one, takes long.
    cuda_graphs: each set of shapes is captured once and replayed after; one launch instead of hundreds.

    Raises:
        EngineError: the mode is unknown, or needs a GPU that is not there.
    """

    def __init__(self, graph: Graph, mode: Mode = "eager") -> None:
        self.device = graph.device
        if mode not in ("eager", "compiled", "cuda_graphs"):
            raise EngineError(f"torch has no mode {mode!r}; there are eager, compiled and cuda_graphs")
        if mode == "cuda_graphs" and self.device.type != "cuda":
            raise EngineError(f"CUDA graphs need a model on a GPU, this one is on {self.device}; use eager or compiled")
        self.name = f"torch {mode} on {self.device.type}"
        self.inputs, self.outputs, self.limits = graph.inputs, graph.outputs, graph.limits
        self._call: Any = torch.compile(graph.module) if mode == "compiled" else graph.module
        self._captures: dict[tuple[tuple[str, int], ...], _TorchGraph] | None = {} if mode == "cuda_graphs" else None

    @torch.inference_mode()
    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        sizes = check_inputs(self, inputs)
        if self._call is None:
            raise EngineError(f"{self.name} is closed; make a new one")
        arguments = [inputs[spec.name] for spec in self.inputs]
        if self._captures is None:
            outputs = self._call(*arguments)
        else:
            key = tuple(sorted(sizes.items()))
            if key not in self._captures:
                self._captures[key] = _TorchGraph(self._call, arguments)
            outputs = self._captures[key].replay(arguments)
        return dict(zip((spec.name for spec in self.outputs), outputs, strict=True))

    def close(self) -> None:
        self._call = None
        if self._captures is not None:
            self._captures.clear()


class _TorchGraph:
    """One CUDA graph and the memory that it reads and writes."""

    def __init__(self, call: Any, arguments: list[Tensor]) -> None:
        self._inputs = [argument.clone() for argument in arguments]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                call(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = call(*self._inputs)

    def replay(self, arguments: list[Tensor]) -> list[Tensor]:
        for held, argument in zip(self._inputs, arguments, strict=True):
            held.copy_(argument)
        self._graph.replay()
        return [output.clone() for output in self._outputs]

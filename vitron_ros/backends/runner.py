"""A runner: one graph of tensors, ready to run. What all backends share.

Only the names, shapes and dtypes of tensors are known here, not what they mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import torch
from torch import Tensor
from typing_extensions import Self

from vitron_ros.errors import EngineError

Sizes = Mapping[str, int]
Limits = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output.

    Attributes:
        shape: a number, or the name of a dimension that varies from run to run.
        below: of an integer input: its values lie in [0, below); a number or the name of a dimension.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: torch.dtype = torch.float32
    below: int | str = 2

    def at(self, sizes: Sizes) -> tuple[int, ...]:
        """The shape with its named dimensions filled in."""
        return tuple(sizes[size] if isinstance(size, str) else size for size in self.shape)


class EngineRunner(Protocol):
    """Runs one graph. A context manager: what it holds on a device is freed at the end. Used by one thread.

    Attributes:
        name: backend and what it runs on, for logs.
        inputs, outputs: in the order of the graph.
        limits: smallest and largest value of each named dimension.
        device: where inputs must lie and outputs come out.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    limits: Limits
    device: torch.device

    @property
    def precision(self) -> torch.dtype:
        """The coarsest of its arithmetic, as its outputs tell; int8: of its products."""
        found = [spec.dtype for spec in self.outputs if spec.dtype.is_floating_point]
        return max(found, key=lambda dtype: torch.finfo(dtype).eps)

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs by name, in memory of their own, for inputs by name.

        Raises:
            EngineError: an input is missing, unknown or of the wrong shape, dtype or device, or the run failed.
        """
        ...

    def close(self) -> None:
        """Frees what the runner holds; a second call does nothing."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_inputs(runner: EngineRunner, inputs: Mapping[str, Tensor]) -> dict[str, int]:
    """The value of each named dimension.

    Raises:
        EngineError: as `EngineRunner.run`.
    """
    names = [spec.name for spec in runner.inputs]
    missing, unknown = [n for n in names if n not in inputs], [n for n in inputs if n not in names]
    if missing or unknown:
        wrong = [f"{', '.join(which)} {what}" for which, what in ((missing, "missing"), (unknown, "unknown")) if which]
        raise EngineError(f"{runner.name} takes the inputs {', '.join(names)}; {'; '.join(wrong)}")
    sizes: dict[str, int] = {}
    for spec in runner.inputs:
        tensor = inputs[spec.name]
        if tensor.dtype != spec.dtype or tensor.device.type != runner.device.type:
            raise EngineError(
                f"{runner.name}: input {spec.name} is {tensor.dtype} on {tensor.device.type}; "
                f"it must be {spec.dtype} on {runner.device.type}"
            )
        fits = tensor.dim() == len(spec.shape)
        for size, expected in zip(tensor.shape, spec.shape, strict=False):
            if isinstance(expected, str):
                fits = fits and sizes.setdefault(expected, size) == size
            else:
                fits = fits and size == expected
        if not fits:
            known = ", ".join(f"{name} = {value}" for name, value in sizes.items())
            raise EngineError(
                f"{runner.name}: input {spec.name} is {tuple(tensor.shape)}; "
                f"it must be ({', '.join(map(str, spec.shape))}){f' with {known}' if known else ''}"
            )
    for name, value in sizes.items():
        low, high = runner.limits[name]
        if not low <= value <= high:
            raise EngineError(f"{runner.name} was built for {name} from {low} to {high}, not {value}")
    return sizes


def random_inputs(specs: Sequence[TensorSpec], sizes: Sizes, seed: int, device: str = "cpu") -> dict[str, Tensor]:
    """Inputs to try a runner with, the same for the same seed: normal noise, and integers in their ranges."""
    generator = torch.Generator().manual_seed(seed)
    inputs = {}
    for spec in specs:
        shape = spec.at(sizes)
        if spec.dtype.is_floating_point:
            value = torch.randn(shape, generator=generator).to(spec.dtype)
        else:
            below = sizes[spec.below] if isinstance(spec.below, str) else spec.below
            value = torch.randint(below, shape, generator=generator, dtype=spec.dtype)
        inputs[spec.name] = value.to(device)
    return inputs

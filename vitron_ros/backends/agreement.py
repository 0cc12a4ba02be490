"""Agreement of two backends: differences of their outputs, and tolerances."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

# Largest difference of one value, in root mean squares of its tensor, by the coarser dtype of the two backends.
TOLERANCE = {torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.8, torch.int8: 2.0}
# Share of selected patches that must be equal: rounding may exchange two patches of nearly the same score.
MIN_SHARED = {torch.float32: 1.0, torch.float16: 0.95, torch.bfloat16: 0.8, torch.int8: 0.7}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One output, compared.

    Attributes:
        largest: absolute difference of the worst value; NaN if either has one.
        relative: that in root mean squares of the reference.
        shared: of indices: share of the patches that both select; else 1.
        is_within: whether it is small enough for its precision.
    """

    name: str
    largest: float
    relative: float
    shared: float
    is_within: bool

    def __str__(self) -> str:
        if self.name == "indices":
            return f"indices: {self.shared:.1%} the same"
        return f"{self.name}: off by {self.largest:.2e} at most, {self.relative:.2e} of its size"


def compare(
    reference: Mapping[str, Tensor], outputs: Mapping[str, Tensor], precision: torch.dtype = torch.float32
) -> list[Difference]:
    """The differences of every output from its reference, the worst first.

    Tokens of frames are compared where both backends selected the same patch. A precision of int8 means products in it.
    """
    reference = {name: value.cpu() for name, value in reference.items()}
    outputs = {name: value.cpu() for name, value in outputs.items()}
    aligned = None
    if "indices" in reference and "tokens" in reference and "indices" in outputs:
        aligned = _common(reference["indices"], outputs["indices"])
    differences = []
    for name, expected in reference.items():
        got = outputs[name]
        if expected.shape != got.shape:
            differences.append(Difference(name=name, largest=torch.nan, relative=torch.nan, shared=0, is_within=False))
        elif not expected.dtype.is_floating_point:
            assert aligned is not None or name != "indices"
            shared = float((expected == got).float().mean()) if name != "indices" else _share(expected, got)
            is_within = shared >= MIN_SHARED[precision]
            differences.append(
                Difference(name=name, largest=0, relative=1 - shared, shared=shared, is_within=is_within)
            )
        else:
            if name == "tokens" and aligned is not None:
                expected, got = expected[aligned[0]], got[aligned[1]]
            differences.append(_distance(name, expected.float(), got.float(), TOLERANCE[precision]))
    return sorted(differences, key=lambda each: (each.is_within, -each.relative))


def _distance(name: str, expected: Tensor, got: Tensor, tolerance: float) -> Difference:
    if expected.numel() == 0:
        return Difference(name=name, largest=0, relative=0, shared=1, is_within=True)
    largest = float((expected - got).abs().max())
    size = float(expected.square().mean().sqrt())
    relative = largest / size if size else float("inf") if largest else 0.0
    return Difference(name=name, largest=largest, relative=relative, shared=1, is_within=relative <= tolerance)


def _common(first: Tensor, second: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Places (frame, rank) of the patches that both (T, K) select, in each."""
    same = first[:, :, None] == second[:, None, :]
    frame, here, there = same.nonzero(as_tuple=True)
    return (frame, here), (frame, there)


def _share(first: Tensor, second: Tensor) -> float:
    return float((first[:, :, None] == second[:, None, :]).any(-1).float().mean())

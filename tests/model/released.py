"""Numbers and prompts that the papers' released code gave, and the weights and inputs that it was given.

`released.json` says which code, at which commit. Weights are waves rather than random numbers, so that they are the
same with any release of torch.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

RELEASED: dict[str, Any] = json.loads(Path(__file__).with_name("released.json").read_text(encoding="utf-8"))


def wave(shape: tuple[int, ...], key: int) -> Tensor:
    """Values in -1..1 without a pattern that a layer could mistake for another."""
    index = torch.arange(math.prod(shape), dtype=torch.float64)
    return (torch.sin(0.37 * (key + 1) * index + key) * torch.cos(0.011 * index * index + key)).reshape(shape).float()


@torch.no_grad()
def with_waves(module: nn.Module, scale: float = 0.3) -> nn.Module:
    """The module with waves as its weights, in the order of their names."""
    for key, (_, weight) in enumerate(sorted(module.named_parameters())):
        weight.copy_(scale * wave(tuple(weight.shape), key))
    return module.eval()

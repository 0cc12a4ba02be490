"""The mean of the weights of several checkpoints, which is often better than each of them ("model soups",
arXiv 2203.05482).
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from vitron_ros.errors import ModelError
from vitron_ros.model.checkpoint import Checkpoint, load_checkpoint


def load_mean(source: Path, others: Sequence[Path]) -> Checkpoint:
    """A checkpoint in float32, its weights averaged with those of others.

    Raises:
        ModelError: a checkpoint cannot be read, or is of another model.
    """
    checkpoint = load_checkpoint(source, dtype=torch.float32)
    average(checkpoint.model, [load_checkpoint(path, dtype=torch.float32).model for path in others])
    return checkpoint


def average(model: nn.Module, others: Sequence[nn.Module]) -> None:
    """Gives a model the mean of its weights and those of others.

    Raises:
        ModelError: another is of another shape.
    """
    weights, *rest = (one.state_dict() for one in (model, *others))
    shapes = {name: weight.shape for name, weight in weights.items()}
    if any({name: weight.shape for name, weight in other.items()} != shapes for other in rest):
        raise ModelError("weights of models of different shapes have no mean; name checkpoints of one model")
    means = {
        name: torch.stack([weight, *(other[name] for other in rest)]).mean(dim=0, dtype=torch.float32)
        for name, weight in weights.items()
        if weight.is_floating_point()
    }  # all, before tied ones change
    model.load_state_dict(means, strict=False)

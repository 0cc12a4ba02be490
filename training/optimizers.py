"""Optimisers: AdamW, or Muon for the matrices between hidden layers and AdamW for all other weights.

Muon orthogonalises the update of a matrix, so that it has full rank rather than a few dominant directions (K. Jordan
2024, https://kellerjordan.github.io/posts/muon). Its updates have the RMS of AdamW's (arXiv 2502.16982), so that one
learning rate serves both.
"""

from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer

from training.config import TrainConfig
from training.training_module import TrainingModule, group_of

BETA1 = 0.9
MOMENTUM = 0.95


class Optimizers:
    """The optimisers of all trainable weights, as one."""

    def __init__(self, module: TrainingModule, config: TrainConfig) -> None:
        self.weights = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        groups: dict[tuple[bool, float, float], list[torch.nn.Parameter]] = defaultdict(list)
        for name, weight in self.weights.items():
            is_embedding = group_of(name.removeprefix("model.")) == "embeddings"
            decay = config.weight_decay if weight.ndim >= 2 and not is_embedding else 0.0
            by_muon = config.optimizer == "muon" and is_hidden_matrix(name, weight)
            groups[by_muon, decay, _lr_scale(name, config)].append(weight)
        adam, muon = (
            [
                {"params": weights, "weight_decay": decay, "lr_scale": lr_scale}
                for (by_muon, decay, lr_scale), weights in groups.items()
                if by_muon is wanted
            ]
            for wanted in (False, True)
        )
        rate = config.learning_rate
        self._all: list[Optimizer] = []
        if adam:
            self._all.append(AdamW(adam, lr=rate, betas=(BETA1, config.beta2)))
        if muon:
            self._all.append(Muon(muon, lr=rate, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"))
        self._of = {
            weight: optimizer
            for optimizer in self._all
            for group in optimizer.param_groups
            for weight in group["params"]
        }

    def step(self, rate: float) -> None:
        """One step at a learning rate; clears the gradients."""
        for optimizer in self._all:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["lr_scale"]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state(self) -> Iterator[tuple[str, str, Tensor]]:
        """The state of each weight after its first step: the name of the weight, that of the value, and the value."""
        for name, weight in self.weights.items():
            for slot, value in self._of[weight].state.get(weight, {}).items():
                yield name, slot, value

    def restore(self, name: str, state: dict[str, Tensor]) -> None:
        """Restores what `state` gave of a weight."""
        weight = self.weights[name]
        self._of[weight].state[weight] = state


def _lr_scale(name: str, config: TrainConfig) -> float:
    if name.startswith("model.vision."):
        return config.vision_lr_scale
    is_query_or_key = name.startswith("model.language.") and name.endswith(("q_proj.weight", "k_proj.weight"))
    return config.qk_lr_scale if is_query_or_key else 1.0


def is_hidden_matrix(name: str, weight: torch.Tensor) -> bool:
    """Whether a weight is a matrix between hidden states of the model: no embedding, head or adapter."""
    inside = name.startswith(("model.vision.layers.", "model.language.model.layers.", "model.projector."))
    return inside and weight.ndim == 2 and "lora_" not in name

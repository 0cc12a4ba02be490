"""Losses of the language stages: cross entropy of text, soft-target cross entropy of coordinates, and a pointer loss.

Shapes: L labelled tokens, V vocabulary, P pointers, N patches, C vision channels, D language channels.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NUMBERS = 101  # coordinates are whole numbers 0..100
FREQUENCIES = 8


def soft_coordinates(sigma: float) -> Tensor:
    """(101, 101) float32: for each coordinate a Gaussian soft target of standard deviation sigma; rows sum to 1.

    A box that is one hundredth off is almost right, which a one-hot target does not say.
    """
    distance = torch.arange(NUMBERS)[:, None] - torch.arange(NUMBERS)[None]
    return torch.softmax(-0.5 * (distance / sigma) ** 2, dim=-1)


def fourier_embeddings(width: int, std: float, generator: torch.Generator) -> Tensor:
    """(101, width) float32: embeddings of the numbers on a smooth curve, with the given standard deviation.

    Sines and cosines of the number at octaves (after arXiv 2006.10739), mixed by a random map.
    """
    value = torch.arange(NUMBERS)[:, None] / (NUMBERS - 1)
    angles = math.pi * value * 2.0 ** torch.arange(FREQUENCIES) / 2
    waves = torch.cat([angles.sin(), angles.cos()], dim=1) / 1.5 ** torch.arange(FREQUENCIES).repeat(2)
    mixed = waves @ torch.randn(2 * FREQUENCIES, width, generator=generator)
    return mixed * (std / mixed.std())


def text_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum of the cross entropies of logits (L, V) at labels (L,)."""
    return F.cross_entropy(logits.float(), labels, reduction="sum")


def coordinate_loss(logits: Tensor, labels: Tensor, number_ids: Tensor, soft: Tensor) -> Tensor:
    """Sum of the cross entropies of logits (L, V) against soft targets.

    Args:
        labels: (L,) int64, number tokens.
        number_ids: (101,) int64, the token of each number.
        soft: (101, 101) from `soft_coordinates`.
    """
    numbers = (labels[:, None] == number_ids).int().argmax(dim=1)
    return -(soft[numbers] * logits.float().log_softmax(-1)[:, number_ids]).sum()


class PointerHead(nn.Module):
    """Which patches a hidden state of the language model refers to. An auxiliary head, not part of the model."""

    def __init__(self, language: int, vision: int, width: int = 128) -> None:
        super().__init__()
        self.query = nn.Linear(language, width)
        self.norm = nn.LayerNorm(vision)
        self.key = nn.Linear(vision, width)

    def forward(self, hidden: Tensor, patches: Tensor, frames: Tensor) -> Tensor:
        """Logits (P, N) of states (P, D) over the patches of their frames: patches (F, N, C), frames (P,)."""
        keys = self.key(self.norm(patches))[frames]
        return torch.einsum("pw,pnw->pn", self.query(hidden), keys).float() / math.sqrt(keys.shape[-1])


def pointer_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum of the cross entropies of logits (P, N) against shares (P, N)."""
    return F.cross_entropy(logits, targets, reduction="sum")

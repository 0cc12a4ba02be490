"""Token selectors: N patches of a frame in, the K tokens that reach the language model out.

Elysium (arXiv 2403.16558) compresses each frame by itself, before the projector, and compares its T-Selector with
concatenation and cross-attention at an equal token count (its Table 7). One class a kind; `build_selector` picks.

Shapes: T frames, N patches, K selected tokens, C channels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitron_ros.model.config import ModelConfig


@dataclass(frozen=True, eq=False)
class Selected:
    """The tokens of T frames.

    Attributes:
        tokens: (T, K, C).
        indices: (T, K) int64, ascending: the selected patches, in raster order; None where tokens are mixtures.
    """

    tokens: Tensor
    indices: Tensor | None


class TokenSelector(Protocol):
    """Chooses tokens. `needs_attention`: the attention of the vision encoder must be passed."""

    needs_attention: bool

    def __call__(self, patches: Tensor, attention: Tensor | None = None) -> Selected:
        """patches (T, N, C); attention (T, heads, 1 + N, 1 + N), the class token first."""
        ...


def top_patches(patches: Tensor, scores: Tensor, count: int) -> Selected:
    """The `count` patches of the highest scores (T, N), in raster order. The choice between equal ones is undefined."""
    order = scores.sort(dim=-1, descending=True).indices  # a stable sort has no ONNX counterpart
    indices = order[:, :count].sort(dim=-1).values
    return Selected(patches.gather(1, indices[..., None].expand(-1, -1, patches.shape[-1])), indices)


class AllPatches(nn.Module):
    """Every patch."""

    needs_attention = False

    def forward(self, patches: Tensor, attention: Tensor | None = None) -> Selected:
        frames, count = patches.shape[:2]
        return Selected(patches, torch.arange(count, device=patches.device).expand(frames, -1))


class PublishedTSelector(nn.Module):
    """The T-Selector of Elysium as its code was released, weights and all.

    A linear map to one score a patch, an N x N map over the patches, softmax, the top K, a plain gather. Tokens are not
    scaled by their score, so no gradient reaches the gate: trained with this forward pass it stays at its initial fixed
    grid. `score_proj` is part of released checkpoints and takes no part in the forward pass.
    """

    needs_attention = False

    def __init__(self, num_patches: int, count: int, width: int) -> None:
        super().__init__()
        self.count = count
        self.pre_proj = nn.Linear(width, 1)
        self.trans_weight = nn.Parameter(torch.zeros(num_patches, num_patches))
        self.trans_bias = nn.Parameter(torch.zeros(num_patches))
        self.score_proj = nn.Linear(num_patches, count)
        stride = max(4, num_patches // count)
        grid = [index for first in range(stride) for index in range(first, num_patches, stride)][:count]
        with torch.no_grad():
            self.trans_bias[grid] = 0.02

    def forward(self, patches: Tensor, attention: Tensor | None = None) -> Selected:
        logits = self.pre_proj(patches).squeeze(-1) @ self.trans_weight + self.trans_bias  # (T, N)
        return top_patches(patches, logits.softmax(dim=-1, dtype=torch.float32), self.count)


class GatedTSelector(nn.Module):
    """Equation 2 of Elysium with a gate that learns.

    A small MLP scores each patch, softmax over the patches, the top K are selected in raster order. Selected tokens
    are multiplied by p / stop_gradient(p): unchanged in the forward pass, while in the backward pass the gate gets a
    gradient through each token (straight-through, Bengio et al., arXiv 1308.3432). Gumbel noise in training explores
    other patches (Kool et al., arXiv 1903.06059).
    """

    needs_attention = False

    def __init__(self, count: int, width: int, gumbel_noise: float) -> None:
        super().__init__()
        self.count, self.gumbel_noise = count, gumbel_noise
        hidden = max(1, width // 4)
        self.gate = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, 1))

    def forward(self, patches: Tensor, attention: Tensor | None = None) -> Selected:
        log_p = self.log_probabilities(patches)
        scores = log_p
        if self.training and self.gumbel_noise:
            scores = log_p - self.gumbel_noise * torch.empty_like(log_p).exponential_().log()
        selected = top_patches(patches, scores.detach(), self.count)
        assert selected.indices is not None
        gate = log_p.gather(1, selected.indices)
        scale = (gate - gate.detach()).exp().to(patches.dtype)  # 1
        return Selected(selected.tokens * scale[..., None], selected.indices)

    def log_probabilities(self, patches: Tensor) -> Tensor:
        """Log-probability of each patch to be selected, (T, N) float32."""
        return self.gate(patches).squeeze(-1).log_softmax(dim=-1, dtype=torch.float32)  # type: ignore[no-any-return]


class AttentionSelector(nn.Module):
    """The patches that get most attention inside the vision encoder, after FoPru's rank strategy (arXiv 2411.14164).

    The significance of a patch is the attention it gets from all tokens, averaged over the heads of the last layer.
    Nothing is trained.
    """

    needs_attention = True

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, patches: Tensor, attention: Tensor | None = None) -> Selected:
        if attention is None:
            raise ValueError("the attention selector needs the attention of the vision encoder")
        return top_patches(patches, attention.mean(dim=(1, 2))[:, 1:], self.count)


class Concatenation(nn.Module):
    """Runs of neighbouring patches side by side in the channels, mapped back to the width (Elysium's "Concat.").

    Run k starts at patch k N / K and has ceil(N / K) patches, so runs cover all patches at any K and meet exactly
    where K divides N.
    """

    needs_attention = False

    def __init__(self, num_patches: int, count: int, width: int) -> None:
        super().__init__()
        self.count, self.run = count, math.ceil(num_patches / count)
        self.mix = nn.Linear(self.run * width, width)

    def forward(self, patches: Tensor, attention: Tensor | None = None) -> Selected:
        n = patches.shape[1]
        starts = torch.arange(self.count, device=patches.device) * n // self.count
        index = (starts[:, None] + torch.arange(self.run, device=patches.device)).clamp(max=n - 1)
        return Selected(self.mix(patches[:, index].flatten(2)), None)


class CrossAttention(nn.Module):
    """One layer of attention from K learned queries to the patches (Elysium's "C.A.")."""

    needs_attention = False

    def __init__(self, count: int, width: int, heads: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, count, width) * width**-0.5)
        self.norm = nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, patches: Tensor, attention: Tensor | None = None) -> Selected:
        memory = self.norm(patches)
        queries = self.queries.expand(patches.shape[0], -1, -1)
        return Selected(self.attend(queries, memory, memory, need_weights=False)[0], None)


class AveragePool(nn.Module):
    """Means over K cells that tile the image: about sqrt(K) rows, each of about sqrt(K) cells."""

    needs_attention = False

    def __init__(self, grid: int, count: int) -> None:
        super().__init__()
        # Made on the CPU even where the model is built on the meta device: no checkpoint holds it.
        self.register_buffer("weights", pool_weights(grid, count), persistent=False)

    def forward(self, patches: Tensor, attention: Tensor | None = None) -> Selected:
        return Selected(self.get_buffer("weights") @ patches, None)


def pool_weights(grid: int, count: int) -> Tensor:
    """(count, grid²) float32, rows sum to 1: the share of each patch in each of `count` cells that tile the grid."""
    rows = min(grid, round(math.sqrt(count)))
    cells = [count * (row + 1) // rows - count * row // rows for row in range(rows)]
    tiles = [
        _overlap(grid, row / rows, (row + 1) / rows)[:, None] * _overlap(grid, cell / width, (cell + 1) / width)
        for row, width in enumerate(cells)
        for cell in range(width)
    ]
    return F.normalize(torch.stack(tiles).flatten(1), p=1, dim=-1).float()


def _overlap(grid: int, low: float, high: float) -> Tensor:
    """Length of each of `grid` unit cells inside [low, high] of the whole, (grid,) float64."""
    edges = torch.arange(grid, device="cpu", dtype=torch.float64)
    return (torch.clamp(edges + 1, max=high * grid) - torch.clamp(edges, min=low * grid)).clamp(min=0)


def build_selector(config: ModelConfig) -> TokenSelector:
    """The selector that a config asks for; an nn.Module."""
    vision, noise = config.vision, config.selector.gumbel_noise
    n, k, width = vision.num_patches, config.tokens_per_frame, vision.hidden_size
    builders: dict[str, Callable[[], TokenSelector]] = {
        "none": AllPatches,
        "published": lambda: PublishedTSelector(n, k, width),
        "gated": lambda: GatedTSelector(k, width, noise),
        "attention": lambda: AttentionSelector(k),
        "concat": lambda: Concatenation(n, k, width),
        "cross_attention": lambda: CrossAttention(k, width, vision.num_heads),
        "pool": lambda: AveragePool(vision.grid, k),
    }
    return builders[config.selector.kind]()

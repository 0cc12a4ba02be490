"""Where the language model looks when it names a place: some heads are shown the visual tokens of the object meant.

A box is copied from the visual token that knows it, and copying begins with looking there. Left to the loss of the
numbers alone, a small model takes thousands of steps to find that out.

Shapes: R rows, S sequence, C model width, H heads, D head width, P pointers, K visual tokens of a frame.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from training.packing import Packs
from vitron_ros.model.language import LanguageModel, Layer, rotate

LOWEST_SHARE = 0.5  # of the greatest share of the object among a frame's tokens, to count as showing it
LOWEST_MASS = 1e-6


def taught_layers(language: LanguageModel) -> tuple[int, ...]:
    """The two layers before the last, which is left to make use of what they saw."""
    count = len(language.model.layers)
    return tuple(range(max(0, count - 3), max(1, count - 1)))


@contextmanager
def layer_inputs(language: LanguageModel, layers: tuple[int, ...]) -> Iterator[dict[int, Tensor]]:
    """The states (R, S, C) that enter some layers, by layer, of the pass made within."""
    seen: dict[int, Tensor] = {}

    def keep(index: int) -> None:
        def hook(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            seen[index] = args[0]

        hooks.append(language.model.layers[index].register_forward_pre_hook(hook))

    hooks: list[torch.utils.hooks.RemovableHandle] = []
    for index in layers:
        keep(index)
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def attention_loss(layer: Layer, states: Tensor, rotary: tuple[Tensor, Tensor], packs: Packs, shown: Tensor) -> Tensor:
    """Sum over pointers of -log of the attention that the first half of a layer's heads gives to the object's tokens.

    Args:
        states: (R, S, C) that enter the layer.
        rotary: cosines and signed sines at the packs' positions.
        shown: (P, S) bool, the visual tokens of each pointer's row that show its object; at least one each.
    """
    attention = layer.self_attn
    heads = max(1, attention.num_heads // 2)
    group = attention.num_heads // attention.num_kv_heads
    x = layer.input_layernorm(states)
    q = rotate(attention.q_proj(x).unflatten(-1, (-1, attention.head_dim))[:, :, :heads], rotary)
    k = rotate(attention.k_proj(x).unflatten(-1, (-1, attention.head_dim))[:, :, : -(-heads // group)], rotary)
    k = k.repeat_interleave(group, dim=2)[:, :, :heads]
    rows, columns, _ = packs.pointers.unbind(1)
    scores = torch.einsum("rqhd,rkhd->rqhk", q.float(), k.float()) / math.sqrt(attention.head_dim)
    scores = scores[rows, columns].masked_fill(~packs.mask()[rows, 0, columns][:, None], -math.inf)  # (P, H, S)
    mass = (scores.softmax(-1) * shown[:, None]).sum(-1)
    return -mass.clamp(min=LOWEST_MASS).log().mean(-1).sum()


def shown_tokens(packs: Packs, indices: Tensor) -> Tensor:
    """(P, S) bool: the visual tokens of each pointer's row that show its object, none where no kept token does.

    Args:
        indices: (frames, K) the patch of each visual token.
    """
    rows, _, frames = packs.pointers.unbind(1)
    shares = packs.pointer_targets.gather(1, indices[frames])  # (P, K)
    is_object = (shares > 0) & (shares >= LOWEST_SHARE * shares.amax(dim=1, keepdim=True))
    kept = indices.shape[1]
    visual = packs.visual[rows]  # (P, S)
    is_here = (visual >= 0) & (visual // kept == frames[:, None])
    return is_here & is_object.gather(1, visual.clamp(min=0) % kept)

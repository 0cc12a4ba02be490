"""Attention of packed questions: a token attends to the prefix of its row and causally to its own question.

In a row of many questions most of dense attention is masked: one question must not see the others. Here each question
is a block of its own, with the keys of its prefix.

Shapes: R rows, S sequence, B blocks of about one length, L tokens of the longest, P tokens of their longest prefix,
H heads, D head width.
"""

from collections.abc import Collection
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

GROUPS = 6  # of blocks by length, so that little is padding

QueriesKeys = tuple[Tensor, Tensor]
"""Rotated queries (R, S, Hq, D) and keys (R, S, Hkv, D) of a layer."""


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Flat token positions: queries (B, L), keys (B, P + L), and the attention mask (B, 1, L, P + L)."""

    queries: Tensor
    keys: Tensor
    mask: Tensor
    is_token: Tensor


class PackedAttention:
    """Attention in all layers of one pass over packed questions, one layer after another.

    Attributes:
        heads: queries and keys of the recorded layers, by number, after the pass.
    """

    def __init__(self, segments: Tensor, recorded: Collection[int] = ()) -> None:
        """
        Args:
            segments: (R, S) int64 of the packs: 0 prefix, 1, 2, ... the question, -1 padding; each in one piece.
            recorded: layers whose queries and keys are recorded.
        """
        self.heads: dict[int, QueriesKeys] = {}
        self._recorded, self._layer = recorded, 0
        blocks = _blocks_of(segments)
        self._sizes = [(group.queries.shape, group.keys.shape) for group in blocks]
        self._masks = [group.mask for group in blocks]
        self._queries, self._keys, is_token = (
            torch.cat([getattr(group, name).flatten() for group in blocks]) for name in ("queries", "keys", "is_token")
        )
        output_index = torch.zeros(segments.numel(), dtype=torch.long, device=segments.device)
        output_index[self._queries[is_token]] = is_token.nonzero().squeeze(1)
        self._output_index = output_index.view_as(segments)

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """As `vitron_ros.model.language.AttentionFunction`; the output at padding is undefined."""
        if self._layer in self._recorded:
            self.heads[self._layer] = q, k
        self._layer += 1
        keys = torch.cat([k, v.to(k.dtype)], dim=2)
        # F.embedding sums gradients faster than indexing.
        queries = F.embedding(self._queries, q.flatten(0, 1).flatten(1))
        keys = F.embedding(self._keys, keys.flatten(0, 1).flatten(1))
        parts = zip(
            torch.split(queries, [size.numel() for size, _ in self._sizes]),
            torch.split(keys, [size.numel() for _, size in self._sizes]),
            self._sizes,
            self._masks,
            strict=True,
        )
        out = []
        # On a CPU attention in float32, as rotated heads are, is faster than in bfloat16.
        with torch.autocast("cpu", enabled=False):
            for query, key_value, (size, key_size), mask in parts:
                q_ = query.view(*size, *q.shape[2:]).transpose(1, 2)
                k_, v_ = key_value.view(*key_size, -1, k.shape[3]).transpose(1, 2).chunk(2, dim=1)
                is_grouped = q.shape[2] != k.shape[2]
                attended = F.scaled_dot_product_attention(q_, k_, v_, attn_mask=mask, enable_gqa=is_grouped)
                out.append(attended.transpose(1, 2).flatten(0, 1).flatten(1))
        return F.embedding(self._output_index, torch.cat(out)).view_as(q)


def _blocks_of(segments: Tensor) -> list[_Blocks]:
    """Prefixes and questions, in groups by length."""
    is_first = (segments >= 0) & (segments != segments.roll(1, dims=1))
    is_first[:, 0] = segments[:, 0] >= 0
    rows, starts = is_first.nonzero().unbind(1)
    names = segments[rows, starts]
    lengths = (segments[rows] == names[:, None]).sum(dim=1)
    prefixes = (segments == 0).sum(dim=1)[rows] * (names != 0)
    groups = []
    for group in lengths.argsort().chunk(GROUPS):
        row, start, length, prefix = (x[group, None] for x in (rows, starts, lengths, prefixes))
        place, before = (torch.arange(int(most.max()), device=segments.device) for most in (length, prefix))
        first = row * segments.shape[1]
        queries = first + start + place.clamp(max=length - 1)
        is_token = place < length
        own = is_token[:, None] & (place[:, None] >= place)
        of_prefix = (before < prefix)[:, None].expand(-1, len(place), -1)
        groups.append(
            _Blocks(
                queries,
                torch.cat([first + before, queries], dim=1),
                torch.cat([of_prefix, own], dim=2)[:, None],
                is_token,
            )
        )
    return groups

"""Attention of packed questions: a token attends to the prefix of its row and to its own question, up to itself.

In a row of many questions most of ordinary attention is spent on what one question may not see of the others. Here
each question is a block of its own, beside the keys of its prefix.

Shapes: R rows, S sequence, B blocks of about one length, L tokens of the longest, P tokens of their longest prefix,
H heads, D head width.
"""

from collections.abc import Collection
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

GROUPS = 6  # of blocks by length, so that little is padding

Heads = tuple[Tensor, Tensor]
"""Turned queries (R, S, Hq, D) and keys (R, S, Hkv, D) of a layer."""


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Places of tokens, row after row: queries (B, L), keys (B, P + L), and who may look at whom, (B, 1, L, P + L)."""

    queries: Tensor
    keys: Tensor
    mask: Tensor
    is_token: Tensor


class PackedAttention:
    """Attention in all layers of one pass over packed questions, one layer after another.

    Attributes:
        heads: of the layers that were asked for, by number, once they have passed.
    """

    def __init__(self, segments: Tensor, kept: Collection[int] = ()) -> None:
        """
        Args:
            segments: (R, S) int64 of the packs: 0 prefix, 1, 2, ... the question, -1 padding; each in one piece.
            kept: layers whose queries and keys are kept.
        """
        self.heads: dict[int, Heads] = {}
        self._kept, self._layer = kept, 0
        blocks = _blocks_of(segments)
        self._sizes = [(group.queries.shape, group.keys.shape) for group in blocks]
        self._masks = [group.mask for group in blocks]
        self._queries, self._keys, is_token = (
            torch.cat([getattr(group, name).flatten() for group in blocks]) for name in ("queries", "keys", "is_token")
        )
        answered = torch.zeros(segments.numel(), dtype=torch.long, device=segments.device)
        answered[self._queries[is_token]] = is_token.nonzero().squeeze(1)
        self._answered = answered.view_as(segments)

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """As `vitron_ros.model.language.Attend`; what padding gets means nothing."""
        if self._layer in self._kept:
            self.heads[self._layer] = q, k
        self._layer += 1
        keys = torch.cat([k, v.to(k.dtype)], dim=2)
        # Embeddings, whose gradients are summed faster than those of indices.
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
        # On a CPU attention in float32, as turned heads are, is faster than in bfloat16.
        with torch.autocast("cpu", enabled=False):
            for asking, asked, (size, size_of_keys), mask in parts:
                q_ = asking.view(*size, *q.shape[2:]).transpose(1, 2)
                k_, v_ = asked.view(*size_of_keys, -1, k.shape[3]).transpose(1, 2).chunk(2, dim=1)
                is_grouped = q.shape[2] != k.shape[2]
                seen = F.scaled_dot_product_attention(q_, k_, v_, attn_mask=mask, enable_gqa=is_grouped)
                out.append(seen.transpose(1, 2).flatten(0, 1).flatten(1))
        return F.embedding(self._answered, torch.cat(out)).view_as(q)


def _blocks_of(segments: Tensor) -> list[_Blocks]:
    """Prefixes and questions, in groups by length."""
    is_first = (segments >= 0) & (segments != segments.roll(1, dims=1))
    is_first[:, 0] = segments[:, 0] >= 0
    rows, starts = is_first.nonzero().unbind(1)
    names = segments[rows, starts]
    lengths = (segments[rows] == names[:, None]).sum(dim=1)
    prefixes = (segments == 0).sum(dim=1)[rows] * (names != 0)
    groups = []
    for chosen in lengths.argsort().chunk(GROUPS):
        row, start, length, prefix = (x[chosen, None] for x in (rows, starts, lengths, prefixes))
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

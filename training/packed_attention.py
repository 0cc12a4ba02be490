"""Attention of packed questions: a token attends to the prefix of its row and causally to its own question.

The language model runs over one sequence, the tokens of all rows of a batch without padding. Most of dense attention
would be masked: one question must not see the others. `BlockAttention` computes each question as a block of its own,
with the keys of its prefix; `FlexAttention` has a fused kernel skip what is masked.

Shapes: R rows, S sequence, T tokens of all rows, B blocks of about one length, L tokens of the longest, P tokens of
their longest prefix, H heads, D head width.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

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


class PackedAttention(Protocol):
    """Attention in all layers of one pass over the tokens of packs.

    Attributes:
        heads: queries and keys of the recorded layers, by number, after the pass.
    """

    heads: dict[int, QueriesKeys]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """As `vitron_ros.model.language.NumberedAttention`, with a batch of one sequence: q (1, T, Hq, D)."""
        ...


def packed_attention(segments: Tensor, recorded: Collection[int] = ()) -> PackedAttention:
    """The fastest attention on the device of the segments; arguments as of `BlockAttention`."""
    return (FlexAttention if segments.is_cuda else BlockAttention)(segments, recorded)


class _Recorder:
    """Keeps queries and keys of some layers in the rows of the packs."""

    def __init__(self, segments: Tensor, recorded: Collection[int]) -> None:
        self.heads: dict[int, QueriesKeys] = {}
        self._is_token = segments >= 0
        self._recorded = recorded

    def _record(self, layer: int, q: Tensor, k: Tensor) -> None:
        if layer in self._recorded:
            self.heads[layer] = in_rows(q, self._is_token), in_rows(k, self._is_token)


def in_rows(tokens: Tensor, is_token: Tensor) -> Tensor:
    """Values (1, T, ...) of all tokens of packs in their rows, (R, S, ...), zeros at padding."""
    rows = tokens.new_zeros(*is_token.shape, *tokens.shape[2:])
    rows[is_token] = tokens[0]
    return rows


class BlockAttention(_Recorder):
    """A block for each question, several of about one length at once: for CPUs."""

    def __init__(self, segments: Tensor, recorded: Collection[int] = ()) -> None:
        """
        Args:
            segments: (R, S) int64 of the packs: 0 prefix, 1, 2, ... the question, -1 padding; each in one piece.
            recorded: layers whose queries and keys are recorded.
        """
        super().__init__(segments, recorded)
        blocks = _blocks_of(segments)
        self._sizes = [(group.queries.shape, group.keys.shape) for group in blocks]
        self._masks = [group.mask for group in blocks]
        in_row, keys_in_row, is_token = (
            torch.cat([getattr(group, name).flatten() for group in blocks]) for name in ("queries", "keys", "is_token")
        )
        number = self._is_token.flatten().cumsum(0) - 1  # of a position of the rows among the tokens
        self._queries, self._keys = number[in_row], number[keys_in_row]
        self._output_index = torch.empty(int(self._is_token.sum()), dtype=torch.long, device=segments.device)
        self._output_index[self._queries[is_token]] = is_token.nonzero().squeeze(1)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self._record(layer, q, k)
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


class FlexAttention(_Recorder):
    """One fused kernel over a block mask (arXiv 2412.05496): for GPUs. On CPUs it has no backward pass."""

    def __init__(self, segments: Tensor, recorded: Collection[int] = ()) -> None:
        """Arguments as of `BlockAttention`."""
        super().__init__(segments, recorded)
        row, _ = self._is_token.nonzero().unbind(1)
        segment = segments[self._is_token]

        def is_seen(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            is_shared = (segment[key] == 0) | (segment[key] == segment[query])
            return (row[key] == row[query]) & is_shared & (key <= query)

        self.mask: BlockMask = create_block_mask(is_seen, None, None, len(row), len(row), device=segments.device)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self._record(layer, q, k)
        kernel = _compiled_flex_attention() if q.is_cuda else flex_attention
        heads = (part.to(v.dtype).transpose(1, 2) for part in (q, k, v))
        out: Tensor = kernel(*heads, block_mask=self.mask, enable_gqa=q.shape[2] != k.shape[2])
        return out.transpose(1, 2)


@cache
def _compiled_flex_attention() -> Any:
    """Without compilation all scores of a layer would be in memory. Lengths differ from batch to batch."""
    return torch.compile(flex_attention, dynamic=True)


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

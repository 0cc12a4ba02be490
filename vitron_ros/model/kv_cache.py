"""The static key-value cache of the language model: allocated once at full size, owned by one object."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from vitron_ros.errors import ModelError

CacheKind = Literal["full", "int8", "fp8"]
QUANTISED_CACHES: dict[CacheKind, tuple[torch.dtype, float]] = {
    "int8": (torch.int8, 127.0),
    "fp8": (torch.float8_e4m3fn, 448.0),
}
"""Types of a byte and the largest number that is stored in each."""
MIN_SCALE = 1e-6


class Span(NamedTuple):
    """Where the tokens of one pass go in the cache, and what they may attend to.

    Attributes:
        start: the first slot, where all rows write the same run of slots; None where rows differ.
        positions: (B, Q) int64, place of each token in its row, for the rotary embedding.
        slots: (B, Q) int64, the slot each token is written to; padding goes to the scrap slot.
        length: attention reads the slots [0, length).
        mask: (B, 1, Q, length) bool, True where a token may attend; None: everywhere.
    """

    start: int | None
    positions: Tensor
    slots: Tensor
    length: int
    mask: Tensor | None


class KVCache:
    """Keys and values of every layer, for a fixed number of rows (requests) and slots (tokens).

    Layout: `keys[layer]` and `values[layer]` are (B, Hkv, capacity + 1, D), contiguous. Token p of row b lies at
    `[b, :, p]`. The last slot is scrap: padding is written there and never read. `lengths[b]` tokens of row b are
    valid. Lengths live on the host, so asking for them never waits for a device.

    Of the kinds int8 and fp8 each number is a byte, and each head of a token has a scale in `dtype`: little more than
    half of the memory in 16 bits, and more work, since what is read is turned back into `dtype`.

        span = cache.prefill(row, count)   # or cache.decode(counts): plan one pass
        ...                                # every layer writes and reads through `update`
        cache.advance(row, count)          # the tokens are now valid
        cache.truncate(row, length)        # or fewer of them are
    """

    def __init__(
        self,
        *,
        layers: int,
        rows: int,
        kv_heads: int,
        capacity: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
        kind: CacheKind = "full",
    ) -> None:
        if kind not in ("full", *QUANTISED_CACHES):
            raise ModelError(f"there is no cache of kind {kind!r}; choose full, {' or '.join(QUANTISED_CACHES)}")
        if rows < 1 or capacity < 1:
            raise ModelError(f"a cache needs at least one row and one slot, not {rows} rows of {capacity}")
        shape = (rows, kv_heads, capacity + 1, head_dim)
        # Zeros, not empty: a NaN left in memory would pass through a masked attention weight of 0.
        stored = dtype if kind == "full" else QUANTISED_CACHES[kind][0]
        self.keys = [torch.zeros(shape, dtype=stored, device=device) for _ in range(layers)]
        self.values = [torch.zeros(shape, dtype=stored, device=device) for _ in range(layers)]
        scaled, scales = 0 if kind == "full" else layers, (*shape[:-1], 1)
        self._key_scales = [torch.zeros(scales, dtype=dtype, device=device) for _ in range(scaled)]
        self._value_scales = [torch.zeros(scales, dtype=dtype, device=device) for _ in range(scaled)]
        self._kind = kind
        self.capacity = capacity
        self.lengths = [0] * rows
        self._slots = torch.arange(capacity + 1, device=device)

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self._tensors())

    def update(self, layer: int, keys: Tensor, values: Tensor, span: Span, row: int = 0) -> tuple[Tensor, Tensor]:
        """Writes one layer's new keys and values, (B, Q, Hkv, D), and gives those to attend to, (B, Hkv, length, D).

        B rows from `row` on are written.
        """
        if self._kind == "full":
            _write(span, row, (self.keys[layer], keys), (self.values[layer], values))
            rows = slice(row, row + len(keys))
            return self.keys[layer][rows, :, : span.length], self.values[layer][rows, :, : span.length]
        return (
            self._exchange(self.keys[layer], self._key_scales[layer], keys, span, row),
            self._exchange(self.values[layer], self._value_scales[layer], values, span, row),
        )

    def _exchange(self, slots: Tensor, scales: Tensor, new: Tensor, span: Span, row: int) -> Tensor:
        """Writes what is new in bytes, and gives what is to be read in the type of the scales."""
        dtype, largest = QUANTISED_CACHES[self._kind]
        scale = (new.abs().amax(-1, keepdim=True) / largest).clamp(min=MIN_SCALE)
        small = new / scale
        small = (small.round() if self._kind == "int8" else small).clamp(-largest, largest).to(dtype)
        _write(span, row, (slots, small), (scales, scale))
        rows = slice(row, row + len(new))
        return slots[rows, :, : span.length].to(scales.dtype) * scales[rows, :, : span.length]

    def _tensors(self) -> tuple[Tensor, ...]:
        return (*self.keys, *self.values, *self._key_scales, *self._value_scales)

    def prefill(self, row: int, count: int) -> Span:
        """Plan of `count` more tokens of one row.

        Raises:
            ModelError: they do not fit.
        """
        start = self.lengths[row]
        self._check_room(row, count)
        positions = self._slots[None, start : start + count]
        mask = None if start == 0 else self._slots[: start + count] <= positions[:, None, :, None]
        return Span(start, positions, positions, start + count, mask)

    def decode(self, counts: Sequence[int], *, width: int | None = None, length: int | None = None) -> Span:
        """Plan of `counts[b]` more tokens of row b, for the first len(counts) rows, padded to `width` tokens a row.

        Args:
            width: tokens a row, with padding; None: the largest count.
            length: slots that attention reads; None: as few as are needed. A compiled step is given both, so that
                its shapes stay the same.

        Raises:
            ModelError: the tokens do not fit.
        """
        for row, count in enumerate(counts):
            self._check_room(row, count)
        starts = self.lengths[: len(counts)]
        if width is None and length is None and len(set(starts)) == len(set(counts)) == 1:
            start, width = starts[0], counts[0]
            positions = self._slots[None, start : start + width].expand(len(counts), -1)
            mask = None if width == 1 else self._slots[: start + width] <= positions[:, None, :, None]
            return Span(start, positions, positions, start + width, mask)
        width = max(counts) if width is None else width
        length = max(start + count for start, count in zip(starts, counts, strict=True)) if length is None else length
        step = self._slots[:width]
        first, count = torch.tensor([starts, list(counts)], device=step.device)[:, :, None]
        positions = torch.where(step < count, first + step, 0)
        slots = torch.where(step < count, positions, self.capacity)
        return Span(None, positions, slots, length, self._slots[:length] <= positions[:, None, :, None])

    def advance(self, row: int, count: int) -> None:
        """Counts the tokens that a pass has written."""
        self._check_room(row, count)
        self.lengths[row] += count

    def truncate(self, row: int, length: int) -> None:
        """Forgets the tokens of a row from `length` on."""
        if not 0 <= length <= self.lengths[row]:
            raise ModelError(f"row {row} holds {self.lengths[row]} tokens and cannot be cut to {length}")
        self.lengths[row] = length

    def copy_prefix(self, source: int, target: int, length: int) -> None:
        """Makes the first `length` tokens of `source` the content of row `target`."""
        if not 0 <= length <= self.lengths[source]:
            raise ModelError(f"row {source} holds {self.lengths[source]} tokens, fewer than {length}")
        for tensor in self._tensors():
            tensor[target, :, :length] = tensor[source, :, :length]
        self.lengths[target] = length

    def reset(self) -> None:
        """Forgets everything. Nothing is allocated or freed."""
        self.lengths = [0] * len(self.lengths)

    def _check_room(self, row: int, count: int) -> None:
        if self.lengths[row] + count > self.capacity:
            raise ModelError(
                f"the context is full: {self.lengths[row]} tokens and {count} more exceed its {self.capacity}; "
                "send fewer frames or shorter text, or build the decoder with a larger capacity"
            )


def _write(span: Span, row: int, *pairs: tuple[Tensor, Tensor]) -> None:
    """Puts new numbers (B, Q, Hkv, D) in their places of (rows, Hkv, capacity + 1, D)."""
    batch, width = pairs[0][1].shape[:2]
    rows = None if span.start is not None else torch.arange(row, row + batch, device=span.slots.device)[:, None]
    for slots, new in pairs:
        if slots.dtype == torch.float8_e4m3fn:  # which torch cannot index
            slots, new = slots.view(torch.uint8), new.view(torch.uint8)
        if span.start is not None:
            slots[row : row + batch, :, span.start : span.start + width] = new.transpose(1, 2)
        else:
            slots[rows, :, span.slots] = new

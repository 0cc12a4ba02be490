"""Which record of which set comes at which place of a run: stated shares, every record once an epoch, and no state.

A place is a number that counts all records of a run. The record there depends on it, the seed, the shares and the
sizes alone, so any number of processes or a resumed run sees the same ones.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK = 1000  # places in which every set has exactly its share
ROUNDS = 4


class Place(NamedTuple):
    """Which record is at a place: the number of its set, and its number there."""

    set: int
    record: int


class Mixture:
    """Sets of records in stated shares."""

    def __init__(self, shares: Sequence[float], sizes: Sequence[int], seed: int) -> None:
        """
        Args:
            shares: of each set, of their sum; a set has one place of a block at least.
            sizes: records of each set, one at least.
        """
        self._sizes, self._seed = tuple(sizes), seed
        self._counts = block_counts(shares)
        self._block = lru_cache(maxsize=4)(self._make_block)

    def __getitem__(self, number: int) -> Place:
        block, position = divmod(number, BLOCK)
        order = self._block(block)
        chosen = int(order[position])
        earlier = int((order[:position] == chosen).sum())
        drawn = block * self._counts[chosen] + earlier  # records of the set before this one
        epoch, place = divmod(drawn, self._sizes[chosen])
        return Place(chosen, shuffled(place, self._sizes[chosen], f"{self._seed}/{chosen}/{epoch}"))

    def _make_block(self, block: int) -> NDArray[np.int64]:
        rng = np.random.Generator(np.random.PCG64([self._seed, block, len(self._counts)]))
        return rng.permutation(np.repeat(np.arange(len(self._counts)), self._counts))


def block_counts(shares: Sequence[float]) -> list[int]:
    """Places of each set in a block, by largest remainder, one at least."""
    total = sum(shares)
    exact = [share / total * (BLOCK - len(shares)) for share in shares]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(len(shares)), key=lambda number: counts[number] - exact[number])
    for number in by_remainder[: BLOCK - len(shares) - sum(counts)]:
        counts[number] += 1
    return [count + 1 for count in counts]


def shuffled(place: int, size: int, key: str) -> int:
    """Where a permutation of 0 .. size - 1 takes a place.

    A Feistel network over the next power of four, walked until it is inside: millions of records need no table.
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = place >> half, place & mask
        for number in range(ROUNDS):
            digest = hashlib.blake2b(f"{key}/{number}/{right}".encode(), digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(digest, "big") & mask)
        place = left << half | right
        if place < size:
            return place

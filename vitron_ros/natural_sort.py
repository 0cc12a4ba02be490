"""The order of numbered files: frame_2.png comes before frame_10.png, padded with zeros or not."""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

_Number = tuple[int, str]
_DECIMAL = re.compile(r"(\d+)\.(\d+)")
_ENDING = re.compile(r"\.[A-Za-z]\w*$")


def natural_sorted(paths: Iterable[Path]) -> list[Path]:
    """Paths in the order of their names, folder by folder, each run of digits compared by its value, capitals or not.

    A name that is one decimal number counts as such, as where images are named by their time: 9.25.png, 9.5.png,
    10.0.png.
    """
    return sorted(paths, key=lambda path: ([_key(part) for part in path.parts], path))


@lru_cache(maxsize=1 << 14)  # the folders of a set and the numbers of its frames come again and again
def _key(name: str) -> tuple[list[str | _Number], str]:
    ending = _ENDING.search(name)
    stem = name[: ending.start()] if ending else name
    decimal = _DECIMAL.fullmatch(stem)
    if decimal:
        return ["", (int(decimal[1]), decimal[2]), ""], name
    words = re.split(r"(\d+)", stem)  # text and digits in turn, so like meets like
    return [(int(word), "") if place % 2 else word.casefold() for place, word in enumerate(words)], name

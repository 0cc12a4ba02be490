"""Numbers on a command line with their range: `add_argument("--rows", type=whole(1))`. Others are errors of usage."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import TypeVar

MOST = 2**31 - 1
T = TypeVar("T", int, float)


def whole(low: int, high: int = MOST) -> Callable[[str], int]:
    """Reads a whole number from low to high."""
    return lambda text: _read(text, int, "whole number", low, high)


def number(low: float, high: float = MOST) -> Callable[[str], float]:
    """Reads a number from low to high, neither NaN nor infinite."""
    return lambda text: _read(text, float, "number", low, high)


def numbers(*names: str) -> Callable[[str], list[float]]:
    """Reads one finite number for each name, with commas between them."""

    def read(text: str) -> list[float]:
        words = text.split(",")
        if len(words) != len(names):
            raise ArgumentTypeError(f"{text!r} must be {len(names)} numbers {','.join(names)} with commas between them")
        return [number(-MOST)(word) for word in words]

    return read


def _read(text: str, kind: type[T], name: str, low: T, high: T) -> T:
    try:
        value = kind(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a {name}") from None
    if not low <= value <= high:  # NaN is in no range
        limits = f"from {low} to {high}" if high < MOST else f"at least {low}"
        raise ArgumentTypeError(f"{value} is out of range; it must be {limits}")
    return value

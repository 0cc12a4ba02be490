"""What a metric refuses: arrays of different lengths, empty ones, values that are not finite."""

from collections.abc import Sized

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitron_ros.errors import MetricError

Flags = NDArray[np.bool_]
Values = NDArray[np.float64]


def same_length(**named: Sized) -> int:
    """The common length of the arguments, which are named in the error.

    Raises:
        MetricError: they differ, or are empty.
    """
    lengths = {name: len(value) for name, value in named.items()}
    if len(set(lengths.values())) > 1:
        raise MetricError(f"different lengths: {_listed(lengths)}; give one for each, nothing is cut or padded")
    if not all(lengths.values()):
        raise MetricError(f"nothing to score: {' and '.join(lengths)} are empty")
    return next(iter(lengths.values()))


def finite(values: ArrayLike, name: str, shape: tuple[int | None, ...]) -> Values:
    """The values as float64; None in `shape` stands for any length but 0.

    Raises:
        MetricError: another shape, empty, NaN or infinite.
    """
    array = np.asarray(values, np.float64)
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=False)
    )
    if not fits or not array.size:
        wanted = ", ".join("n" if length is None else str(length) for length in shape)
        raise MetricError(f"{name} has shape {array.shape}, not ({wanted})")
    if not np.isfinite(array).all():
        at = np.argwhere(~np.isfinite(array))[0].tolist()
        raise MetricError(f"{name} has {(~np.isfinite(array)).sum()} values that are not finite, the first at {at}")
    return array


def _listed(lengths: dict[str, int]) -> str:
    return ", ".join(f"{name} {length}" for name, length in lengths.items())

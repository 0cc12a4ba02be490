"""Timing on a shared machine: runs are interleaved, so that load from others affects all alike."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch


def synchronise(device: torch.device) -> None:
    """Waits for what was started on a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def interleaved(runs: Mapping[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each run over the rounds, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for index in range(rounds + 1):
        for name, run in runs.items():
            synchronise(device)
            start = time.perf_counter()
            run()
            synchronise(device)
            if index:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def read_bandwidth(nbytes: int, device: torch.device, seconds: float = 0.5) -> float:
    """Bytes a second at which a buffer is read over and over, as weights are: the best of many."""
    buffer = torch.ones(max(1, nbytes // 4), device=device)
    return nbytes / _best(lambda: torch.dot(buffer, buffer), device, seconds)


def matrix_rate(dtype: torch.dtype, device: torch.device, seconds: float = 1.0) -> float:
    """Operations a second of a large square product: the ceiling of prefill and of the vision encoder."""
    size = 8192 if device.type == "cuda" else 1024
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / _best(lambda: left @ right, device, seconds)


def _best(run: Callable[[], object], device: torch.device, seconds: float) -> float:
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        synchronise(device)
        start = time.perf_counter()
        run()
        synchronise(device)
        best = min(best, time.perf_counter() - start)
    return best

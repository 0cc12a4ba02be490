"""Runs training commands in several processes on this machine, as torchrun does, through a file instead of a port."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SCRIPT = """
import sys
from datetime import timedelta
import torch
torch.set_num_threads(1)
store, rank, size, *words = sys.argv[1:]
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{store}", rank=int(rank), world_size=int(size), timeout=timedelta(seconds=60)
)
from training.train import main
sys.exit(main(words))
"""


def start(store: Path, count: int, words: Sequence[str]) -> list[subprocess.Popen]:
    """Starts `python -m training.train` with these words in each of `count` processes.

    Args:
        store: a file, not there yet, through which they find each other.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(store), str(rank), str(count), *words],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(count)
    ]  # fmt: skip


def finish(processes: Sequence[subprocess.Popen], timeout_s: float = 120) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each."""
    try:
        said = [process.communicate(timeout=timeout_s) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]

"""Training processes, forked from one that has imported all they need: an import takes longer than these runs."""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from training.launch import LOOPBACK, rank_environment
from training.train import main

SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(["training.stages"])


def start(words: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> BaseProcess:
    """`python -m training.train` with these words in a process of its own, which begins in this folder.

    What it prints is in out.txt there, and in err.txt, or in those of its rank.
    """
    process = SERVER.Process(target=_train, args=(list(words), folder, environment or {}))
    process.start()
    return process


def train(words: Sequence[str], folder: Path, count: int, timeout_s: float = 150) -> tuple[str, str]:
    """Runs the command in `count` processes that meet as those of `launch`; what the first printed, and said."""
    with tempfile.TemporaryDirectory() as meeting:
        store = Path(meeting, "store")
        ranks = [start(words, folder, rank_environment(rank, count, store)) for rank in range(count)]
        end = time.monotonic() + timeout_s
        try:
            while any(rank.is_alive() for rank in ranks) and not any(rank.exitcode for rank in ranks):
                assert time.monotonic() < end, "the processes do not end"
                time.sleep(0.02)
        finally:
            for rank in ranks:
                rank.kill()
                rank.join()
    out, said = ((folder / f"{name}-0.txt").read_text() for name in ("out", "err"))
    assert [rank.exitcode for rank in ranks] == [0] * count, said[-3000:]
    return out, said


def _train(words: list[str], folder: Path, environment: dict[str, str]) -> None:
    os.chdir(folder)
    os.environ.update({**LOOPBACK, **environment})
    torch.set_num_threads(1)
    for name, descriptor in (("out", 1), ("err", 2)):
        with Path(f"{name}-{environment.get('RANK', 0)}.txt").open("wb") as file:
            os.dup2(file.fileno(), descriptor)
    sys.exit(main(words))

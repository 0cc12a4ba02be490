"""Training processes, forked from one that has imported all they need: an import takes longer than these runs."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

import torch

from training.launch import LOOPBACK, rank_environment
from training.train import main

Death = Literal["while it writes", "when it has written"]

SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(["training.stages"])


def start(
    words: Sequence[str], folder: Path, environment: dict[str, str] | None = None, *, dies: Death | None = None
) -> BaseProcess:
    """`python -m training.train` with these words in a process of its own, which begins in this folder.

    What it prints is in out.txt there, and in err.txt, or in those of its rank.

    Args:
        dies: when it kills itself; whoever watches it for that may look too late.
    """
    process = SERVER.Process(target=_train, args=(list(words), folder, environment or {}, dies))
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


def _die(when: Death) -> None:
    """SIGKILL, once it writes a checkpoint, or begins the next one after that."""
    has_written = False

    def look(event: str, values: tuple[object, ...]) -> None:
        nonlocal has_written
        if event in ("os.mkdir", "os.rename") and "unfinished-" in str(values[0]):
            if has_written or (event, when) == ("os.rename", "while it writes"):
                os.kill(os.getpid(), signal.SIGKILL)
            has_written = event == "os.rename"

    sys.addaudithook(look)


def _train(words: list[str], folder: Path, environment: dict[str, str], dies: Death | None) -> None:
    if dies is not None:
        _die(dies)
    os.chdir(folder)
    os.environ.update({**LOOPBACK, **environment})
    torch.set_num_threads(1)
    for name, descriptor in (("out", 1), ("err", 2)):
        with Path(f"{name}-{environment.get('RANK', 0)}.txt").open("wb") as file:
            os.dup2(file.fileno(), descriptor)
    sys.exit(main(words))

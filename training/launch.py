"""Starts a process for each GPU of this machine; on several machines torchrun does that. They meet through a file."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from training.errors import TrainingError

STORE = "VITRON_TRAINING_STORE"  # environment variable: where the processes meet
LAUNCHER = "VITRON_TRAINING_LAUNCHER"  # environment variable: the process that started them
PR_SET_PDEATHSIG = 1  # of prctl(2)
PATIENCE_S = 30  # that the others have to end, once one has failed
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}


def launch(words: Sequence[str], count: int) -> int:
    """Runs `python -m training.train` with these words in `count` processes; returns the exit code.

    The first one writes to this terminal. SIGTERM is passed on, after which they end with a checkpoint, as they do
    where this process is killed.

    Raises:
        TrainingError: a process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder, f"{rank}.txt") for rank in range(count)]
        processes = [_start(words, rank, count, Path(folder, "store"), said[rank]) for rank in range(count)]
        before = signal.signal(signal.SIGTERM, lambda *_: _signal(processes, signal.SIGTERM))
        try:
            while (failed := _failed(processes)) is None and any(process.poll() is None for process in processes):
                time.sleep(0.05)
            _wait(processes, PATIENCE_S if failed is not None else None)
        finally:
            _signal(processes, signal.SIGKILL)
            signal.signal(signal.SIGTERM, before)
        if failed is None:
            return 0
        code = processes[failed].returncode
        if code < 0:
            reason = f"was killed by {signal.Signals(-code).name}"
        elif failed:
            reason = f"failed: {(said[failed].read_text(encoding='utf-8').splitlines() or ['it said nothing'])[-1]}"
        else:
            return int(code)  # it has said why
        raise TrainingError(f"process {failed} of {count} {reason}; the same command resumes at the last checkpoint")


def rank_environment(rank: int, count: int, store: Path) -> dict[str, str]:
    """What tells one of `count` processes which it is, and the file through which they meet."""
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count}
    return {STORE: f"file://{store}", **{name: str(number) for name, number in numbers.items()}}


def is_one_of_several() -> bool:
    """Whether `launch` or torchrun started this process, as one of a run's."""
    return any(name in os.environ for name in (STORE, "TORCHELASTIC_RUN_ID"))


def end_with_launcher() -> None:
    """Has this process get SIGTERM when the one that started it ends, even if that is killed.

    Raises:
        TrainingError: that has ended already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.environ.get(LAUNCHER, str(os.getppid())) != str(os.getppid()):
        raise TrainingError("the command that started this process has ended; start it again")


def _start(words: Sequence[str], rank: int, count: int, store: Path, said: Path) -> subprocess.Popen[bytes]:
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count))}
    own = {LAUNCHER: str(os.getpid()), **rank_environment(rank, count, store)}
    environment = {**LOOPBACK, **threads, **os.environ, **own}
    with said.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "training.train", *words], env=environment, stderr=file if rank else None
        )


def _failed(processes: Sequence[subprocess.Popen[bytes]]) -> int | None:
    """The process that failed first; of several one that was killed, since others then lose their connection."""
    codes = {rank: code for rank, process in enumerate(processes) if (code := process.poll())}
    return min(codes, key=lambda rank: codes[rank], default=None)


def _wait(processes: Sequence[subprocess.Popen[bytes]], patience_s: float | None) -> None:
    end = None if patience_s is None else time.monotonic() + patience_s
    for process in processes:
        try:
            process.wait(None if end is None else max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            return


def _signal(processes: Sequence[subprocess.Popen[bytes]], number: signal.Signals) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)

"""What a process uses, seen from outside: /proc of Linux."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessUsage:
    """A process at one moment.

    Attributes:
        cpu_s: processor time that it has used, user and system.
        resident_mb: memory in use, with what it shares: libraries and the segments of DDS.
        heap_mb: memory that it allocated itself, swapped out or not; what leaks grows here.
        files: open ones, sockets and pipes included.
        shared: the names of the files in /dev/shm that it has mapped.
    """

    cpu_s: float
    resident_mb: float
    heap_mb: float
    threads: int
    files: int
    shared: frozenset[str]


def process_usage(pid: int) -> ProcessUsage:
    """Raises OSError if there is no such process, or it is not the user's."""
    folder = Path(f"/proc/{pid}")
    status = {name: words for name, _, words in (line.partition(":") for line in _lines(folder / "status"))}
    maps = (line.split(maxsplit=5) for line in _lines(folder / "maps"))
    return ProcessUsage(
        cpu_s=cpu_s(pid),
        resident_mb=_mb(status["VmRSS"]),
        heap_mb=_mb(status["RssAnon"]) + _mb(status["VmSwap"]),
        threads=int(status["Threads"]),
        files=len(list((folder / "fd").iterdir())),
        shared=frozenset(words[5] for words in maps if len(words) == 6 and words[5].startswith("/dev/shm/")),
    )


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, user and system."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def processor() -> str:
    """Its name, e.g. "Intel(R) Xeon(R) Processor @ 2.80GHz"."""
    try:
        lines = _lines(Path("/proc/cpuinfo"))
    except OSError:  # not on Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> str:
    """For a report: the processor, the cores that this process may use, and how busy they are."""
    cores = f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores"
    return f"{processor()}, {cores}, load {os.getloadavg()[0]:.1f} at the start"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _mb(words: str) -> float:
    return int(words.split()[0]) / 1024

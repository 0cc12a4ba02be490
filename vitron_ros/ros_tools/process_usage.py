"""What a process uses, seen from outside."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil

MB = 2**20


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
    """Raises psutil.Error if there is no such process, or it is not the user's."""
    process = psutil.Process(pid)
    memory = process.memory_full_info()
    return ProcessUsage(
        cpu_s=cpu_s(pid),
        resident_mb=memory.rss / MB,
        heap_mb=(memory.rss - memory.shared + memory.swap) / MB,
        threads=process.num_threads(),
        files=process.num_fds(),
        shared=frozenset(item.path for item in process.memory_maps() if item.path.startswith("/dev/shm/")),
    )


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, user and system."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def processor() -> str:
    """Its name, e.g. "Intel(R) Xeon(R) Processor @ 2.80GHz"."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not on Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> str:
    """For a report: the processor, the cores that this process may use, and how busy they are."""
    cores = f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores"
    return f"{processor()}, {cores}, load {os.getloadavg()[0]:.1f} at the start"

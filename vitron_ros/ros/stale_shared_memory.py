"""Shared memory of processes that were killed, which Fast DDS keeps until somebody frees it. Needs no ROS.

A node with the shipped profile leaves 64 MiB each time: a launcher that restarts one again and again would fill
/dev/shm, and then nobody gets any.
"""

import fcntl
import re
import time
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
SEGMENT = re.compile(r"(fastdds|fastrtps)_[0-9a-f]{16}")
LOCK_SUFFIX = "_el"
MIN_AGE_S = 2.0  # a process that starts makes the lock's file first and locks it then


def stale_segments(folder: Path = SHARED_MEMORY) -> list[Path]:
    """The Fast DDS segments in `folder` whose process is gone.

    Beside a segment lies a file that its process keeps locked for life. The lock is tried rather than looked up in
    /proc/locks, where those of other containers are missing.
    """
    return [
        segment
        for lock in folder.glob(f"*{LOCK_SUFFIX}")
        if SEGMENT.fullmatch((segment := lock.with_name(lock.name.removesuffix(LOCK_SUFFIX))).name)
        and segment.is_file()
        and _is_free(lock)
    ]


def free_stale_segments(folder: Path = SHARED_MEMORY) -> int:
    """Bytes of the segments that were removed: all that this user may remove."""
    freed = 0
    for segment in stale_segments(folder):
        try:
            size = size_bytes(segment)
            segment.unlink()
            segment.with_name(segment.name + LOCK_SUFFIX).unlink()
        except OSError:  # another user's, or another process was quicker
            continue
        freed += size
    return freed


def size_bytes(segment: Path) -> int:
    """That a segment really takes; its file may be longer."""
    return segment.stat().st_blocks * 512


def _is_free(lock: Path) -> bool:
    try:
        if time.time() - lock.stat().st_mtime < MIN_AGE_S:
            return False
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked, another user's, or gone
        return False
    return True

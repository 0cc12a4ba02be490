"""What killed processes leave in shared memory is found and freed; what anybody uses stays."""

import fcntl
import os
import time

import pytest

from vitron_ros.ros.stale_shared_memory import free_stale_segments, size_bytes, stale_segments

DEAD = ("fastdds_00000000000000dd", "fastrtps_00000000000000dd")
ALIVE = "fastdds_00000000000000aa"
STARTING = "fastdds_00000000000000ee"
OTHERS = ("fastdds_port7412", "fastdds_00000000000000dd_copy", "sem.fastdds_port7412_mutex")


@pytest.fixture
def folder(tmp_path):
    """A /dev/shm with segments of two killed processes, of one that runs and of one that is about to."""
    for name in (*DEAD, ALIVE, STARTING, *OTHERS):
        (tmp_path / name).write_bytes(bytes(8192))
        (tmp_path / f"{name}_el").touch()
        age_s = -600 if name == STARTING else 60  # it starts, however long the test takes
        os.utime(tmp_path / f"{name}_el", (time.time() - age_s,) * 2)
    with (tmp_path / f"{ALIVE}_el").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield tmp_path


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_segments_whose_lock_nobody_holds_are_leftovers(folder):
    assert {segment.name for segment in stale_segments(folder)} == set(DEAD)


def test_leftovers_are_freed_with_their_locks_and_nothing_else_is(folder):
    before, sizes = names(folder), sum(size_bytes(folder / name) for name in DEAD)
    assert free_stale_segments(folder) == sizes > 0
    assert before - names(folder) == {*DEAD, *(f"{name}_el" for name in DEAD)}
    assert free_stale_segments(folder) == 0


def test_what_may_not_be_removed_is_left(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(path)

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    before = names(folder)
    assert free_stale_segments(folder) == 0
    assert names(folder) == before


def test_a_machine_without_shared_memory_has_none(tmp_path):
    assert free_stale_segments(tmp_path / "shm") == 0

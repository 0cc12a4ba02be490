"""Pointers of Git LFS: what a clone without `git lfs` holds in the place of large files."""

from pathlib import Path

START = b"version https://git-lfs.github.com/spec/"


def lfs_problem(path: Path) -> str:
    """Says that a file is a pointer, for a person; empty: it is none, or cannot be opened."""
    try:
        with path.open("rb") as file:
            is_pointer = file.read(len(START)) == START
    except (OSError, ValueError):
        return ""
    return f"{path} is a pointer of Git LFS, not the file itself; fetch it: git lfs pull" if is_pointer else ""

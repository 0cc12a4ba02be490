"""What predictions depend on, as hashes: the code, the settings and the data. Where one differs, they are stale."""

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vitron_ros.backends.manifest import sha256
from vitron_ros.home_folder import expanded

DIGITS = 16
PACKAGE = Path(__file__).parents[1]
LIBRARIES = ("numpy", "opencv-contrib-python-headless", "torch", "transformers")


def library_versions() -> dict[str, str]:
    """Of the libraries that results depend on; an empty text: not installed with pip."""
    return {name: _version(name) for name in LIBRARIES}


@cache
def code_hash() -> str:
    """Of every source and settings file of the package, and of the versions of those libraries."""
    digest = hashlib.sha256(json.dumps(library_versions()).encode())
    for path in sorted(path for suffix in ("py", "yaml") for path in PACKAGE.rglob(f"*.{suffix}")):
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:DIGITS]


def settings_hash(settings: Mapping[str, str], folders: Iterable[Path] = ()) -> str:
    """Of the settings, and of the files in those folders and in each that a value names after a colon."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    named = (expanded(value.partition(":")[2]) for value in settings.values() if ":" in value)
    for folder in (*folders, *(path for path in named if path.is_dir())):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(f"{path.relative_to(folder)} {sha256(path)}\0".encode())
    return digest.hexdigest()[:DIGITS]


def data_hash(items: Iterable[tuple[str, Sequence[Path], bytes]]) -> str:
    """Of named samples: the name and size of every file, and the truth. Files are not opened, and may be missing."""
    digest = hashlib.sha256()
    for name, paths, truth in items:
        digest.update(f"{name}\0{len(truth)}\0".encode())
        digest.update(truth)
        for path in paths:
            size = path.stat().st_size if path.exists() else "missing"
            digest.update(f"{path.name} {size}\0".encode())
    return digest.hexdigest()[:DIGITS]


def short_hash(value: object) -> str:
    """Of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:DIGITS]


def commit() -> str | None:
    """The commit that the package is checked out at; None: it is installed, or there is no git.

    Asked for one of its files, too, since the package may be installed inside somebody else's repository.
    """
    try:
        answer = subprocess.run(
            ["git", "-C", str(PACKAGE), "rev-parse", "HEAD:./__init__.py", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.split()[-1] if answer.returncode == 0 else None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""

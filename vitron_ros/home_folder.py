"""A person's home folder: shells leave "~" as it is in `model:=~/folder` and `--tracker sam2:~/folder`."""

from pathlib import Path


def expanded(path: str | Path) -> Path:
    """The path with a home folder in the place of its "~"; as it is where there is no such person."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)

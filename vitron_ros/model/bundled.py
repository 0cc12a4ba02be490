"""Checkpoints that the package brings along."""

from pathlib import Path

from vitron_ros.model.files import is_file

ASSETS = Path(__file__).parents[1] / "assets"


def is_bundled(name: str) -> bool:
    return is_file(ASSETS / name / "config.json")

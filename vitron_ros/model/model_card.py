"""What a directory of a published model says of itself: its name, and the licence on its card."""

from pathlib import Path

from vitron_ros.errors import ConfigError
from vitron_ros.model.files import is_file
from vitron_ros.yaml_file import parse_yaml


def name_of(directory: Path) -> str:
    """The name of a directory, or the hub id of one in the hub's cache."""
    repository = directory.parent.parent.name
    if directory.parent.name == "snapshots" and repository.startswith("models--"):
        return repository.removeprefix("models--").replace("--", "/", 1)
    return directory.resolve().name


def licence_of(directory: Path) -> str:
    """The licence that a directory's model card names at its head; empty: there is no card, or it names none."""
    card = directory / "README.md"
    if not is_file(card):
        return ""
    try:
        _, mark, rest = card.read_text(encoding="utf-8", errors="replace").partition("---\n")
        head = parse_yaml(rest.partition("\n---")[0], str(card)) if mark else None
    except (OSError, ConfigError):
        return ""
    licence = head.get("license", "") if isinstance(head, dict) else ""
    return licence if isinstance(licence, str) else ""

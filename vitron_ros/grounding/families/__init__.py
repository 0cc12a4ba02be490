"""Families of models, a file each, chosen by the `model_type` of a directory's config.json.

A family's class makes a `LanguageVision`, see `Family.load`. torch and transformers are imported with it, not before.
"""

from importlib import import_module
from pathlib import Path
from typing import Protocol

from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.model.files import is_file, quoted, read_json

OURS = "vitron"  # of a config.json in the layout of `vitron models convert`, which names no model_type
_GROUNDER = "vitron_ros.grounding.grounder:Grounder"
FAMILIES = {
    OURS: _GROUNDER,
    "elysium": _GROUNDER,
    "llava": _GROUNDER,
}
"""By model_type: the module and the class."""


class Family(Protocol):
    """How a model is loaded."""

    def load(self, source: str | Path, run: ModelRun) -> LanguageVision:
        """The model in a directory, on a device.

        Raises:
            ConfigError: a setting of the run is not for this family.
            ModelError: a file is missing or damaged, or the device cannot hold it.
        """
        ...


def family_of(directory: Path) -> Family:
    """The family of a model's directory.

    Raises:
        ModelError: its config.json cannot be read, or is of a type that no family takes.
    """
    path = directory / "config.json"
    kind = read_json(path).get("model_type", OURS) if is_file(path) else OURS
    if not isinstance(kind, str) or kind not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise ModelError(f"{directory} holds a model of type {quoted(kind)}; the types that run here are {known}")
    module, _, name = FAMILIES[kind].partition(":")
    family: Family = getattr(import_module(module), name)
    return family


def is_address(name: str) -> bool:
    """Whether a model's name is the address of a server."""
    return name.lower().startswith(("http://", "https://"))

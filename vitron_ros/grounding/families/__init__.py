"""Families of models, a file each, chosen by the `model_type` of a directory's config.json.

A family's class makes a `LanguageVision`, see `Family.load`. torch and transformers are imported with it, not before.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.model.files import is_file, quoted, read_json
from vitron_ros.model.pipeline_layout import MODEL_INDEX
from vitron_ros.module_registry import SEGMENTERS_BY_WORDS

OURS = "vitron"  # of a config.json in this project's layout, which names no model_type
_GROUNDER = "vitron_ros.grounding.grounder:Grounder"
_GROUNDING_DINO = "vitron_ros.grounding.families.grounding_dino:GroundingDino"
_OWL = "vitron_ros.grounding.families.owl:Owl"
WITHOUT_WORDS = ("sam2_video", "edgetam_video")  # that follow a box, and have no tokenizer
FAMILIES = {
    OURS: _GROUNDER,
    "elysium": _GROUNDER,
    "llava": _GROUNDER,
    "grounding-dino": _GROUNDING_DINO,
    "mm-grounding-dino": _GROUNDING_DINO,
    "owlv2": _OWL,
    "owlvit": _OWL,
    **dict.fromkeys(("qwen2_5_vl", "qwen3_vl", "qwen3_5"), "vitron_ros.grounding.families.qwen_vl:QwenVL"),
    **dict.fromkeys(WITHOUT_WORDS, "vitron_ros.grounding.families.sam2:Sam2"),
    "florence2": "vitron_ros.grounding.families.florence2:Florence2",
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
        ModelError: its config.json cannot be read, is of a type that no family takes, or asks for code of its own.
    """
    module, _, name = FAMILIES[model_type(directory)].partition(":")
    family: Family = getattr(import_module(module), name)
    return family


def is_address(name: str) -> bool:
    """Whether a model's name is the address of a server."""
    return name.lower().startswith(("http://", "https://"))


def model_type(directory: Path) -> str:
    """The key in `FAMILIES` of a model's directory. Raises as `family_of`."""
    path = directory / "config.json"
    if not is_file(path) and is_file(directory / MODEL_INDEX):
        return check_config({"_class_name": None}, str(directory))
    return check_config(read_json(path) if is_file(path) else {}, str(directory))


def is_ours(kind: str) -> bool:
    """Whether a type is of our own model, or a published layout of it."""
    return FAMILIES[kind] == _GROUNDER


def check_config(values: Mapping[str, Any], where: str) -> str:
    """The model_type of a config.json.

    Args:
        where: what a person knows it by.

    Raises:
        ModelError: no family takes such a type, or the model comes with code of its own.
    """
    if "_class_name" in values:
        raise ModelError(
            f"{where} holds a pipeline of diffusers, which answers nothing; give it as the backend of editing or "
            "generation"
        )
    kind = values.get("model_type", OURS)
    if kind in SEGMENTERS_BY_WORDS:
        raise ModelError(
            f"{where} holds a model of type {kind!r}, which only cuts things out; give it as the backend of "
            "segmentation"
        )
    if not isinstance(kind, str) or kind not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise ModelError(f"{where} holds a model of type {quoted(kind)}; the types that run here are {known}")
    if "auto_map" in values and not is_ours(kind):
        raise ModelError(
            f"{where} asks for code of its own (auto_map in its config.json), which is never run; take a repository of "
            "the model that transformers loads without, see: vitron models list"
        )
    return kind

"""Which models run here: those of perception, and those of the modules' nodes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitron_ros.grounding.families import FAMILIES, check_config
from vitron_ros.model.files import is_file, read_json
from vitron_ros.model.pipeline_layout import MODEL_INDEX
from vitron_ros.modules.backends import MODEL_BACKENDS
from vitron_ros.modules.diffusion.pipeline_kinds import kind_of


def config_of(directory: Path) -> dict[str, Any]:
    """The model_index.json of a pipeline, or the config.json of a model; empty: there is neither."""
    if is_file(directory / MODEL_INDEX):
        return {"_class_name": None, **read_json(directory / MODEL_INDEX)}
    path = directory / "config.json"
    return read_json(path) if is_file(path) else {}


def check_known(config: Mapping[str, Any], where: str) -> None:
    """Raises ModelError for what runs neither as a model of perception nor as a backend of a module."""
    if "_class_name" in config:
        kind_of(config["_class_name"], where)
    elif not is_for_modules(config):
        check_config(config, where)


def is_for_modules(config: Mapping[str, Any]) -> bool:
    """Whether a model runs as a backend of a module, and not as one of perception."""
    kind = config.get("_class_name", config.get("model_type"))
    return "_class_name" in config or (
        isinstance(kind, str) and kind not in FAMILIES and any(kind in known for known in MODEL_BACKENDS.values())
    )

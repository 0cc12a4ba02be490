"""Which backend does the jobs of a node: embedded, or the model of a directory or a hub id, a file each."""

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.model.files import is_file, quoted, read_json
from vitron_ros.model.pipeline_layout import MODEL_INDEX
from vitron_ros.module_registry import REGISTRY, SEGMENTERS_BY_WORDS, Node
from vitron_ros.modules.diffusion.pipeline_kinds import KINDS
from vitron_ros.modules.module import EMBEDDED, ModuleBackend

_MODULES = "vitron_ros.modules"
EMBEDDED_BACKENDS: dict[Node, str] = {
    "segmentation": f"{_MODULES}.segmentation.embedded:EmbeddedSegmentation",
    "editing": f"{_MODULES}.editing.embedded:EmbeddedEditing",
    "generation": f"{_MODULES}.generation.embedded:EmbeddedGeneration",
}


def _of_pipelines(node: Node, backend: str) -> dict[str, str]:
    """One backend for all pipelines that serve a node."""
    served = {name for name, kind in KINDS.items() if any(REGISTRY[module].node == node for module in kind.actions)}
    return dict.fromkeys(sorted(served), f"{_MODULES}.{node}.{backend}")


MODEL_BACKENDS: dict[Node, dict[str, str]] = {
    "segmentation": {
        **dict.fromkeys(("edgetam_video", "sam2_video"), f"{_MODULES}.segmentation.sam2:Sam2Segmentation"),
        **dict.fromkeys(SEGMENTERS_BY_WORDS, f"{_MODULES}.segmentation.from_words:SegmentationFromWords"),
    },
    "editing": _of_pipelines("editing", "diffusion_model:DiffusionEditing"),
    "generation": _of_pipelines("generation", "diffusion_model:DiffusionGeneration"),
}
"""By the `model_type` of a directory's config.json, or the `_class_name` of its model_index.json: module and class."""


def load_backend(node: Node, name: str, run: ModelRun) -> ModuleBackend:
    """The backend of a name: `EMBEDDED`, a directory, or a hub id, which is fetched where it is not in the cache.

    Raises:
        ConfigError: a setting of the run is not for this backend.
        ModelError: no backend of this node takes what is there, or it cannot be fetched or loaded.
    """
    if name == EMBEDDED:
        return _class(EMBEDDED_BACKENDS[node]).load(name, run)
    if not name.strip():
        raise ConfigError(f"backend is empty; it must be {EMBEDDED}, the folder of a model, or its hub id owner/name")
    from vitron_ros.model.checkpoint import find_checkpoint  # imports torch, which embedded backends do without

    directory = find_checkpoint(name, partial(check_config, node))
    backend = _class(MODEL_BACKENDS[node][_kind(node, directory)]).load(directory, run)
    served = backend.describe().actions
    if not any(REGISTRY[module].node == node for module in served):
        others = ", ".join(sorted({REGISTRY[module].node for module in served}))
        raise ModelError(f"the weights in {directory} are for {others}, not for {node}; give them to that node")
    return backend


def check_config(node: Node, values: Mapping[str, Any], where: str) -> str:
    """The key in `MODEL_BACKENDS` of a config.json or model_index.json.

    Raises:
        ModelError: the node has no backend for it; `where` is what a person knows it by.
    """
    kind, known = values.get("_class_name", values.get("model_type")), MODEL_BACKENDS[node]
    if not isinstance(kind, str) or kind not in known:
        raise ModelError(
            f"{where} holds a model of type {quoted(kind)}; those that {node} runs are {', '.join(sorted(known))}"
        )
    return kind


def _kind(node: Node, directory: Path) -> str:
    for file in (MODEL_INDEX, "config.json"):
        if is_file(directory / file):
            return check_config(node, read_json(directory / file), str(directory))
    raise ModelError(f"{directory} has neither a {MODEL_INDEX} nor a config.json; give the folder of a model")


def _class(path: str) -> type[ModuleBackend]:
    module, _, name = path.partition(":")
    found: type[ModuleBackend] = getattr(import_module(module), name)
    return found

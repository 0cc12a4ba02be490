"""Which backend does the jobs of a node: embedded, or the model of a directory, a file each."""

from importlib import import_module
from pathlib import Path

from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.model.files import is_file, quoted, read_json
from vitron_ros.module_registry import REGISTRY, Node
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
        **dict.fromkeys(("clipseg", "sam3", "sam3_video"), f"{_MODULES}.segmentation.from_words:SegmentationFromWords"),
    },
    "editing": _of_pipelines("editing", "diffusion_model:DiffusionEditing"),
    "generation": _of_pipelines("generation", "diffusion_model:DiffusionGeneration"),
}
"""By the `model_type` of a directory's config.json, or the `_class_name` of its model_index.json: module and class."""


def load_backend(node: Node, name: str, run: ModelRun) -> ModuleBackend:
    """The backend of a name: `EMBEDDED`, or a directory.

    Raises:
        ConfigError: a setting of the run is not for this backend.
        ModelError: no backend of this node takes what is in the directory, or it cannot be loaded.
    """
    if name == EMBEDDED:
        return _class(EMBEDDED_BACKENDS[node]).load(name, run)
    directory = Path(name)
    if not name or not directory.is_dir():
        raise ConfigError(f"backend is {name[:200]!r}; it must be {EMBEDDED} or the folder of a model")
    kind, known = _kind(directory), MODEL_BACKENDS[node]
    if kind not in known:
        types = ", ".join(sorted(known))
        raise ModelError(f"{directory} holds a model of type {quoted(kind)}; those that {node} runs are {types}")
    backend = _class(known[kind]).load(directory, run)
    served = backend.describe().actions
    if not any(REGISTRY[module].node == node for module in served):
        others = ", ".join(sorted({REGISTRY[module].node for module in served}))
        raise ModelError(f"the weights in {directory} are for {others}, not for {node}; give them to that node")
    return backend


def _kind(directory: Path) -> str:
    for file, key in (("model_index.json", "_class_name"), ("config.json", "model_type")):
        if is_file(directory / file):
            return str(read_json(directory / file).get(key, ""))
    raise ModelError(f"{directory} has neither a model_index.json nor a config.json; give the folder of a model")


def _class(path: str) -> type[ModuleBackend]:
    module, _, name = path.partition(":")
    found: type[ModuleBackend] = getattr(import_module(module), name)
    return found

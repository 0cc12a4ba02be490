"""Which backend does the jobs of a node: embedded, or the model of a directory, a file each."""

from importlib import import_module
from pathlib import Path

from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.model.files import is_file, quoted, read_json
from vitron_ros.module_registry import Node
from vitron_ros.modules.module import EMBEDDED, ModuleBackend

_MODULES = "vitron_ros.modules"
EMBEDDED_BACKENDS: dict[Node, str] = {
    "segmentation": f"{_MODULES}.segmentation.embedded:EmbeddedSegmentation",
    "editing": f"{_MODULES}.editing.embedded:EmbeddedEditing",
    "generation": f"{_MODULES}.generation.embedded:EmbeddedGeneration",
}
MODEL_BACKENDS: dict[Node, dict[str, str]] = {"segmentation": {}, "editing": {}, "generation": {}}
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
        types = ", ".join(sorted(known)) or "none yet"
        raise ModelError(f"{directory} holds a model of type {quoted(kind)}; those that {node} runs are {types}")
    return _class(known[kind]).load(directory, run)


def _kind(directory: Path) -> str:
    for file, key in (("model_index.json", "_class_name"), ("config.json", "model_type")):
        if is_file(directory / file):
            return str(read_json(directory / file).get(key, ""))
    raise ModelError(f"{directory} has neither a model_index.json nor a config.json; give the folder of a model")


def _class(path: str) -> type[ModuleBackend]:
    module, _, name = path.partition(":")
    found: type[ModuleBackend] = getattr(import_module(module), name)
    return found

"""What a run's settings stand for: the model that is asked, the backends of modules, and their files."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.grounding.families import check_config, is_address
from vitron_ros.grounding.families.composite import part_names
from vitron_ros.grounding.request import LanguageVision, ModelReply, ModelRequest, ReplyStatus, lack_of
from vitron_ros.module_registry import Node
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.module import EMBEDDED, ModuleBackend
from vitron_ros.streaming.answering import answers, unchecked_answers
from vitron_ros.streaming.models import load_model

RUN = ("device", "backend", "weights", "cache")
BACKENDS = ("segmenter", "editor", "generator")
NO_MODEL = "none"
ORACLE = "oracle"  # the truth with errors, see `stream_oracle.py`


def settings_folders(settings: Mapping[str, str]) -> list[Path]:
    """The folders with the weights of the model and of backends, which are fetched if need be.

    Raises:
        ModelError: there is no such model.
    """
    from vitron_ros.model.checkpoint import find_checkpoint

    model = settings.get("model", NO_MODEL)
    parts = () if model in (NO_MODEL, ORACLE) else part_names(model)
    folders = [find_checkpoint(part, check_config) for part in parts if not is_address(part)]
    backends = [settings[key] for key in BACKENDS if settings.get(key, EMBEDDED) != EMBEDDED]
    return [*folders, *map(find_checkpoint, backends)]


def ask(settings: Mapping[str, str], requests: Sequence[ModelRequest]) -> list[ModelReply]:
    """The model's replies; what it answers nonsense to, or declines, is a reply too.

    With the setting `checks` "on" they are those that the runtime would let count, else as the model gives them.

    Raises:
        ModelError: it cannot be loaded, does not do this, or failed.
    """
    model = model_of(settings)
    for request in requests:
        if problem := lack_of(request.task, model.tasks):
            raise ModelError(problem)
    replies = (answers if settings["checks"] == "on" else unchecked_answers)(model, requests)
    for reply in replies:
        if reply.status is ReplyStatus.FAILED:
            raise ModelError(reply.message)
    return replies


def model_of(settings: Mapping[str, str]) -> LanguageVision:
    """The model, which is loaded once. Raises ModelError."""
    return _model(settings["model"], _run(settings))


def segmenter_of(settings: Mapping[str, str]) -> ModuleBackend:
    """What segments, which is loaded once. Raises ModelError; so of all of these."""
    return _module("segmentation", settings["segmenter"], settings["device"])


def editor_of(settings: Mapping[str, str]) -> ModuleBackend:
    """What edits."""
    return _module("editing", settings["editor"], settings["device"])


def generator_of(settings: Mapping[str, str]) -> ModuleBackend:
    """What draws."""
    return _module("generation", settings["generator"], settings["device"])


def _run(settings: Mapping[str, str]) -> ModelRun:
    return ModelRun(**{key: settings[key] for key in RUN})


@lru_cache(maxsize=1)
def _model(name: str, run: ModelRun) -> LanguageVision:
    return load_model(name, run)


@lru_cache(maxsize=1)
def _module(node: Node, name: str, device: str) -> ModuleBackend:
    return load_backend(node, name, ModelRun(device=device))

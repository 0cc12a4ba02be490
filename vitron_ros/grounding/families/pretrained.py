"""What the families of transformers' models share: options, tokenizers, and what is said of a model."""

from pathlib import Path
from typing import Any

from torch import nn
from transformers import AutoTokenizer

from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.grounding.request import ModelDescription, Task
from vitron_ros.model.files import is_file
from vitron_ros.model.transformers_directory import LOCAL, read_part
from vitron_ros.yaml_file import parse_yaml

VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")


def check_options(run: ModelRun) -> None:
    """Refuses what only the runner of vitron's own layout offers.

    Raises:
        ConfigError: another backend than torch, or quantised weights or caches.
    """
    if run.backend not in ("auto", "torch"):
        raise ConfigError(f"model_backend is {run.backend!r}; a model of this family runs on torch: use auto or torch")
    for name, value in (("model_weights", run.weights), ("model_cache", run.cache)):
        if value != "full":
            raise ConfigError(f"{name} is {value!r}; a model of this family runs as it is stored: use full")


def load_tokenizer(directory: Path) -> Any:
    """The tokenizer of a directory.

    Raises:
        ModelError: its file is missing, which transformers would make up for by one without words, or damaged.
    """
    if not any(is_file(directory / name) for name in VOCABULARIES):
        raise ModelError(f"{directory} has no tokenizer: none of {', '.join(VOCABULARIES)}; fetch it again")
    return read_part("tokenizer", directory, lambda: AutoTokenizer.from_pretrained(directory, **LOCAL))


def description(model: nn.Module, directory: Path, family: str, tasks: frozenset[Task]) -> ModelDescription:
    """What a loaded model is."""
    weights = list(model.parameters())
    return ModelDescription(
        name=name_of(directory),
        family=family,
        tasks=tasks,
        parameters=sum(weight.numel() for weight in weights),
        memory_bytes=sum(weight.nbytes for weight in weights),
        device=str(weights[0].device),
        licence=licence_of(directory),
    )


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

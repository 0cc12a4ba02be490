"""What the families of transformers' models share: options, tokenizers, and what is said of a model."""

from pathlib import Path

from torch import nn

from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError
from vitron_ros.grounding.request import ModelDescription, Task
from vitron_ros.model.model_card import licence_of, name_of


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

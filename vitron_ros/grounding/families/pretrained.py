"""Directories in the layout of transformers: their parts, read from local files, and what is wrong in one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from transformers import AutoTokenizer
from transformers.utils import logging

from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.grounding.request import ModelDescription, Task
from vitron_ros.model.device import dtype_on
from vitron_ros.model.files import SHOWN, is_file, shortened
from vitron_ros.model.memory import GIB, memory_bytes
from vitron_ros.yaml_file import parse_yaml

logging.disable_progress_bar()

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Arguments of every `from_pretrained`: nothing is fetched, and no code of a directory is run."""

VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")

Part = TypeVar("Part")


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


def read_part(what: str, directory: Path, read: Callable[[], Part]) -> Part:
    """What `read` gives, a part of a directory such as its tokenizer.

    Raises:
        ModelError: whatever went wrong, by its first line.
    """
    try:
        return read()
    except ModelError:
        raise
    except Exception as error:  # transformers raises many kinds for files that are missing, damaged or of another model
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        reason = lines[0] if len(lines[0]) <= 3 * SHOWN else f"{lines[0][: 3 * SHOWN]}..."
        remedy = "fetch it again"
        if isinstance(error, ImportError):
            reason, remedy = reason.partition(". ")[0], "install that package"
        raise ModelError(f"the {what} in {directory} cannot be read: {reason}; {remedy}") from error


def load_tokenizer(directory: Path) -> Any:
    """The tokenizer of a directory.

    Raises:
        ModelError: its file is missing, which transformers would make up for by one without words, or damaged.
    """
    if not any(is_file(directory / name) for name in VOCABULARIES):
        raise ModelError(f"{directory} has no tokenizer: none of {', '.join(VOCABULARIES)}; fetch it again")
    return read_part("tokenizer", directory, lambda: AutoTokenizer.from_pretrained(directory, **LOCAL))


def load_weights(auto: Any, directory: Path, device: torch.device, **options: Any) -> Any:
    """The model of a directory on a device, for inference. `auto` is one of transformers' Auto classes.

    Raises:
        ModelError: weights are missing, damaged, of other shapes, or more than the device's memory.
    """
    stored = sum(path.stat().st_size for path in directory.glob("*.safetensors"))
    there = memory_bytes(device)
    if stored > there:
        raise ModelError(
            f"the weights in {directory} take {stored / GIB:,.1f} GiB, and {device} has {there / GIB:,.1f} GiB in all; "
            "use a smaller model or a larger machine"
        )

    def read() -> tuple[Any, dict[str, Any]]:
        dtype = dtype_on(device) or "auto"
        loaded = auto.from_pretrained(
            directory, output_loading_info=True, use_safetensors=True, dtype=dtype, **LOCAL, **options
        )
        return loaded[0], loaded[1]

    model, report = read_part("model", directory, read)
    lacking = [str(key) for kind in ("missing_keys", "mismatched_keys") for key in sorted(report[kind])]
    if lacking:
        raise ModelError(
            f"the weights in {directory} do not fit its config.json: {len(lacking)} are missing or of another shape, "
            f"{shortened(lacking)}; fetch it again"
        )
    return model.to(device).eval()


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

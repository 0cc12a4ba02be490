"""The model that an engine is made from: a checkpoint, or a profile with random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from vitron_ros.errors import ConfigError, EngineError, ModelError
from vitron_ros.model.checkpoint import find_checkpoint, from_pretrained, read_config
from vitron_ros.model.config import profile
from vitron_ros.model.memory import check_memory
from vitron_ros.model.published_layouts import weight_sources
from vitron_ros.model.vitron import VitronModel, build_empty
from vitron_ros.model.weights import WeightSource, load_weights

Precision = Literal["float32", "float16", "bfloat16"]
PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
INT8 = "int8"  # products; the model itself is float32
SEED = 0  # of random weights


def read_precision(name: str) -> torch.dtype:
    """The dtype of a precision.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PRECISIONS:
        raise ConfigError(f"precision is {name!r}; it must be one of {', '.join(PRECISIONS)}")
    return PRECISIONS[name]


def load_model(*, checkpoint: str | Path | None, profile_name: str | None, part: str) -> VitronModel:
    """A model in evaluation mode, in float32 on the CPU, as far as a part needs it.

    The language model is most of a large one: for the vision parts it is not loaded: without memory, or with one layer.

    Args:
        checkpoint: directory, bundled name or hub id.
        profile_name: where there is no checkpoint: random weights of this profile, the same every time.

    Raises:
        EngineError: both are given, or neither.
        ConfigError, ModelError: there is no such profile or checkpoint, it cannot be loaded, or memory is too small.
    """
    if (checkpoint is None) == (profile_name is None):
        raise EngineError("give a checkpoint, or a profile for random weights, and not both")
    needs_language = part in ("prefill", "decode")
    if checkpoint is not None:
        return (
            from_pretrained(checkpoint, dtype=torch.float32)
            if needs_language
            else _load_without_language(find_checkpoint(checkpoint))
        )
    assert profile_name is not None
    config = profile(profile_name)
    if not needs_language:
        config = replace(config, language=replace(config.language, num_layers=1, vocab_size=8))
    check_memory(build_empty(config), "cpu", torch.float32)
    torch.manual_seed(SEED)
    return VitronModel(config).eval()


def _load_without_language(directory: Path) -> VitronModel:
    """All but the language model, which stays on the meta device."""
    model = build_empty(read_config(directory))

    def without_language(name: str | None) -> str | None:
        return None if name is None or name.startswith("language.") else name

    def but_language(source: WeightSource) -> WeightSource:
        return replace(source, rename=lambda name: without_language(source.rename(name)))

    report = load_weights(model, map(but_language, weight_sources(directory, model)), dtype=torch.float32)
    missing = tuple(name for name in report.missing if without_language(name))
    report = replace(report, missing=missing)
    if not report.is_complete:
        raise ModelError(f"the weights in {directory} do not fit its config.json: {report}; fetch or save them again")
    return model.eval()

"""The model that an engine is made from: a checkpoint, or a profile with random weights."""

from pathlib import Path
from typing import Literal

import torch

from vitron_ros.errors import ConfigError, EngineError
from vitron_ros.model.checkpoint import find_checkpoint, from_pretrained
from vitron_ros.model.config import profile
from vitron_ros.model.vitron import VitronModel

Precision = Literal["float32", "float16", "bfloat16"]
PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
SEED = 0  # of random weights


def read_precision(name: str) -> torch.dtype:
    """The dtype of a precision.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PRECISIONS:
        raise ConfigError(f"precision is {name!r}; it must be one of {', '.join(PRECISIONS)}")
    return PRECISIONS[name]


def load_model(*, checkpoint: str | Path | None, profile_name: str | None) -> VitronModel:
    """A model in evaluation mode, in float32 on the CPU.

    Args:
        checkpoint: directory, bundled name or hub id.
        profile_name: where there is no checkpoint: random weights of this profile, the same every time.

    Raises:
        EngineError: both are given, or neither.
        ConfigError, ModelError: there is no such profile or checkpoint, or it cannot be loaded.
    """
    if (checkpoint is None) == (profile_name is None):
        raise EngineError("give a checkpoint, or a profile for random weights, and not both")
    if checkpoint is not None:
        return from_pretrained(find_checkpoint(checkpoint), dtype=torch.float32)
    assert profile_name is not None
    torch.manual_seed(SEED)
    return VitronModel(profile(profile_name)).eval()

"""A LoRA adapter (Hu et al., arXiv 2106.09685) as peft saves it, added to its base while that is read."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitron_ros.errors import ModelError
from vitron_ros.model.files import is_file, quoted, read_json, shortened
from vitron_ros.model.weights import ADAPTER_CONFIG, LoadReport, checked

PREFIX = "base_model.model."  # of peft's wrapper
# Of the settings in an adapter's file: those that are taken, and those that say nothing of what it computes.
TAKEN = ("r", "lora_alpha", "use_rslora", "target_modules")
WITHOUT_EFFECT = (
    "peft_type", "peft_version", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode",
    "lora_dropout", "runtime_config", "megatron_core", "qalora_group_size", "ensure_weight_tying", "init_lora_weights",
)  # fmt: skip
HARMLESS_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")  # those that leave the base's weights alone


class LoraAdapter:
    """The low-rank changes of some linear maps.

    Adapters of the plain kind alone: one rank, and no changes beside those of the weights.
    """

    def __init__(self, directory: Path, tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
        """
        Args:
            directory: holds adapter_config.json.
            tensors: the adapter's weights.
            shapes: of the weights of the base, by name.

        Raises:
            ModelError: the settings are damaged or of another kind of adapter, the weights hold NaN or infinity, or
                they do not fit the settings and the base.
        """
        settings = _settings(directory, max(map(max, shapes.values())))
        rank, targets = settings["r"], settings["target_modules"]
        self._scale = settings["lora_alpha"] / (math.sqrt(rank) if settings.get("use_rslora") else rank)
        self._tensors = tensors
        expected: dict[str, tuple[int, ...]] = {}
        for name, shape in shapes.items():
            if name.removesuffix(".weight").rpartition(".")[2] in targets:
                down, up = _names(name)
                expected |= {down: (rank, shape[1]), up: (shape[0], rank)}
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        report = LoadReport(
            loaded=sum(expected.get(name) == shape for name, shape in found.items()),
            missing=tuple(name for name in expected if name not in found),
            unexpected=tuple(name for name in found if name not in expected),
            misshaped=tuple(
                f"{name}: file {shape}, model {expected[name]}"
                for name, shape in found.items()
                if expected.get(name, shape) != shape
            ),
        )
        if not (expected and report.is_complete):
            raise ModelError(f"the adapter in {directory} does not fit the language model: {report}")
        for name, tensor in tensors.items():
            checked(name, tensor, None, directory)

    def merged(self, name: str, weight: Tensor) -> Tensor:
        """A weight of the base with its change, in float32; the weight itself where it has none."""
        down, up = (self._tensors.get(key) for key in _names(name))
        if down is None or up is None or not weight.is_floating_point():
            return weight
        return torch.addmm(weight.float(), up.float(), down.float(), alpha=self._scale)


def _names(weight: str) -> tuple[str, str]:
    """Of the two factors of a weight's change: (rank, inputs), and (outputs, rank)."""
    path = f"{PREFIX}{weight.removesuffix('.weight')}"
    return f"{path}.lora_A.weight", f"{path}.lora_B.weight"


def _settings(directory: Path, width: int) -> dict[str, Any]:
    """What the adapter's file says, checked.

    Args:
        width: the largest rank that means anything.
    """
    path = directory / ADAPTER_CONFIG
    if not is_file(path):
        raise ModelError(f"{directory} has no {ADAPTER_CONFIG}; it is not a LoRA adapter")
    values = read_json(path)
    kind = values.get("peft_type")
    if kind != "LORA":
        raise ModelError(f"{path} is of a {quoted(kind)} adapter; LORA is taken: merge the adapter with peft first")
    targets = values.get("target_modules")
    if not (isinstance(targets, list) and targets and all(isinstance(name, str) for name in targets)):
        raise ModelError(f"{path} has target_modules {quoted(targets)}; list the layers it changes, such as q_proj")
    start = values.get("init_lora_weights")
    if not isinstance(start, str | bool | None) or start not in HARMLESS_STARTS:
        raise ModelError(f"{path} has init_lora_weights {quoted(start)}, which changes the base; merge it with peft")
    others = [name for name, value in values.items() if name not in (*TAKEN, *WITHOUT_EFFECT) and value]
    if wanted := [name for name in others if (name, values[name]) != ("bias", "none")]:
        raise ModelError(f"{path} has {shortened(wanted)}, which is not taken here; merge the adapter with peft first")
    rank, alpha = values.setdefault("r", 8), values.setdefault("lora_alpha", 8)
    if not (type(rank) is int and 1 <= rank <= width):
        raise ModelError(f"{path} has the rank {quoted(rank)}; it must be a whole number from 1 to {width}")
    if not (type(alpha) in (int, float) and math.isfinite(alpha)):
        raise ModelError(f"{path} has lora_alpha {quoted(alpha)}; it must be a number")
    return values

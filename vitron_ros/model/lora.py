"""LoRA (Hu et al., arXiv 2106.09685) on the language model, through peft."""

import logging
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from torch import Tensor

from vitron_ros.errors import ModelError
from vitron_ros.model.files import SHOWN, is_file, quoted, read_json, shortened
from vitron_ros.model.vitron import VitronModel
from vitron_ros.model.weights import ADAPTER_CONFIG, LoadReport, checked, read_tensors

ADAPTER_WEIGHTS = "adapter_model.safetensors"
# Of the settings in an adapter's file: those that are taken, and those that say nothing of what it computes.
TAKEN = (
    "r", "lora_alpha", "target_modules", "exclude_modules", "modules_to_save", "layers_to_transform", "layers_pattern",
    "rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "lora_bias", "bias", "fan_in_fan_out",
)  # fmt: skip
WITHOUT_EFFECT = (
    "peft_type", "peft_version", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode",
    "lora_dropout", "runtime_config", "megatron_core", "qalora_group_size", "ensure_weight_tying", "init_lora_weights",
)  # fmt: skip
HARMLESS_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")  # those that leave the base's weights alone

logger = logging.getLogger(__name__)


def load_lora(model: VitronModel, directory: Path, *, merge: bool, tensors: Mapping[str, Tensor] | None = None) -> None:
    """Puts the adapter of a directory on the language model.

    Args:
        directory: holds adapter_config.json and adapter_model.safetensors, as peft saves them.
        merge: add the adapter to the weights for good; else it stays beside them, and can be trained on.
        tensors: the adapter's weights, if they were read already.

    Raises:
        ModelError: peft is not installed, the files are missing or damaged, hold NaN or infinity, are of another kind
            of adapter, or do not fit the model.
    """
    try:
        from peft import LoraConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
    except ImportError as error:
        raise ModelError("LoRA needs peft: pip install 'vitron_ros[lora]'") from error
    others = {item.name for item in fields(LoraConfig)} - {*TAKEN, *WITHOUT_EFFECT}
    settings = _settings(directory, others, model.config.language.hidden_size)
    tensors = dict(read_tensors(directory / ADAPTER_WEIGHTS) if tensors is None else tensors)
    for name, tensor in tensors.items():
        checked(name, tensor, None, directory)
    try:
        adapted = PeftModel(model.language, LoraConfig(**settings, inference_mode=merge))
    except Exception as error:  # peft raises many kinds for settings that it cannot carry out
        reason = str(error).partition("\n")[0][:SHOWN]
        raise ModelError(f"the adapter in {directory} does not fit the language model: {reason}") from error
    expected = {name: tuple(weight.shape) for name, weight in get_peft_model_state_dict(adapted).items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    report = LoadReport(
        loaded=sum(expected.get(name) == shape for name, shape in shapes.items()),
        missing=tuple(name for name in expected if name not in shapes),
        unexpected=tuple(name for name in shapes if name not in expected),
        misshaped=tuple(
            f"{name}: file {shape}, model {expected[name]}"
            for name, shape in shapes.items()
            if expected.get(name, shape) != shape
        ),
    )
    if not report.is_complete:
        raise ModelError(f"the adapter in {directory} does not fit the language model: {report}")
    set_peft_model_state_dict(adapted, tensors)
    if merge:
        model.language = adapted.merge_and_unload()


def _settings(directory: Path, others: set[str], width: int) -> dict[str, Any]:
    """What the adapter's file says, checked.

    Args:
        others: settings of peft that are not taken here, so must be off. What peft does not know is told and left out.
        width: the largest rank that means anything.
    """
    path = directory / ADAPTER_CONFIG
    if not is_file(path):
        raise ModelError(f"{directory} has no {ADAPTER_CONFIG}; it is not a LoRA adapter")
    values = read_json(path)
    kind = values.get("peft_type")
    if kind != "LORA":
        raise ModelError(f"{path} is of a {quoted(kind)} adapter; LORA is taken: merge the adapter with peft first")
    if not values.get("target_modules"):
        raise ModelError(f"{path} has no target_modules; name the layers that the adapter changes, such as q_proj")
    start = values.get("init_lora_weights")
    if not isinstance(start, str | bool | None) or start not in HARMLESS_STARTS:
        raise ModelError(f"{path} has init_lora_weights {quoted(start)}, which changes the base; merge it with peft")
    if wanted := [name for name in values if name in others and values[name]]:
        raise ModelError(f"{path} has {shortened(wanted)}, which is not taken here; merge the adapter with peft first")
    if unknown := [name for name in values if name not in {*TAKEN, *WITHOUT_EFFECT, *others} and values[name]]:
        logger.warning("%s has %s, which this peft does not know and leaves out", path, shortened(unknown))
    settings = {name: values[name] for name in TAKEN if values.get(name) is not None}
    ranks = [settings.get("r", 8), *_pattern(path, settings, "rank_pattern")]
    if not all(type(rank) is int and 1 <= rank <= width for rank in ranks):
        raise ModelError(f"{path} has the ranks {quoted(ranks)}; they must be whole numbers from 1 to {width}")
    alphas = [settings.get("lora_alpha", 8), *_pattern(path, settings, "alpha_pattern")]
    if not all(type(alpha) in (int, float) and math.isfinite(alpha) for alpha in alphas):
        raise ModelError(f"{path} has lora_alpha {quoted(alphas)}; it must be a number")
    return settings


def _pattern(path: Path, settings: Mapping[str, Any], name: str) -> list[Any]:
    """The values of a table by layers."""
    table = settings.get(name, {})
    if not isinstance(table, dict):
        raise ModelError(f"{path} has {name} {quoted(table)}; it must be a table")
    return list(table.values())

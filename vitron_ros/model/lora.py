"""LoRA (Hu et al., arXiv 2106.09685) on the language model, through peft."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from vitron_ros.errors import ModelError
from vitron_ros.model.checkpoint import read_tensors
from vitron_ros.model.vitron import VitronModel

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def load_lora(model: VitronModel, directory: Path, *, merge: bool, tensors: Mapping[str, Tensor] | None = None) -> None:
    """Puts the adapter of a directory on the language model.

    Args:
        directory: holds adapter_config.json and adapter_model.safetensors, as peft saves them.
        merge: add the adapter to the weights for good; else it stays beside them, and can be trained on.
        tensors: the adapter's weights, if they were read already.

    Raises:
        ModelError: peft is not installed, the files are missing or damaged, or the adapter does not fit the model.
    """
    try:
        from peft import LoraConfig, PeftModel, set_peft_model_state_dict
    except ImportError as error:
        raise ModelError("LoRA needs peft: pip install 'vitron_ros[lora]'") from error
    if not (directory / ADAPTER_CONFIG).is_file():
        raise ModelError(f"{directory} has no {ADAPTER_CONFIG}; it is no LoRA adapter")
    if tensors is None:
        tensors = dict(read_tensors(directory / ADAPTER_WEIGHTS))
    config = LoraConfig.from_pretrained(str(directory))
    config.task_type = None  # peft's class for the task asks for transformers' generate, which this model does not have
    config.inference_mode = merge
    try:
        adapted = PeftModel(model.language, config)
        result = set_peft_model_state_dict(adapted, dict(tensors))
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"the adapter in {directory} does not fit the language model: {error}") from error
    missing = [key for key in result.missing_keys if "lora_" in key]
    if missing or result.unexpected_keys:
        raise ModelError(
            f"the adapter in {directory} does not fit the language model: {len(missing)} of its weights are missing "
            f"and {len(result.unexpected_keys)} are unexpected, such as {(missing + result.unexpected_keys)[0]}"
        )
    if merge:
        model.language = adapted.merge_and_unload()

"""LoRA (Hu et al., arXiv 2106.09685) on the language model for models too large to be trained whole, through peft."""

from copy import deepcopy

from torch import nn

from vitron_ros.errors import ConfigError
from vitron_ros.model.vitron import VitronModel

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def add_adapters(model: VitronModel, rank: int) -> None:
    """Puts fresh adapters, which change nothing yet, on every linear map of the language model's layers.

    Raises:
        ConfigError: peft is not installed, or the rank is larger than that of the maps.
    """
    maps = [part for name, part in model.language.named_modules() if name.rpartition(".")[2] in TARGETS]
    most = min(min(part.weight.shape) for part in maps if isinstance(part, nn.Linear))
    if rank > most:
        raise ConfigError(f"lora_rank is {rank}; the smallest map of the language model has rank {most}, so give less")
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ConfigError("lora_rank needs peft: pip install 'vitron_ros[lora]'; or set it to 0") from error
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=TARGETS), model.language)


def merged(model: VitronModel) -> VitronModel:
    """The model with its adapters added to its weights; the model itself where it has none."""
    from peft.tuners.lora import LoraLayer

    if not any(isinstance(module, LoraLayer) for module in model.modules()):
        return model
    model = deepcopy(model)
    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            owner, _, leaf = name.rpartition(".")
            base = module.get_base_layer()
            assert isinstance(base, nn.Module)
            setattr(model.get_submodule(owner), leaf, base)
    return model

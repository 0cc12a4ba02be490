"""LoRA (Hu et al., arXiv 2106.09685) on the language model for models too large to be trained whole, through peft."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from training.distributed import whole
from vitron_ros.errors import ConfigError
from vitron_ros.model.vitron import VitronModel
from vitron_ros.model.weights import named_weights

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
DOWN, UP, BASE = ".lora_A.default.weight", ".lora_B.default.weight", ".base_layer."  # in peft's names
ALPHA = 2  # times the rank, as released with VITRON


def add_adapters(model: VitronModel, rank: int, dropout: float = 0.0) -> None:
    """Puts adapters, not initialised yet, on every linear map of the language model's layers.

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
    settings = LoraConfig(r=rank, lora_alpha=ALPHA * rank, lora_dropout=dropout, target_modules=TARGETS)
    inject_adapter_in_model(settings, model.language)


def initial_adapters(module: nn.Module, seed: int) -> Iterator[tuple[str, Tensor]]:
    """First weights of a module's adapters, as peft's, which change nothing yet: whole, whatever the processes."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in module.named_parameters():
        if name.endswith(DOWN):
            yield name, nn.init.kaiming_uniform_(torch.empty(weight.shape), a=math.sqrt(5), generator=generator)
        elif name.endswith(UP):
            yield name, torch.zeros(weight.shape)


def merged_weights(model: VitronModel) -> Iterator[tuple[str, Tensor]]:
    """The weights of a model by name, one at a time, with its adapters added to them and whole on each process."""
    weights = named_weights(model)
    for name, weight in weights.items():
        if "lora_" in name:
            continue
        merged = whole(weight.detach())
        if BASE in name:
            path = name.partition(BASE)[0]
            down, up = (whole(weights[f"{path}{end}"].detach()) for end in (DOWN, UP))
            merged = torch.addmm(merged.float(), up.float(), down.float(), alpha=ALPHA).to(merged.dtype)
        yield name.replace(BASE, "."), merged

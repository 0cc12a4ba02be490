"""Brings a training module to its device: whole in one process, a part of every weight in each of several."""

import torch
from torch import Tensor, nn

from training.adapters import BASE, initial_adapters
from training.config import TrainConfig
from training.distributed import World, checkpoint_activations, fill, sharded_parameters
from training.tensor_files import TensorFiles
from training.training_module import TrainingModule


def place(
    module: TrainingModule, config: TrainConfig, world: World, weights: TensorFiles | None, *, bfloat16: bool
) -> None:
    """Places a module, and gives its adapters their first weights.

    Args:
        weights: of a model on the meta device, of which each process then reads its part.
        bfloat16: compute in bfloat16.

    Raises:
        DamagedError: a weight cannot be read.
    """
    model = module.model
    layers: list[nn.Module] = [*model.language.model.layers, *model.vision.layers, *model.vision.time_layers]
    if config.activation_checkpointing:
        checkpoint_activations(list(model.language.model.layers))
    adapters = dict(initial_adapters(module, config.seed)) if config.lora_rank else {}
    if world.mesh is None:
        module.to(world.device)
    else:
        if config.precision == "bfloat16":
            _round_frozen(model)
        known = {} if weights is None else {name: value.clone() for name, value in _real_tensors(module).items()}
        world.shard(module, layers, bfloat16=bfloat16)
        if weights is not None:
            module.to_empty(device=world.device)
            _fill_in(module, known | adapters, weights)
    for name, weight in sharded_parameters(module).items():
        if name in adapters:
            fill(weight, adapters[name])


def _round_frozen(model: nn.Module) -> None:
    for weight in model.parameters():
        if not weight.requires_grad:
            weight.data = weight.data.to(torch.bfloat16)


def _real_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers that are not on the meta device: heads, and what no checkpoint has."""
    return {name: value.detach() for name, value in _tensors(module).items() if not value.is_meta}


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _fill_in(module: nn.Module, known: dict[str, Tensor], weights: TensorFiles) -> None:
    for name, tensor in _tensors(module).items():
        if name in known:
            fill(tensor, known[name])
        else:
            weights.fill(name.removeprefix("model.").replace(BASE, "."), tensor)

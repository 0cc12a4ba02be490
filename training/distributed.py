"""The processes of a run, one for each GPU. In a run of one process nothing here communicates.

State is sharded over processes by FSDP2 (arXiv 2304.11277): every process holds a part of each weight, its gradient and
its optimiser state, and gathers a layer only while that runs. With fewer shards than processes every group of processes
holds all of the state (HSDP): between nodes only gradients travel.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset
from torch.utils.checkpoint import checkpoint

from training.launch import STORE, is_one_of_several
from vitron_ros.errors import ConfigError
from vitron_ros.model.device import find_device

TIMEOUT = timedelta(minutes=10)  # of a process that waits for others
LAYERS = (".layers.", ".time_layers.")  # weights that are gathered layer by layer


@dataclass(frozen=True, eq=False)
class World:
    """The processes of a run, and this one among them.

    Attributes:
        rank: of this process, 0, 1, ...
        size: number of processes.
        device: on which this process runs.
        mesh: (replicas, shards) or (shards,); None: there is no other process.
        background: processes again, for a thread that writes checkpoints.
    """

    rank: int
    size: int
    device: torch.device
    mesh: DeviceMesh | None = None
    background: Any = None

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """The sum of values over all processes."""
        if self.mesh is not None:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool, *, in_background: bool = False) -> bool:
        """Whether a flag is set in any process. All of them wait for each other."""
        if self.mesh is None:
            return flag
        flags = torch.tensor(int(flag))
        dist.all_reduce(flags, dist.ReduceOp.MAX, self.background if in_background else None)
        return bool(flags)

    def shard(self, module: nn.Module, layers: list[nn.Module], *, bfloat16: bool) -> None:
        """Shards a module in place, layer by layer, over the processes. Its parameters are new objects then.

        Args:
            bfloat16: gather weights, and so compute, in bfloat16; gradients are summed in float32.
        """
        policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if bfloat16 else MixedPrecisionPolicy()
        for part in (*layers, module):
            fully_shard(part, mesh=self.mesh, mp_policy=policy)


def join(device: str | None, shards: int = 0) -> World:
    """The processes that `launch` or torchrun started, or this one alone.

    Args:
        device: such as cpu or cuda:1; None: a GPU where there is one, of several processes each its own.
        shards: processes that share one copy of the state; 0: all.

    Raises:
        ConfigError: the number of processes is no multiple of the shards.
        ModelError: there is no such device.
    """
    is_group = is_one_of_several()
    if device is None and torch.cuda.is_available():
        device = f"cuda:{os.environ['LOCAL_RANK']}" if is_group else "cuda"
    found = find_device(device or "cpu")
    if not is_group:
        return World(0, 1, found)
    if found.type == "cuda":
        torch.cuda.set_device(found)
    if not dist.is_initialized():
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if found.type == "cuda" else "gloo",
            init_method=os.environ.get(STORE),
            rank=int(os.environ["RANK"]),
            world_size=int(os.environ["WORLD_SIZE"]),
            timeout=TIMEOUT,
        )
    rank, size = dist.get_rank(), dist.get_world_size()
    if shards and size % shards:
        raise ConfigError(f"shards is {shards}, and there are {size} processes; give a divisor of their number")
    shape = (size // shards, shards) if shards else (size,)
    mesh = init_device_mesh(found.type, shape, mesh_dim_names=("replica", "shard")[-len(shape) :])
    return World(rank, size, found, mesh, dist.new_group(backend="gloo", timeout=TIMEOUT))


def leave() -> None:
    """Ends the communication of this process."""
    if dist.is_initialized():
        dist.destroy_process_group()


def is_lost_connection(error: RuntimeError) -> bool:
    """Whether another process is gone or silent. gloo has no type of its own for that."""
    return dist.is_initialized() and (isinstance(error, dist.DistError) or "gloo" in str(error))


def gathered_weights(module: nn.Module) -> list[nn.Parameter]:
    """The trainable weights of a sharded module that are gathered together: all but those of layers."""
    return [
        weight
        for name, weight in module.named_parameters()
        if weight.requires_grad and not any(part in f".{name}" for part in LAYERS)
    ]


def sharded_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Weights by name as the optimiser has them, even after a forward pass alone, which leaves some gathered."""
    if isinstance(module, FSDPModule):
        module.reshard()
    return dict(module.named_parameters())


def checkpoint_activations(layers: list[nn.Module]) -> None:
    """Has layers compute their activations again in the backward pass rather than keep them."""
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


def whole(tensor: Tensor) -> Tensor:
    """A tensor gathered from all processes, which must all ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def fill(target: Tensor, source: Any) -> None:
    """Copies the part of this process of a whole tensor, anything that slices give tensors of, into a target."""
    with torch.no_grad():
        if not isinstance(target, DTensor):
            target.copy_(source[...])
            return
        shape, offset = compute_local_shape_and_global_offset(target.shape, target.device_mesh, target.placements)
        if shape[0]:
            part = source[tuple(slice(start, start + size) for start, size in zip(offset, shape, strict=True))]
            target.to_local().copy_(part)


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor

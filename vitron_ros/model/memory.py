"""Whether a model fits in memory, checked before anything is allocated."""

import os

import torch

from vitron_ros.errors import ModelError
from vitron_ros.model.config import LanguageConfig
from vitron_ros.model.vitron import VitronModel

GIB = 1024**3
ROTARY_COPIES = 4  # of float32, while the table of positions is made


def cache_bytes_per_token(config: LanguageConfig, itemsize: int) -> int:
    """Bytes of the keys and values of one token."""
    return 2 * itemsize * config.num_layers * config.num_kv_heads * config.head_dim


def check_memory(model: VitronModel, device: torch.device | str, dtype: torch.dtype | None) -> None:
    """Refuses a model whose weights and one full context are more than a device's whole memory.

    Args:
        model: of any device, such as meta.
        dtype: of the weights in memory; None: 16 bits are assumed.

    Raises:
        ModelError: with what each would need.
    """
    language, itemsize = model.config.language, 2 if dtype is None else dtype.itemsize
    weights = itemsize * sum(weight.numel() for weight in model.parameters())
    context = language.max_positions * (
        cache_bytes_per_token(language, itemsize) + ROTARY_COPIES * torch.float32.itemsize * language.head_dim
    )
    there = memory_bytes(torch.device(device))
    if weights + context > there:
        raise ModelError(
            f"{model.config.name} needs {weights / GIB:,.1f} GiB for its weights and {context / GIB:,.1f} GiB for a "
            f"context of {language.max_positions:,} tokens; {device} has {there / GIB:,.1f} GiB: use a larger machine, "
            "or lower language, max_positions in its config.json"
        )


def memory_bytes(device: torch.device) -> int:
    """The whole memory of a device."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

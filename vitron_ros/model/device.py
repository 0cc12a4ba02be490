"""The devices that a model can run on."""

import torch

from vitron_ros.errors import ModelError


def find_device(name: str) -> torch.device:
    """The device of a name: cpu, cuda or cuda:N.

    Raises:
        ModelError: there is none of that name in this machine, or it is another kind.
    """
    try:
        device = torch.device(name)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelError(f"there is no device {name!r}; use cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda") or (device.type == "cpu" and device.index):
        raise ModelError(f"models do not run on device {name!r}; use cpu, cuda or cuda:N")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not count:
            raise ModelError(f"device {name!r} is not there: this torch sees no GPU; use cpu, or install one that does")
        if device.index is not None and device.index >= count:
            raise ModelError(f"device {name!r} is not there: the last GPU is cuda:{count - 1}")
    return device


def dtype_on(device: torch.device) -> torch.dtype | None:
    """The type of a model's weights on a device: float32 on a CPU, where 16 bits are slow; None: as stored."""
    return torch.float32 if device.type == "cpu" else None

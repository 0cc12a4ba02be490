"""The model that the runtime asks, by its name."""

import os

from vitron_ros.errors import ModelError
from vitron_ros.grounding.request import LanguageVision

BUNDLED = "vitron-tiny"


def load_model(name: str, device: str = "cpu", backend: str = "auto") -> LanguageVision:
    """The bundled model, or the one in a folder. On the CPU it leaves one core to the cameras.

    torch is imported here and nowhere before, since a node without a model starts without it.

    Args:
        backend: one of `config.BACKENDS`.

    Raises:
        ConfigError: there is no such backend.
        ModelError: there is no such model, it cannot be read, or the device or the backend is not there.
    """
    import torch

    from vitron_ros.grounding.grounder import Grounder

    try:
        is_cpu = torch.device(device).type == "cpu"
        if not is_cpu and not torch.cuda.is_available():
            raise ModelError(
                f"device {device!r} is not there: this torch sees no GPU; use cpu, or install one that does"
            )
        if is_cpu:
            torch.set_num_threads(min(torch.get_num_threads(), max(1, len(os.sched_getaffinity(0)) - 1)))
        return Grounder.load(name, device=device, backend=backend)
    except RuntimeError as error:  # torch has no class of its own for a device that it does not know
        raise ModelError(f"cannot load the model {name} on device {device!r}: {error}") from error

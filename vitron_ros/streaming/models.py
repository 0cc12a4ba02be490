"""The model that the runtime asks, by its name."""

import os

from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.grounding.request import LanguageVision

BUNDLED = "vitron-tiny"


def load_model(name: str, run: ModelRun) -> LanguageVision:
    """The bundled model, or the one in a folder. On the CPU it leaves one core to the cameras.

    torch is imported here and nowhere before, since a node without a model starts without it.

    Raises:
        ConfigError: there is no such backend.
        ModelError: there is no such model, it cannot be read, the device or the backend is not there, or cannot take
            such weights or such a cache.
    """
    import torch

    from vitron_ros.grounding.grounder import Grounder

    try:
        is_cpu = torch.device(run.device).type == "cpu"
        if not is_cpu and not torch.cuda.is_available():
            raise ModelError(
                f"device {run.device!r} is not there: this torch sees no GPU; use cpu, or install one that does"
            )
        if is_cpu:
            torch.set_num_threads(min(torch.get_num_threads(), max(1, len(os.sched_getaffinity(0)) - 1)))
        return Grounder.load(name, run)
    except RuntimeError as error:  # torch has no class of its own for a device that it does not know
        raise ModelError(f"cannot load the model {name} on device {run.device!r}: {error}") from error

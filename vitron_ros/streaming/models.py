"""The model that the runtime asks, by its name."""

import os

from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.grounding.families import check_config, family_of, is_address
from vitron_ros.grounding.families.composite import Composite, part_names
from vitron_ros.grounding.request import LanguageVision

BUNDLED = "vitron-tiny"


def load_model(name: str, run: ModelRun) -> LanguageVision:
    """The bundled model, the one in a folder, or the one of a hub id, by its family; that of a server; or several
    joined by " + ", of which each does what those before it cannot, see `Composite`.

    On the CPU it leaves one core to the cameras. torch is imported here and nowhere before, since a node without a
    model starts without it.

    Raises:
        ConfigError: there is no such backend, or one of several models has nothing to do.
        ModelError: there is no such model, it is of no known family, it cannot be read, the device or the backend is
            not there, or cannot take such weights or such a cache; or the server cannot be reached.
    """
    names = part_names(name)
    if len(names) == 1:
        return _load_one(names[0], run)
    return Composite({part: _load_one(part, ModelRun() if is_address(part) else run) for part in names})


def _load_one(name: str, run: ModelRun) -> LanguageVision:
    if is_address(name):
        from vitron_ros.grounding.families.server import ModelServer

        return ModelServer.load(name, run)
    import torch

    from vitron_ros.model.checkpoint import find_checkpoint
    from vitron_ros.model.device import find_device

    try:
        if find_device(run.device).type == "cpu":
            torch.set_num_threads(min(torch.get_num_threads(), max(1, len(os.sched_getaffinity(0)) - 1)))
        directory = find_checkpoint(name, check_config)
        return family_of(directory).load(directory, run)
    except RuntimeError as error:  # of a device that has too little memory, or a broken driver
        reason = str(error).partition("\n")[0]
        raise ModelError(f"cannot load the model {name} on device {run.device!r}: {reason}") from error

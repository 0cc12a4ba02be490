"""Tensors of torch's pickles, of published layouts that have nothing else.

They are read by torch's `weights_only` loader, which builds tensors and runs no code, and are mapped into memory rather
than copied there.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from vitron_ros.errors import ModelError
from vitron_ros.lfs import lfs_problem
from vitron_ros.model.files import SHOWN


def read_pickle(path: Path) -> Mapping[str, Tensor]:
    """The named tensors of a torch pickle; anything but tensors in it is refused and nothing of it is run.

    Raises:
        ModelError: it is damaged, or holds more than tensors.
    """
    try:
        is_mapped = zipfile.is_zipfile(path)  # the format before torch 1.6 cannot be
        values = torch.load(path, map_location="cpu", weights_only=True, mmap=is_mapped)
    except Exception as error:  # a cut or foreign pickle fails in any way
        if problem := lfs_problem(path):
            raise ModelError(problem) from error
        reason = (str(error) or type(error).__name__).partition("\n")[0][:SHOWN]
        raise ModelError(f"{path} is damaged or holds more than tensors: {reason}; fetch it again") from error
    if not isinstance(values, dict) or not all(_is_named_tensor(*item) for item in values.items()):
        raise ModelError(f"{path} is not a table of tensors; fetch the checkpoint again")
    return values


def _is_named_tensor(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor) and value.layout is torch.strided and not value.is_meta

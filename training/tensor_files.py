"""Named tensors in several safetensors files, read in part: every process reads what it holds."""

import re
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from training.distributed import fill, local
from training.errors import DamagedError
from vitron_ros.model.weights import UNREADABLE

PART = re.compile(r"-\d+-of-(\d+)\.safetensors$")


def part_name(stem: str, index: int, count: int) -> str:
    """The name of a file: `model.safetensors`, or `model-00001-of-00002.safetensors` where there are several."""
    return f"{stem}.safetensors" if count == 1 else f"{stem}-{index + 1:05}-of-{count:05}.safetensors"


class TensorFiles:
    """The tensors of all files of one stem in a folder.

    Attributes:
        names: of all tensors.
    """

    def __init__(self, folder: Path, stem: str) -> None:
        """
        Raises:
            DamagedError: a file is missing, or cannot be read.
        """
        self._folder, self._stack = folder, ExitStack()
        whole = folder / f"{stem}.safetensors"
        paths = [whole] if whole.is_file() else sorted(folder.glob(f"{stem}-*-of-*.safetensors"))
        counts = {int(found[1]) if (found := PART.search(path.name)) else 1 for path in paths}
        if counts != {len(paths)}:
            raise DamagedError(f"{folder} lacks files of {stem}.safetensors; it is not a whole checkpoint of a run")
        try:
            files = [self._stack.enter_context(safe_open(path, framework="pt")) for path in paths]
            self._file_of = {name: file for file in files for name in file.keys()}  # noqa: SIM118 - not a dict
        except UNREADABLE as error:
            raise DamagedError(f"{folder} has a damaged {stem}.safetensors: {error}") from error
        self.names: Iterable[str] = self._file_of.keys()

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor; None: there is none of this name."""
        return tuple(self._file_of[name].get_slice(name).get_shape()) if name in self._file_of else None

    def fill(self, name: str, target: Tensor) -> None:
        """Copies this process's part of a tensor into a target.

        Raises:
            DamagedError: there is no such tensor, it has another shape, cannot be read, or is not finite.
        """
        shape = self.shape(name)
        if shape is None:
            raise DamagedError(f"{self._folder} lacks {name}; the run's config has changed since")
        if shape != tuple(target.shape):
            raise DamagedError(f"{self._folder} has {name} of shape {shape}, not {tuple(target.shape)}")
        try:
            fill(target, self._file_of[name].get_slice(name) if shape else self._file_of[name].get_tensor(name))
        except UNREADABLE as error:
            raise DamagedError(f"{self._folder} has a damaged {name}: {error}") from error
        if not torch.isfinite(local(target)).all():
            raise DamagedError(f"{name} in {self._folder} holds NaN or infinity")

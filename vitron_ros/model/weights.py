"""Weights of a checkpoint into a model: by default safetensors, one file or several with an index.

A model is built on the meta device first and takes its weights one tensor at a time, so that loading needs little more
memory than the model itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from vitron_ros.errors import ModelError
from vitron_ros.lfs import lfs_problem
from vitron_ros.model.files import SHOWN, files_inside, is_file, pickles_in, quoted, read_json, shortened
from vitron_ros.model.vitron import VitronModel

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
INPUT_EMBEDDINGS, OUTPUT_EMBEDDINGS = "language.model.embed_tokens.weight", "language.lm_head.weight"
WEIGHT_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# What safetensors raises of files that are cut, of other kinds, or of types that this torch does not know.
UNREADABLE = (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError)


@dataclass(frozen=True)
class LoadReport:
    """What became of the weights of a checkpoint.

    Attributes:
        loaded: number of weights that the model took.
        missing: weights of the model that the files do not have.
        unexpected: weights of the files that the model does not have.
        misshaped: weights whose shapes differ, each as "name: file (2, 3), model (2, 4)".
        unused: weights of the files that the model does without on purpose, such as vision layers after the used one.
    """

    loaded: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshaped: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Every weight of the model was found, and every weight of the files was understood."""
        return not (self.missing or self.unexpected or self.misshaped)

    @property
    def fits(self) -> bool:
        """Every weight of the model was found."""
        return not (self.missing or self.misshaped)

    def __str__(self) -> str:
        counts = f"{self.loaded} weights loaded"
        for name in ("missing", "unexpected", "misshaped"):
            keys = getattr(self, name)
            if keys:
                counts += f"; {len(keys)} {name}: {shortened(keys)}"
        return counts


class WeightsError(ModelError):
    """The weights of a checkpoint do not fit its config.

    Attributes:
        report: which.
    """

    def __init__(self, sentence: str, report: LoadReport) -> None:
        super().__init__(sentence)
        self.report = report


class Loaded(NamedTuple):
    """A model from a checkpoint, and what became of its weights."""

    model: VitronModel
    report: LoadReport


def weight_files(directory: Path) -> list[Path]:
    """The safetensors files of a checkpoint directory.

    Raises:
        ModelError: there are none, or only pickles, or the index names a file that is not there.
    """
    if is_file(directory / INDEX):
        return indexed_files(directory, INDEX)
    if is_file(directory / WEIGHTS):
        return [directory / WEIGHTS]
    if pickles := pickles_in(directory):
        raise ModelError(
            f"{directory} holds pickles ({', '.join(pickles[:3])}), which can run code when opened; save the model as "
            "safetensors where that is safe, and give that directory"
        )
    if is_file(directory / ADAPTER_CONFIG):
        raise ModelError(describe_adapter(directory))
    raise ModelError(f"{directory} has no weights: neither {WEIGHTS} nor {INDEX}; fetch it again")


def indexed_files(directory: Path, index: str) -> list[Path]:
    """The weight files that an index in a directory names.

    Raises:
        ModelError: it is not an index, or names files that are not there or lie elsewhere.
    """
    weight_map = read_json(directory / index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError(f"{directory / index} is not an index of weights; fetch or save the checkpoint again")
    return files_inside(directory, weight_map.values(), directory / index)


def describe_adapter(directory: Path) -> str:
    """Says that a directory holds an adapter, and of which model."""
    base = read_json(directory / ADAPTER_CONFIG).get("base_model_name_or_path")
    return (
        f"{directory} holds an adapter{f' of {quoted(base)}' if base else ''} and no model; give the directory of its "
        "base, with this one beside it"
    )


def read_tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The named tensors of one safetensors file, one at a time.

    Raises:
        ModelError: the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a dict
                yield name, file.get_tensor(name)
    except UNREADABLE as error:
        if problem := lfs_problem(path):
            raise ModelError(problem) from error
        raise ModelError(f"{path} is damaged: {str(error)[:SHOWN]}; fetch or save the checkpoint again") from error


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightSource:
    """Files of weights, and how they are read.

    Attributes:
        rename: name in the file to name in the model; None: not used on purpose.
        read: the named tensors of a file, one at a time.
    """

    files: Sequence[Path]
    rename: Callable[[str], str | None] = lambda name: name
    read: Callable[[Path], Iterator[tuple[str, Tensor]]] = read_tensors


def load_weights(
    model: VitronModel,
    sources: Iterable[WeightSource],
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> LoadReport:
    """Gives the model its weights, file after file and tensor after tensor. A later file wins.

    Args:
        model: of any device; each weight is replaced, not written into.

    Raises:
        ModelError: a file is damaged, or a weight that is used holds NaN or infinity.
    """
    expected = {name: tuple(weight.shape) for name, weight in named_weights(model).items()}
    is_tied = model.config.language.tie_embeddings
    embeddings: Tensor | None = None  # the first of two that have to be the same
    loaded: set[str] = set()
    wrong: set[str] = set()
    unexpected, misshaped, unused = [], [], []
    for source, file in [(each, file) for each in sources for file in each.files]:
        for theirs, tensor in source.read(file):
            name = source.rename(theirs)
            if is_tied and name == OUTPUT_EMBEDDINGS:
                name = INPUT_EMBEDDINGS
            if name is None:
                unused.append(theirs)
            elif name not in expected:
                unexpected.append(theirs)
            elif tuple(tensor.shape) != expected[name]:
                wrong.add(name)
                misshaped.append(f"{theirs}: file {tuple(tensor.shape)}, model {expected[name]}")
            else:
                _put(model, name, checked(theirs, tensor, dtype, file).to(device))
                loaded.add(name)
                if is_tied and name == INPUT_EMBEDDINGS:
                    _check_same(embeddings, tensor, file)
                    embeddings = tensor
    _tie(model)
    if not any(weight.is_meta for weight in model.parameters()):
        model.to(device)  # the buffers
    missing = tuple(name for name in expected if name not in loaded and name not in wrong)
    return LoadReport(len(loaded), missing, tuple(unexpected), tuple(misshaped), tuple(unused))


def checked(name: str, tensor: Tensor, dtype: torch.dtype | None, file: Path) -> Tensor:
    """A weight in the type wanted, or as it is.

    Raises:
        ModelError: it is of a type that is no weight's, or not finite.
    """
    if tensor.dtype not in WEIGHT_TYPES:
        raise ModelError(
            f"{shortened([name])} in {file} is stored as {_type_name(tensor.dtype)}; weights are taken in "
            f"{', '.join(map(_type_name, WEIGHT_TYPES))}: save the model before it is quantised"
        )
    cast = tensor.to(dtype or tensor.dtype)
    if not is_finite(cast):
        if is_finite(tensor):
            raise ModelError(f"{shortened([name])} in {file} is too large for {_type_name(cast.dtype)}; choose another")
        raise ModelError(f"{shortened([name])} in {file} holds NaN or infinity; fetch or train the checkpoint again")
    return cast


def is_finite(tensor: Tensor) -> bool:
    """Whether every value is. One pass without a copy: some 10 GB a second on one core, 20 times `isfinite().all()`."""
    return not tensor.numel() or bool(torch.stack(torch.aminmax(tensor)).isfinite().all())


def _type_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _check_same(first: Tensor | None, second: Tensor, file: Path) -> None:
    if first is not None and not torch.equal(first.to(second.dtype), second):
        raise ModelError(
            f"{INPUT_EMBEDDINGS} and {OUTPUT_EMBEDDINGS} in {file} differ, which the config says are the same; set "
            "language, tie_embeddings to false"
        )


def named_weights(model: VitronModel) -> dict[str, Tensor]:
    """Every weight by name, once where two share it, and the statistics of batch norms."""
    buffers = {name: value for name, value in model.named_buffers() if name.rpartition(".")[2].startswith("running_")}
    return {**dict(model.named_parameters()), **buffers}


def _put(model: nn.Module, name: str, tensor: Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    owner = model.get_submodule(path)
    if leaf in owner._buffers:
        owner.register_buffer(leaf, tensor)
    else:
        owner.register_parameter(leaf, nn.Parameter(tensor))


def _tie(model: VitronModel) -> None:
    if model.config.language.tie_embeddings:
        model.language.lm_head.weight = model.language.model.embed_tokens.weight

"""The layout of diffusers: a model_index.json with the parts of a pipeline, each in a folder of its own."""

from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from vitron_ros.errors import ModelError
from vitron_ros.model.files import PICKLES, pickles_in, read_json

MODEL_INDEX = "model_index.json"
STEMS = ("model", "diffusion_pytorch_model")  # of weights; with more in their names they are of another precision
SMALL_FILES = ("*.json", "*.jinja", "*.txt", "*.model")
WEIGHTS = ("*.safetensors", *PICKLES)


def parts_of(index: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Library and class of each part that a model_index.json names, as it names them."""
    return {part: value for part, value in index.items() if isinstance(value, list) and value != [None, None]}


def stored_weights(directory: Path) -> list[Path]:
    """The safetensors of all parts of a pipeline's directory.

    Raises:
        ModelError: there are none, a part is missing, or it has pickles alone.
    """
    for part in parts_of(read_json(directory / MODEL_INDEX)):
        folder = directory / part
        if not folder.is_dir():
            raise ModelError(f"{directory} lacks the part {part} that its {MODEL_INDEX} names; fetch it again")
        pickles = pickles_in(folder)
        if pickles and not list(folder.glob("*.safetensors")):
            raise ModelError(
                f"{folder} holds pickles ({pickles[0]}), which can run code when opened; save the pipeline as "
                "safetensors where that is safe, and give that directory"
            )
    files = sorted(directory.glob("*/*.safetensors"))
    if not files:
        raise ModelError(f"{directory} has no weights: no safetensors in the folders of its parts; fetch it again")
    return files


def wanted_files(
    names: Collection[str], index: Mapping[str, Any], read_weight_index: Callable[[str], Mapping[str, Any]], where: str
) -> list[str]:
    """The files of a repository that a pipeline is loaded from.

    Args:
        names: of all files in it.
        index: its model_index.json.
        read_weight_index: the table of a file that names the weights of a part.
        where: what a person knows the repository by.

    Raises:
        ModelError: a part has weights, and none as safetensors in the usual precision.
    """
    wanted = [MODEL_INDEX, *(name for name in names if name == "README.md")]
    for part in parts_of(index):
        inside = [name for name in names if name.startswith(f"{part}/")]
        weights = _weights(part, inside, read_weight_index)
        if not weights and any(fnmatch(name, pattern) for name in inside for pattern in WEIGHTS):
            raise ModelError(
                f"{where} holds its part {part} as pickles, which can run code when opened, or in another precision "
                "alone, and they are not fetched; take another repository of the model, with safetensors"
            )
        wanted += [name for name in inside if any(fnmatch(name, pattern) for pattern in SMALL_FILES)]
        wanted += weights
    return wanted


def _weights(part: str, inside: Collection[str], read_weight_index: Callable[[str], Mapping[str, Any]]) -> list[str]:
    for stem in STEMS:
        single = f"{part}/{stem}.safetensors"
        if f"{single}.index.json" in inside:
            listed = read_weight_index(f"{single}.index.json").get("weight_map")
            found = {f"{part}/{name}" for name in (listed.values() if isinstance(listed, dict) else ())}
            return sorted(name for name in inside if name in found and name.endswith(".safetensors"))
        if single in inside:
            return [single]
    return []

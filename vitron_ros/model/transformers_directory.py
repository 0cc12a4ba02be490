"""Directories in the layout of transformers: their parts, read from local files, and what is wrong in one sentence."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoImageProcessor, AutoTokenizer
from transformers.utils import logging

from vitron_ros.errors import ModelError
from vitron_ros.lfs import lfs_problem
from vitron_ros.model.device import dtype_on
from vitron_ros.model.files import SHOWN, is_file, read_json, shortened
from vitron_ros.model.memory import GIB, memory_bytes
from vitron_ros.model.weights import read_tensors, weight_files

logging.disable_progress_bar()

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Arguments of every `from_pretrained`: nothing is fetched, and no code of a directory is run."""

VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")
EXTRAS = {"sentencepiece": "sentencepiece"}
"""Of this package, by what a part of a model turns out to need."""

Part = TypeVar("Part")


def read_part(what: str, directory: Path, read: Callable[[], Part]) -> Part:
    """What `read` gives, a part of a directory such as its tokenizer.

    Raises:
        ModelError: whatever went wrong, by its first line.
    """
    try:
        return read()
    except ModelError:
        raise
    except Exception as error:  # transformers raises many kinds for files that are missing, damaged or of another model
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        reason = lines[0] if len(lines[0]) <= 3 * SHOWN else f"{lines[0][: 3 * SHOWN]}..."
        remedy = "fetch it again"
        if isinstance(error, ImportError):
            reason = reason.partition(". ")[0]
            extra = next((extra for package, extra in EXTRAS.items() if package in reason), "")
            remedy = f"pip install 'vitron_ros[{extra}]'" if extra else "install that package"
        raise ModelError(f"the {what} in {directory} cannot be read: {reason}; {remedy}") from error


def check_stored(
    files: Sequence[Path], directory: Path, device: torch.device, dtype: torch.dtype | None = None
) -> None:
    """Refuses weights of a directory that were not fetched, or that are more than a device's memory.

    Args:
        dtype: that they are loaded as; None: as they are stored.

    Raises:
        ModelError: with what is wrong.
    """
    if problem := next(filter(None, map(lfs_problem, files)), ""):
        raise ModelError(problem)
    if dtype is None:
        needed = sum(path.stat().st_size for path in files)
    else:
        needed = dtype.itemsize * sum(weight.numel() for path in files for _, weight in read_tensors(path))
    there = memory_bytes(device)
    if needed > there:
        raise ModelError(
            f"the weights in {directory} take {needed / GIB:,.1f} GiB, and {device} has {there / GIB:,.1f} GiB in all; "
            "use a smaller model or a larger machine"
        )


def load_pretrained(auto: Any, directory: Path, device: torch.device, **options: Any) -> Any:
    """The model of a directory on a device, for inference. `auto` is one of transformers' Auto classes.

    Raises:
        ModelError: weights are missing, damaged, of other shapes, or more than the device's memory.
    """
    check_stored(weight_files(directory), directory, device)

    def read() -> tuple[Any, dict[str, Any]]:
        dtype = dtype_on(device) or "auto"
        loaded = auto.from_pretrained(
            directory, output_loading_info=True, use_safetensors=True, dtype=dtype, **LOCAL, **options
        )
        return loaded[0], loaded[1]

    model, report = read_part("model", directory, read)
    lacking = [str(key) for kind in ("missing_keys", "mismatched_keys") for key in sorted(report[kind])]
    if lacking:
        raise ModelError(
            f"the weights in {directory} do not fit its config.json: {len(lacking)} are missing or of another shape, "
            f"{shortened(lacking)}; fetch it again"
        )
    return model.to(device).eval()


def load_image_processor(directory: Path) -> Any:
    """That of a directory, in either of the two layouts of its processor.

    Raises:
        ModelError: it has none, or one that cannot be read.
    """
    if lack := lack_of_image_processor(directory):
        raise ModelError(f"the image processor in {directory} cannot be read: {lack}; fetch it again")
    return read_part("image processor", directory, lambda: AutoImageProcessor.from_pretrained(directory, **LOCAL))


def lack_of_image_processor(directory: Path) -> str:
    """Why there is none, of which transformers says only where it would look on the hub; empty: there is one.

    Raises:
        ModelError: a file cannot be read.
    """
    nested = directory / "processor_config.json"
    if is_file(directory / "preprocessor_config.json") or (is_file(nested) and "image_processor" in read_json(nested)):
        return ""
    return "there is neither a preprocessor_config.json nor one in processor_config.json"


def load_tokenizer(directory: Path) -> Any:
    """The tokenizer of a directory.

    Raises:
        ModelError: its file is missing, which transformers would make up for by one without words, or damaged.
    """
    if not any(is_file(directory / name) for name in VOCABULARIES):
        raise ModelError(f"{directory} has no tokenizer: none of {', '.join(VOCABULARIES)}; fetch it again")
    return read_part("tokenizer", directory, lambda: AutoTokenizer.from_pretrained(directory, **LOCAL))

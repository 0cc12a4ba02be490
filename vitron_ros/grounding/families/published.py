"""What a published model's directory holds, in the formats of transformers: its sizes, and whether it fits together.

Nothing is allocated for it: models are built on the meta device, and weights are read one at a time.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from vitron_ros.errors import ModelError
from vitron_ros.grounding.families import WITHOUT_WORDS, is_ours, model_type
from vitron_ros.grounding.model_files import Verdict, verify_files
from vitron_ros.model.device import dtype_on
from vitron_ros.model.files import is_file, quoted, read_json, shortened
from vitron_ros.model.memory import GIB, memory_bytes
from vitron_ros.model.square_image import read_normalisation
from vitron_ros.model.transformers_directory import lack_of_image_processor
from vitron_ros.model.weights import LoadReport, is_finite, read_tensors, weight_files
from vitron_ros.model.zoo import zoo_models

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSizes:
    """Sizes of a published model.

    Attributes:
        architecture: its class in transformers.
        can: what published models of this type are for: find, follow, answer, masks.
        parameters: number of weights by part, a shared one counted once.
    """

    name: str
    model_type: str
    architecture: str
    can: tuple[str, ...]
    parameters: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.parameters.values())


def published_sizes(directory: Path) -> PublishedSizes:
    """The sizes of a published model, from its config.json alone.

    Raises:
        ModelError: its config.json is of no known type, or not that of a model of transformers.
    """
    return sizes_of_kind(directory, model_type(directory))


def sizes_of_kind(directory: Path, kind: str) -> PublishedSizes:
    """As `published_sizes`, of a model of transformers of any type."""
    model = build_empty(directory)
    seen: set[int] = set()
    counts: dict[str, int] = {}
    for name, weight in model.named_parameters():
        if id(weight) not in seen:
            seen.add(id(weight))
            part = _part(name)
            counts[part] = counts.get(part, 0) + weight.numel()
    tasks = {task: None for entry in zoo_models([kind]) for task in entry.can}
    return PublishedSizes(
        name=str(directory), model_type=kind, architecture=type(model).__name__, can=tuple(tasks), parameters=counts
    )


def verify_directory(directory: Path, device: torch.device | None = None) -> Verdict:
    """Reads all that a model's directory holds, whatever its family, and keeps none of it; see `verify_files`.

    Raises:
        ModelError, ConfigError: its config.json cannot be read, or is of no known type.
    """
    kind = model_type(directory)
    if is_ours(kind):
        return verify_files(directory, device)
    verdict = Verdict()
    checks: dict[str, Callable[[], object]] = {
        "values": lambda: check_finite(weight_files(directory)),
        "weights": lambda: _check_weights(directory, verdict),
    }
    if kind in WITHOUT_WORDS:
        checks["image processor"] = lambda: read_normalisation(directory)
    else:
        checks["tokenizer"] = lambda: _check_tokenizer(directory)
        checks["image processor"] = lambda: _check_image_processor(directory)
    if device is not None:
        checks["memory"] = lambda: _check_memory(directory, device)
    with _quiet():
        for name, check in checks.items():
            verdict.check(name, check)
    return verdict


def build_empty(directory: Path) -> nn.Module:
    """The model of a config.json on the meta device: every shape, no memory.

    Raises:
        ModelError: the config.json is not that of a model of transformers.
    """
    config = _load(transformers.AutoConfig, directory, "config.json")
    try:
        with torch.device("meta"):
            return _architecture(directory)._from_config(config)  # type: ignore[no-any-return]
    except Exception as error:  # a class of transformers with values from a file, which it does not check
        raise ModelError(f"{directory / 'config.json'} describes no model: {_reason(error)}; fetch it again") from error


def _architecture(directory: Path) -> Any:
    names = read_json(directory / "config.json").get("architectures")
    name = names[0] if isinstance(names, list) and names else None
    found = getattr(transformers, name, None) if isinstance(name, str) and name.isidentifier() else None
    if not (isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)):
        raise ModelError(
            f"{directory / 'config.json'} names the architecture {quoted(name)}, which transformers "
            f"{transformers.__version__} does not have; update transformers, or choose another model"
        )
    return found


def _load(loader: Any, directory: Path, what: str) -> Any:
    """What a loader of transformers makes of a directory, offline and without its code."""
    try:
        return loader.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # these raise many kinds of files that are missing or damaged
        raise ModelError(f"the {what} in {directory} cannot be loaded: {_reason(error)}; fetch it again") from error


def check_finite(files: Iterable[Path]) -> None:
    """Raises ModelError if a file of weights is damaged, or a value in it is NaN or infinite."""
    for file in files:
        for name, tensor in read_tensors(file):
            if tensor.is_floating_point() and not is_finite(tensor):
                raise ModelError(f"{shortened([name])} in {file} holds NaN or infinity; fetch the model again")


def _check_weights(directory: Path, verdict: Verdict) -> None:
    """Compares names and shapes with those of the model, as transformers renames them on loading."""
    weight_files(directory)
    model_class = _architecture(directory)
    try:
        model, info = model_class.from_pretrained(
            directory,
            device_map="meta",
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except Exception as error:
        raise ModelError(f"the weights in {directory} cannot be compared with its model: {_reason(error)}") from error
    missing = tuple(sorted(info["missing_keys"]))
    misshaped = tuple(
        f"{name}: file {tuple(theirs)}, model {tuple(ours)}" for name, theirs, ours in sorted(info["mismatched_keys"])
    )
    loaded = len(model.state_dict()) - len(missing) - len(misshaped)
    verdict.report = LoadReport(loaded, missing, tuple(sorted(info["unexpected_keys"])), misshaped)
    if missing or misshaped:
        raise ModelError(f"the weights in {directory} do not fit its config.json: {verdict.report}; fetch it again")


def _check_tokenizer(directory: Path) -> None:
    """transformers makes an empty tokenizer where its files are missing."""
    if not any(is_file(directory / name) for name in TOKENIZERS):
        raise ModelError(f"{directory} has no tokenizer ({', '.join(TOKENIZERS)}); fetch it again")
    size = len(_load(transformers.AutoTokenizer, directory, "tokenizer"))
    config = _load(transformers.AutoConfig, directory, "config.json")
    known = getattr(config.get_text_config(), "vocab_size", size)
    if size > known:
        raise ModelError(
            f"the tokenizer in {directory} has {size} tokens, the model only {known}; fetch the one of this model"
        )


def _check_image_processor(directory: Path) -> None:
    if lack := lack_of_image_processor(directory):
        raise ModelError(f"the image processor in {directory} cannot be loaded: {lack}; fetch it again")
    _load(transformers.AutoImageProcessor, directory, "image processor")


def _check_memory(directory: Path, device: torch.device) -> None:
    needed = (dtype_on(device) or torch.float16).itemsize * published_sizes(directory).total
    if needed > (there := memory_bytes(device)):
        raise ModelError(
            f"{directory} needs {needed / GIB:,.1f} GiB for its weights; {device} has {there / GIB:,.1f} GiB: use a "
            "larger machine, or a smaller model of its family"
        )


def _part(name: str) -> str:
    """The part of a model that a weight is shown under: one level below what wraps all, such as `model.`."""
    first, _, rest = name.partition(".")
    return rest.partition(".")[0] if first == "model" and "." in rest else first


def _reason(error: Exception) -> str:
    return " ".join(str(error).split("\n")[0].split())[:200] or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what transformers prints while it loads away from the report."""
    log = transformers.utils.logging
    level, shows_progress = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if shows_progress:
            log.enable_progress_bar()

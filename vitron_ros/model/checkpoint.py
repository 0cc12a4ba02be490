"""Checkpoints: a directory with config.json, safetensors and the tokenizer.

    config.json                      ModelConfig: sizes, choices, generation
    model.safetensors                or model-00001-of-00003.safetensors, ... with model.safetensors.index.json
    tokenizer.json                   or tokenizer.model
    prompt_profile.yaml              templates of prompts

Elysium's and VITRON's published layouts are read as they are, see published_layouts.py. Other files of a model: see
grounding/model_files.py.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.home_folder import expanded
from vitron_ros.model import hub
from vitron_ros.model.bundled import ASSETS, is_bundled
from vitron_ros.model.config import PROFILES, ModelConfig, from_dict
from vitron_ros.model.files import is_file, quoted, read_json
from vitron_ros.model.memory import check_memory
from vitron_ros.model.model_names import check_meant
from vitron_ros.model.prompt_profile import PromptProfile
from vitron_ros.model.prompts import PromptBuilder
from vitron_ros.model.published_layouts import (
    LAYOUTS,
    Given,
    layout_in,
    published_config,
    stored_files,
    takes_pickles,
    tokenizer_folder,
    weight_sources,
)
from vitron_ros.model.published_parts import plan_model
from vitron_ros.model.tokenizer import Tokenizer
from vitron_ros.model.vitron import VitronModel, build_empty
from vitron_ros.model.weights import (
    ADAPTER_CONFIG,
    INDEX,
    OUTPUT_EMBEDDINGS,
    WEIGHTS,
    Loaded,
    WeightsError,
    describe_adapter,
    load_weights,
    named_weights,
)

CONFIG = "config.json"
PROMPT_PROFILE = "prompt_profile.yaml"
SHARD_BYTES = 4 * 1024**3

logger = logging.getLogger(__name__)


def find_checkpoint(source: str | Path, check: Callable[[Mapping[str, Any], str], object] | None = None) -> Path:
    """The directory of a checkpoint: a local one, the name of a bundled one, or a hub id `owner/name`.

    A hub id is fetched where its weights are not in the cache already, with the parts that a published layout takes
    from other repositories; the hub is not asked where they are.

    Args:
        check: as of `plan_download`, of what is fetched.

    Raises:
        ModelError: there is none.
    """
    name, path = str(source), expanded(source)
    if not name.strip():
        raise ModelError("the name of the model is empty; give a directory, a bundled model or a hub id owner/name")
    try:
        if path.is_dir():
            return path
    except (OSError, ValueError) as error:
        raise ModelError(f"{quoted(name)} cannot be opened: {error}; give the directory of a model") from error
    if is_bundled(name):
        return ASSETS / name
    if is_file(path):
        raise ModelError(f"{name} is a file; give the directory that holds it with its {CONFIG} and tokenizer")
    _check_meant(name)
    if len(path.parts) != 2 or path.is_absolute() or name.startswith((".", "~")):
        raise ModelError(f"{name!r} is not a directory, bundled model or hub id owner/name; see: vitron models list")
    return fetched_checkpoint(name) or _fetch(name, check)


def fetched_checkpoint(model_id: str) -> Path | None:
    """The folder of a model in the hub's cache; None: it is not there, or not all of its weights are."""
    folder = hub.cached_folder(model_id)
    try:
        return folder if folder and stored_files(folder) else None
    except ModelError:
        return None


def plan_checkpoint(
    model_id: str, check: Callable[[Mapping[str, Any], str], object] | None = None
) -> list[hub.Download]:
    """What is to be fetched of a model, and of the parts that a published layout takes from other repositories.

    Args:
        check: as of `plan_download`.

    Raises:
        ModelError: it is no hub id; or as of `plan_download`, of any of them.
    """
    _check_meant(model_id)
    download = hub.plan_download(model_id, check, takes_pickles=takes_pickles)
    layout = LAYOUTS.get(str(download.config.get("model_type")))
    return [download] if layout is None else plan_model(layout, download)


def _check_meant(name: str) -> None:
    if name in PROFILES:
        raise ModelError(
            f"{name} is a profile without weights; give the directory or the hub id of published ones, see: vitron "
            "models list"
        )
    check_meant(name)


def _fetch(model_id: str, check: Callable[[Mapping[str, Any], str], object] | None) -> Path:
    downloads = plan_checkpoint(model_id, check)
    for download in downloads:
        hub.announce(download)
    folders = [hub.fetch(download) for download in downloads]
    return folders[0]


def save_pretrained(
    model: VitronModel,
    directory: Path,
    *,
    tokenizer: Tokenizer | None = None,
    prompt_profile: PromptProfile | None = None,
    dtype: torch.dtype | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Writes a checkpoint directory; config.json comes last, so that an interrupted save cannot be loaded.

    Args:
        tokenizer: None: it is copied in by hand.
        prompt_profile: None: the built-in one that the config names.
        dtype: of the stored weights; None: as they are.
        shard_bytes: size of one weight file at most, unless a single weight is larger.

    Raises:
        ModelError: the model is quantised, or its weights were never loaded.
        ConfigError: the prompt profile that the config names is not built in.
        OSError, SafetensorError: a file cannot be written.
    """
    prompt_profile = prompt_profile or PromptProfile.built_in(model.config.prompt_profile)
    weights = named_weights(model)
    if any(type(weight.data) is not Tensor or weight.is_meta for weight in weights.values()):
        raise ModelError("a quantised model, or one without weights, cannot be saved; save the plain model instead")
    directory.mkdir(parents=True, exist_ok=True)
    for old in (directory / CONFIG, directory / INDEX, *directory.glob("model*.safetensors")):
        old.unlink(missing_ok=True)
    shards = _shards(weights, dtype, shard_bytes)
    names = (
        [WEIGHTS]
        if len(shards) == 1
        else [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    )
    for name, keys in zip(names, shards, strict=True):
        tensors = {key: weights[key].detach().to("cpu", dtype or weights[key].dtype).contiguous() for key in keys}
        save_file(tensors, directory / name, metadata={"format": "pt"})
    if len(shards) > 1:
        weight_map = {key: name for name, keys in zip(names, shards, strict=True) for key in keys}
        (directory / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}, indent=1) + "\n")
    save_settings(model.config, directory, tokenizer=tokenizer, prompt_profile=prompt_profile)


def save_settings(
    config: ModelConfig, directory: Path, *, tokenizer: Tokenizer | None, prompt_profile: PromptProfile
) -> None:
    """Writes what stands beside the weights of a checkpoint, config.json last.

    Raises:
        OSError: a file cannot be written.
    """
    if tokenizer is not None:
        tokenizer.save(directory)
    (directory / PROMPT_PROFILE).write_text(prompt_profile.text, encoding="utf-8")
    (directory / CONFIG).write_text(config.to_json())


class Checkpoint(NamedTuple):
    """All that answers a prompt: the model, its tokenizer, and the builder of its prompts."""

    model: VitronModel
    tokenizer: Tokenizer
    prompts: PromptBuilder


def load_checkpoint(
    source: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> Checkpoint:
    """A whole checkpoint; arguments and errors as `from_pretrained`, which loads the model alone.

    Raises:
        ModelError: the tokenizer is missing or does not fit the model, too.
        ConfigError: the prompt profile is not valid, too.
    """
    directory = find_checkpoint(source)
    model = from_pretrained(directory, device=device, dtype=dtype)
    tokenizer = read_tokenizer(directory, model.config)
    profile = read_prompt_profile(directory, model.config)
    return Checkpoint(model, tokenizer, PromptBuilder(profile, tokenizer, model.config.tokenisation == "published"))


def from_pretrained(
    source: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> VitronModel:
    """The model of a checkpoint directory, bundled name or hub id, in evaluation mode.

    Args:
        dtype: of the weights in memory; None: as stored, and of several the one that most have. Half-precision is slow
            on most CPUs: give float32 there.

    Raises:
        ModelError: the checkpoint is not there, is incomplete, damaged, too large for the device, or holds pickles or
            values that are not finite.
        ConfigError: its config.json is wrong.
    """
    directory = find_checkpoint(source)
    return read_model(directory, read_config(directory), device=device, dtype=dtype).model


def read_model(
    directory: Path,
    config: ModelConfig,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    given: Given | None = None,
) -> Loaded:
    """The model of a directory and its config. On the meta device every weight is checked, and none is loaded.

    Weights are renamed and merged while they are read: beside the model there is never more than one of them in memory.

    Args:
        given: as of `weight_sources`.

    Raises:
        WeightsError: the weights do not fit the config.
        ModelError: a file is not there, damaged, or holds pickles or values that are not finite, or the device has too
            little memory.
    """
    model = build_empty(config)
    if torch.device(device).type != "meta":
        check_memory(model, device, dtype)
    report = load_weights(model, weight_sources(directory, model, dtype=dtype, given=given), device=device, dtype=dtype)
    if layout_in(directory) is not None and report.fits:
        if report.unexpected:  # of a release nobody here has seen all weights
            logger.warning("%s: %s; they are left out", directory, report)
    elif not report.is_complete:
        advice = "fetch or save the checkpoint again; of published ones in other sizes, convert it and give --config"
        if report.missing == (OUTPUT_EMBEDDINGS,) and not (report.unexpected or report.misshaped):
            advice = "if it shares its embeddings, set language, tie_embeddings to true"
        raise WeightsError(f"the weights in {directory} do not fit its {CONFIG}: {report}; {advice}", report)
    sizes = Counter[torch.dtype]()
    for weight in model.parameters():
        sizes[weight.dtype] += weight.numel()
    if len(sizes) > 1:
        model.to(sizes.most_common(1)[0][0])
    return Loaded(model.eval(), report)


def read_config(directory: Path) -> ModelConfig:
    """The config of a checkpoint directory.

    Raises:
        ModelError: it is not there, is not a table, or is that of another project or of an adapter.
        ConfigError: a value is wrong.
    """
    path = directory / CONFIG
    if not is_file(path):
        if is_file(directory / ADAPTER_CONFIG):
            raise ModelError(describe_adapter(directory))
        raise ModelError(f"{directory} has no {CONFIG}; it is not a checkpoint, or its saving was interrupted")
    layout = layout_in(directory)
    if layout is not None:
        return published_config(directory, layout)
    return from_dict(ModelConfig, read_json(path), str(path))


def read_tokenizer(directory: Path, config: ModelConfig, *, given: Given | None = None) -> Tokenizer:
    """The tokenizer of a checkpoint.

    Args:
        given: as of `tokenizer_folder`.

    Raises:
        ModelError: it is missing, damaged, or does not fit the model.
    """
    folder, language = tokenizer_folder(directory, given), config.language
    tokenizer = Tokenizer.from_pretrained(folder)
    if tokenizer.size > language.vocab_size:
        raise ModelError(
            f"the tokenizer in {folder} has {tokenizer.size} tokens, the model only {language.vocab_size}; copy the "
            "one that the model was trained with"
        )
    theirs, ours = (tokenizer.bos_id, tokenizer.eos_id), (language.bos_token_id, language.eos_token_id)
    if theirs != ours:
        raise ModelError(
            f"the tokenizer in {folder} begins and ends text with tokens {theirs}, the model with {ours}; copy the "
            "one that the model was trained with"
        )
    tokenizer.number_ids()  # raises where boxes cannot be written
    return tokenizer


def read_prompt_profile(directory: Path, config: ModelConfig) -> PromptProfile:
    """The prompt profile of a checkpoint: its own, or the built-in one that its config names.

    Raises:
        ModelError: its file cannot be read.
        ConfigError: it is not there, or not valid.
    """
    own = directory / PROMPT_PROFILE
    if is_file(own):
        return PromptProfile.read(own)
    try:
        return PromptProfile.built_in(config.prompt_profile)
    except ConfigError as error:
        raise ConfigError(f"{directory} lacks its {PROMPT_PROFILE}: {error}; fetch it again") from error


def _shards(weights: dict[str, Tensor], dtype: torch.dtype | None, shard_bytes: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    size = 0
    for name, weight in weights.items():
        nbytes = weight.numel() * (dtype or weight.dtype).itemsize
        if shards[-1] and size + nbytes > shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += nbytes
    return shards

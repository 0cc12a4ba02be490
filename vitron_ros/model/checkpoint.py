"""Checkpoints: a directory with config.json, safetensors and the tokenizer. Pickles are never opened here.

    config.json                      ModelConfig: sizes, choices, generation
    model.safetensors                or model-00001-of-00003.safetensors, ... with model.safetensors.index.json
    tokenizer.json                   or tokenizer.model
    prompt_profile.yaml              wording of prompts

A model is built on the meta device first and takes its weights one tensor at a time, so that loading needs little more
memory than the model itself.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.model.config import ModelConfig
from vitron_ros.model.prompt_profile import PromptProfile
from vitron_ros.model.prompts import PromptBuilder
from vitron_ros.model.tokenizer import Tokenizer
from vitron_ros.model.vitron import VitronModel

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
PROMPT_PROFILE = "prompt_profile.yaml"
ASSETS = Path(__file__).parents[1] / "assets"
HUB_FILES = ["*.safetensors", "*.json", "tokenizer.model", PROMPT_PROFILE, "words.txt"]
SHARD_BYTES = 4 * 1024**3

logger = logging.getLogger(__name__)


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

    def __str__(self) -> str:
        counts = f"{self.loaded} weights loaded"
        for name in ("missing", "unexpected", "misshaped"):
            keys = getattr(self, name)
            if keys:
                counts += f"; {len(keys)} {name}: {', '.join(keys[:4])}{', ...' if len(keys) > 4 else ''}"
        return counts


def find_checkpoint(source: str | Path) -> Path:
    """The directory of a checkpoint: a local one, the name of a bundled one, or a hub id `owner/name` to download.

    Raises:
        ModelError: there is none.
    """
    path = Path(source)
    if path.is_dir():
        return path
    if (ASSETS / str(source) / CONFIG).is_file():
        return ASSETS / str(source)
    if len(path.parts) != 2 or path.is_absolute() or str(source).startswith("."):
        raise ModelError(f"{source} is no directory, bundled model or hub id owner/name; see: vitron models list")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(str(source), allow_patterns=HUB_FILES))
    except Exception as error:  # the hub's client raises many kinds, all of them: it is not there
        raise ModelError(
            f"{source} is no local directory and cannot be fetched from the hub ({type(error).__name__}); "
            "download it by hand and give its directory"
        ) from error


def save_pretrained(
    model: VitronModel,
    directory: Path,
    *,
    tokenizer: Tokenizer | None = None,
    prompt_profile: PromptProfile | None = None,
    dtype: torch.dtype | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Writes a checkpoint directory; config.json comes last, so that a broken-off save cannot be loaded.

    Args:
        tokenizer: None: it is copied in by hand.
        prompt_profile: None: the one that the config names.
        dtype: of the stored weights; None: as they are.
        shard_bytes: size of one weight file at most, unless a single weight is larger.

    Raises:
        ModelError: the model is quantised, or its weights were never loaded.
        ConfigError: the prompt profile that the config names is not there.
    """
    prompt_profile = prompt_profile or PromptProfile.load(model.config.prompt_profile)
    weights = _weights(model)
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
    if tokenizer is not None:
        tokenizer.save(directory)
    (directory / PROMPT_PROFILE).write_text(prompt_profile.text, encoding="utf-8")
    (directory / CONFIG).write_text(model.config.to_json())


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
        ModelError: the tokenizer is missing, too.
    """
    directory = find_checkpoint(source)
    model = from_pretrained(directory, device=device, dtype=dtype)
    tokenizer = Tokenizer.from_pretrained(directory)
    profile = read_prompt_profile(directory, model.config)
    return Checkpoint(model, tokenizer, PromptBuilder(profile, tokenizer, model.config.tokenisation == "published"))


def from_pretrained(
    source: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> VitronModel:
    """The model of a checkpoint directory, bundled name or hub id, in evaluation mode.

    Args:
        dtype: of the weights in memory; None: as stored. Half-precision is slow on most CPUs: give float32 there.

    Raises:
        ModelError: the checkpoint is not there, is incomplete, damaged, or holds pickles or values that are not finite.
        ConfigError: its config.json is wrong.
    """
    directory = find_checkpoint(source)
    model = build_empty(read_config(directory))
    report = load_weights(model, weight_files(directory), device=device, dtype=dtype)
    if not report.is_complete:
        raise ModelError(
            f"the weights in {directory} do not fit its {CONFIG}: {report}; fetch or save the checkpoint again"
        )
    return model.eval()


def read_config(directory: Path) -> ModelConfig:
    """The config of a checkpoint directory.

    Raises:
        ModelError: it is not there, or is that of another project.
        ConfigError: a value is wrong.
    """
    path = directory / CONFIG
    if not path.is_file():
        raise ModelError(f"{directory} has no {CONFIG}; it is no checkpoint, or its saving was broken off")
    text = path.read_text(encoding="utf-8")
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from error
    if isinstance(values, dict) and "model_type" in values:
        raise ModelError(
            f"{directory} holds a checkpoint of another project ({values['model_type']}); bring it into this layout "
            f"with: vitron models convert {directory} OUT"
        )
    return ModelConfig.from_json(text)


def read_prompt_profile(directory: Path, config: ModelConfig) -> PromptProfile:
    """The wording that a checkpoint keeps, or else the one that its config names.

    Raises:
        ConfigError: it is not there, or not valid.
    """
    kept = directory / PROMPT_PROFILE
    return PromptProfile.load(kept if kept.is_file() else config.prompt_profile)


def build_empty(config: ModelConfig) -> VitronModel:
    """The model on the meta device: every shape, no memory."""
    with torch.device("meta"):
        return VitronModel(config)


def weight_files(directory: Path) -> list[Path]:
    """The safetensors files of a checkpoint directory.

    Raises:
        ModelError: there are none, or only pickles, or the index names a file that is not there.
    """
    index = directory / INDEX
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ModelError(f"{index} is no index of weights; fetch or save the checkpoint again") from error
        missing = [name for name in names if not (directory / name).is_file()]
        if missing:
            raise ModelError(f"{directory} lacks the weight file {', '.join(missing)}; fetch the checkpoint again")
        return [directory / name for name in names]
    if (directory / WEIGHTS).is_file():
        return [directory / WEIGHTS]
    pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in directory.glob(pattern))
    if pickles:
        raise ModelError(
            f"{directory} holds pickles ({', '.join(pickles[:3])}), which can run code when opened; convert them with: "
            f"vitron models convert {directory} OUT"
        )
    raise ModelError(f"{directory} has no weights; it needs {WEIGHTS} or {INDEX}")


def read_tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The named tensors of one safetensors file, one at a time.

    Raises:
        ModelError: the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a dict
                yield name, file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is damaged: {error}; fetch or save the checkpoint again") from error


def load_weights(
    model: VitronModel,
    files: Iterable[Path],
    *,
    rename: Callable[[str], str | None] = lambda name: name,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    read: Callable[[Path], Iterator[tuple[str, Tensor]]] = read_tensors,
) -> LoadReport:
    """Gives the model its weights, file after file and tensor after tensor. A later file wins.

    Args:
        model: of any device; each weight is replaced, not written into.
        rename: name in the file to name in the model; None: not used on purpose.
        read: how to read a file.

    Raises:
        ModelError: a file is damaged, or a weight that is used holds NaN or infinity.
    """
    expected = {name: tuple(weight.shape) for name, weight in _weights(model).items()}
    loaded: set[str] = set()
    wrong: set[str] = set()
    unexpected, misshaped, unused = [], [], []
    for file in files:
        for theirs, tensor in read(file):
            name = rename(theirs)
            if name is None:
                unused.append(theirs)
            elif name not in expected:
                unexpected.append(theirs)
            elif tuple(tensor.shape) != expected[name]:
                wrong.add(name)
                misshaped.append(f"{theirs}: file {tuple(tensor.shape)}, model {expected[name]}")
            else:
                if not torch.isfinite(tensor).all():
                    raise ModelError(f"{theirs} in {file} holds NaN or infinity; fetch or train the checkpoint again")
                _put(model, name, tensor.to(device=device, dtype=dtype or tensor.dtype))
                loaded.add(name)
    _tie(model)
    if not any(weight.is_meta for weight in model.parameters()):
        model.to(device)  # the buffers
    missing = tuple(name for name in expected if name not in loaded and name not in wrong)
    return LoadReport(len(loaded), missing, tuple(unexpected), tuple(misshaped), tuple(unused))


def _weights(model: VitronModel) -> dict[str, Tensor]:
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

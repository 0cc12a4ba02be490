"""Checkpoints as Elysium and VITRON published them, brought into a `VitronModel`.

Elysium (arXiv 2403.16558): one directory of safetensors with the prefixes `llm.`, `visual_encoder.`, `adapter.` and
`llm_proj.`; no tokenizer. VITRON (arXiv 2412.19806): a base directory in LLaVA's layout, its two LanguageBind towers in
it or beside it, and a directory with a LoRA adapter and the weights that were trained whole (`non_lora_trainables`).

VITRON's files are pickles. They are read only where the caller asks for it, by torch's `weights_only` loader, which
builds tensors and runs no code.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from vitron_ros.errors import ModelError
from vitron_ros.model.checkpoint import CONFIG, build_empty
from vitron_ros.model.config import ModelConfig, profile
from vitron_ros.model.files import SHOWN, is_file, quoted, read_json
from vitron_ros.model.lora import load_lora
from vitron_ros.model.vitron import VitronModel
from vitron_ros.model.weights import (
    ADAPTER_CONFIG,
    Loaded,
    LoadReport,
    describe_adapter,
    indexed_files,
    load_weights,
    read_tensors,
    weight_files,
)

PICKLE_INDEX = "pytorch_model.bin.index.json"
NON_LORA = "non_lora_trainables"

# First match wins. Each pattern is of a whole name; None: the model does without it on purpose.
Rules = tuple[tuple[str, str | None], ...]

ELYSIUM: Rules = (
    (r".*rotary_emb\.inv_freq", None),
    (r"llm\.(.*)", r"language.\1"),
    (r"adapter\.(.*)", r"selector.\1"),
    (r"llm_proj\.(.*)", r"projector.\1"),
)
VITRON: Rules = (
    (r".*rotary_emb\.inv_freq", None),
    (r"((?:model\.(?:embed_tokens|layers|norm)|lm_head)\..*)", r"language.\1"),
    (r"model\.mm_projector\.(.*)", r"projector.\1"),
    *(
        (rf"model\.region_extractor\.region_linear\.layers\.{layer}\.(.*)", rf"region.looks.{2 * layer}.\1")
        for layer in range(3)
    ),
    (r"model\.region_extractor\.loc_encoder\.loc_encoder\.(.*)", r"region.place.\1"),
)


def tower_rules(prefix: str, part: str, used_layers: int) -> Rules:
    """Rules for a CLIP vision model under a prefix (a pattern), to a `VisionEncoder` of that many layers."""
    layer = r"encoder\.layers\.(\d+)"
    beyond = "".join(rf"(?!{index}\.)" for index in range(used_layers))
    return (
        (rf"{prefix}(?:post_layernorm\..*|embeddings\.position_ids)", None),
        (rf"{prefix}encoder\.layers\.{beyond}\d+\..*", None),
        (rf"{prefix}{layer}\.temporal_embedding", rf"{part}.time_layers.\1.embedding"),
        (rf"{prefix}{layer}\.temporal_layer_norm1\.(.*)", rf"{part}.time_layers.\1.norm.\2"),
        (rf"{prefix}{layer}\.temporal_attn\.(.*)", rf"{part}.time_layers.\1.attn.\2"),
        (rf"{prefix}{layer}\.(.*)", rf"{part}.layers.\1.\2"),
        (rf"{prefix}((?:embeddings|pre_layrnorm)\..*)", rf"{part}.\1"),
    )


def rename(name: str, rules: Rules) -> str | None:
    """The name of a weight in this project's layout; None: not used on purpose. A name that no rule knows stays."""
    for pattern, template in rules:
        match = re.fullmatch(pattern, name)
        if match:
            return None if template is None else match.expand(template)
    return name


def load_elysium(
    directory: Path,
    config: ModelConfig | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> Loaded:
    """The model of a published Elysium checkpoint.

    Args:
        config: sizes; None: those of profile elysium-7b, with the token counts of the checkpoint's config.json.

    Raises:
        ModelError: a file is missing, damaged or a pickle, or a weight is not finite.
    """
    config = config or _elysium_config(directory)
    model = build_empty(config)
    rules = (*ELYSIUM, *tower_rules(r"visual_encoder\.(?:vision_model\.)?", "vision", config.vision.used_layers))
    renamed = partial(rename, rules=rules)
    report = load_weights(model, weight_files(directory), rename=renamed, device=device, dtype=dtype)
    return Loaded(model.eval(), report)


def load_vitron(
    base: Path,
    lora: Path | None = None,
    config: ModelConfig | None = None,
    *,
    image_tower: Path | None = None,
    video_tower: Path | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    read_pickles: bool = False,
) -> Loaded:
    """The model of a published VITRON checkpoint, its LoRA merged.

    Args:
        base: LLaVA's layout.
        lora: adapter_config.json, adapter_model and non_lora_trainables; None: the base alone.
        config: sizes; None: those of profile vitron-7b-published.
        image_tower, video_tower: LanguageBind directories, for a base without them.
        read_pickles: open `.bin` files, too, tensors only.

    Raises:
        ModelError: a file is missing, damaged, or a pickle that may not be read, or a weight is not finite.
    """
    config = config or profile("vitron-7b-published")
    video_layers = config.video.used_layers if config.video else 0
    rules = (
        *VITRON,
        *tower_rules(r"model\.image_tower\.image_tower\.", "vision", config.vision.used_layers),
        *tower_rules(r"model\.video_tower\.video_tower\.", "video", video_layers),
    )
    sources: list[tuple[list[Path], Rules]] = [(_files(base, read_pickles), rules)]
    # Of a whole LanguageBind model only the vision tower is used.
    others: Rules = ((r"(?:text_model|text_projection|visual_projection)\..*|logit_scale", None),)
    for tower, part, layers in (
        (image_tower, "vision", config.vision.used_layers),
        (video_tower, "video", video_layers),
    ):
        if tower is not None:
            sources.append((_files(tower, read_pickles), (*others, *tower_rules(r"vision_model\.", part, layers))))
    if lora is not None:
        # peft's wrapper puts base_model.model. before the names of the base.
        trained = tuple((rf"(?:base_model\.model\.)?{pattern}", template) for pattern, template in rules)
        sources.append(([_one_file(lora, NON_LORA, read_pickles)], trained))
    model = build_empty(config)
    read = partial(_read, read_pickles=read_pickles)
    reports = [
        load_weights(model, files, rename=partial(rename, rules=rules), device=device, dtype=dtype, read=read)
        for files, rules in sources
    ]
    report = _joined(reports, model)
    if lora is not None and not report.missing and not report.misshaped:
        load_lora(model, lora, tensors=dict(read(_one_file(lora, "adapter_model", read_pickles))), merge=True)
    return Loaded(model.eval(), report)


def layout_of(directory: Path) -> str:
    """Whose checkpoint lies in a directory: "elysium", "vitron" or "vitron_ros".

    Raises:
        ModelError: nobody's that is known.
    """
    if not is_file(directory / CONFIG) and is_file(directory / ADAPTER_CONFIG):
        raise ModelError(describe_adapter(directory))
    config = read_json(directory / CONFIG)
    kind = str(config.get("model_type", ""))
    if "elysium" in kind:
        return "elysium"
    if "llava" in kind or is_file(directory / ADAPTER_CONFIG):
        return "vitron"
    if "vision" in config and "language" in config:
        return "vitron_ros"
    raise ModelError(
        f"{directory / CONFIG} is of no known layout (model_type {quoted(kind)}); known are elysium, llava and this "
        "project's"
    )


def _elysium_config(directory: Path) -> ModelConfig:
    config = profile("elysium-7b")
    adapter = read_json(directory / CONFIG).get("adapter_config") or {}
    if not isinstance(adapter, dict):
        raise ModelError(f"{directory / CONFIG} has an adapter_config that is not a table; fetch the checkpoint again")
    selected, patches = adapter.get("out_token_num"), adapter.get("in_token_num")
    if selected is None or patches is None:
        return config
    if not (type(selected) is type(patches) is int and 0 < selected <= patches):
        raise ModelError(
            f"{directory / CONFIG} selects {quoted(selected)} of {quoted(patches)} tokens; both must be whole numbers "
            "from 1"
        )
    return replace(config, selector=replace(config.selector, alpha=selected / patches))


def _files(directory: Path, read_pickles: bool) -> list[Path]:
    """The weight files of a directory; pickles only where they may be read and there is nothing else."""
    has_safetensors = any(directory.glob("*.safetensors"))
    if has_safetensors or not read_pickles:
        return weight_files(directory)
    if is_file(directory / PICKLE_INDEX):
        return indexed_files(directory, PICKLE_INDEX)
    return [_one_file(directory, "pytorch_model", read_pickles)]


def _one_file(directory: Path, stem: str, read_pickles: bool) -> Path:
    safe, pickled = directory / f"{stem}.safetensors", directory / f"{stem}.bin"
    if is_file(safe):
        return safe
    if not is_file(pickled):
        raise ModelError(f"{directory} has neither {safe.name} nor {pickled.name}; fetch the checkpoint again")
    if not read_pickles:
        raise ModelError(
            f"{pickled} is a pickle, which can run code when opened; convert it with: "
            f"vitron models convert BASE OUT --lora {directory}"
        )
    return pickled


def _read(path: Path, *, read_pickles: bool) -> Iterator[tuple[str, Tensor]]:
    if path.suffix == ".safetensors":
        yield from read_tensors(path)
    elif read_pickles:
        yield from read_pickle(path).items()


def read_pickle(path: Path) -> Mapping[str, Tensor]:
    """The named tensors of a torch pickle; anything but tensors in it is refused and nothing of it is run.

    Raises:
        ModelError: it is damaged, or holds more than tensors.
    """
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a cut or foreign pickle fails in any way
        reason = (str(error) or type(error).__name__).partition("\n")[0][:SHOWN]
        raise ModelError(f"{path} is damaged or holds more than tensors: {reason}; fetch it again") from error
    if not isinstance(values, dict) or not all(_is_named_tensor(*item) for item in values.items()):
        raise ModelError(f"{path} is not a table of tensors; fetch the checkpoint again")
    return values


def _is_named_tensor(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor) and value.layout is torch.strided and not value.is_meta


def _joined(reports: list[LoadReport], model: VitronModel) -> LoadReport:
    """One report of several loads into the same model."""

    def gather(part: Callable[[LoadReport], tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(key for report in reports for key in part(report))

    missing = tuple(name for name in reports[0].missing if all(name in report.missing for report in reports))
    loaded = sum(1 for _ in model.parameters()) - len(missing)
    return LoadReport(
        loaded, missing, gather(lambda r: r.unexpected), gather(lambda r: r.misshaped), gather(lambda r: r.unused)
    )

"""Checkpoints as Elysium and VITRON published them, renamed into a `VitronModel` while they are read.

Elysium (arXiv 2403.16558): one directory of safetensors with the prefixes `llm.`, `visual_encoder.`, `adapter.` and
`llm_proj.`; no tokenizer. VITRON (arXiv 2412.19806): a base directory in LLaVA's layout, its two LanguageBind towers in
it or beside it, and a directory with a LoRA adapter and the weights that were trained whole (`non_lora_trainables`).
VITRON's files are pickles; see `pickles.py` for how they are read.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitron_ros.errors import ModelError
from vitron_ros.model.config import ModelConfig, profile
from vitron_ros.model.files import is_file, quoted, read_json
from vitron_ros.model.hub import CONFIG, PICKLE, PICKLE_INDEX
from vitron_ros.model.lora import PREFIX, LoraAdapter
from vitron_ros.model.pickles import read_pickle
from vitron_ros.model.pipeline_layout import MODEL_INDEX, stored_weights
from vitron_ros.model.published_parts import (
    ADAPTER,
    IMAGE_TOWER,
    TOKENIZER,
    VIDEO_TOWER,
    Layout,
    Part,
    part_folder,
    parts_of,
)
from vitron_ros.model.vitron import VitronModel
from vitron_ros.model.weights import (
    ADAPTER_CONFIG,
    INDEX,
    WeightSource,
    describe_adapter,
    indexed_files,
    named_weights,
    read_tensors,
    weight_files,
)

LAYOUTS: dict[str, Layout] = {"elysium": "elysium", "llava": "vitron"}
"""By the model_type of a config.json."""
NON_LORA = "non_lora_trainables"

Given = Mapping[Part, Path]  # folders of parts that the caller knows

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

# Of a whole CLIP or LanguageBind model only the vision tower is used.
TEXT_TOWER: Rules = ((r"(?:text_model|text_projection|visual_projection)\..*|logit_scale", None),)


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


def layout_of(config: Mapping[str, Any], where: str) -> Layout | None:
    """Whose layout a config.json is of; None: this project's own.

    Args:
        where: what a person knows it by.

    Raises:
        ModelError: nobody's that is known.
    """
    if "model_type" not in config:
        return None
    kind = config["model_type"]
    if isinstance(kind, str) and kind in LAYOUTS and "vision_config" not in config:
        return LAYOUTS[kind]
    if kind == "llava":
        raise ModelError(
            f"{where} holds a model of type transformers' own LLaVA, of which VITRON alone runs here; choose another, "
            "see: vitron models list"
        )
    raise ModelError(
        f"{where} holds a model of type {quoted(kind)}; those that are read as this project's own, or converted to it, "
        f"are {', '.join(LAYOUTS)}; others run as they are"
    )


def layout_in(directory: Path) -> Layout | None:
    """The layout of a directory; None: this project's own, or there is no config.json. Raises as `layout_of`."""
    path = directory / CONFIG
    return layout_of(read_json(path), str(directory)) if is_file(path) else None


def takes_pickles(config: Mapping[str, Any]) -> bool:
    """Whether tensors are read from a model's pickles where it has no safetensors."""
    kind = config.get("model_type")
    return isinstance(kind, str) and LAYOUTS.get(kind) == "vitron" and "vision_config" not in config


def published_config(directory: Path, layout: Layout) -> ModelConfig:
    """Sizes and choices of a published checkpoint. Of Elysium, its config.json gives the token counts.

    Raises:
        ModelError: they are none.
    """
    return _elysium_config(directory) if layout == "elysium" else profile("vitron-7b-published")


def stored_files(directory: Path) -> list[Path]:
    """The weight files of a directory in any layout; pickles only of one that has nothing else.

    Raises:
        ModelError: there are none, or not all that an index names.
    """
    if is_file(directory / MODEL_INDEX):
        return stored_weights(directory)
    config = read_json(directory / CONFIG) if is_file(directory / CONFIG) else {}
    return pickled_or_safe(directory) if takes_pickles(config) else weight_files(directory)


def tokenizer_folder(directory: Path, given: Given | None = None) -> Path:
    """The folder with the tokenizer of a checkpoint, fetched where it has none.

    Raises:
        ModelError: it is nowhere.
    """
    if given and TOKENIZER in given:
        return given[TOKENIZER]
    layout = layout_in(directory)
    needed = layout is not None and TOKENIZER in parts_of(layout, [path.name for path in directory.iterdir()], [])
    return part_folder(TOKENIZER, directory) if needed else directory


def weight_sources(
    directory: Path, model: VitronModel, *, dtype: torch.dtype | None = None, given: Given | None = None
) -> list[WeightSource]:
    """Where the weights of a model come from, and under which names.

    Args:
        model: of any device; its shapes count.
        dtype: of the weights in memory.
        given: folders of VITRON's parts; those that the base lacks and that are not given are looked for.

    Raises:
        ModelError: a file or a part is missing, damaged, or does not fit the model.
    """
    layout = layout_in(directory)
    if layout is None:
        return [WeightSource(files=weight_files(directory))]
    if layout == "vitron":
        return _vitron_sources(directory, model, dtype, dict(given or {}))
    rules = (*ELYSIUM, *tower_rules(r"visual_encoder\.(?:vision_model\.)?", "vision", model.config.vision.used_layers))
    return [WeightSource(files=weight_files(directory), rename=partial(rename, rules=rules))]


def _vitron_sources(
    base: Path, model: VitronModel, dtype: torch.dtype | None, folders: dict[Part, Path]
) -> list[WeightSource]:
    """The base with the adapter merged, its towers, and the weights that were trained whole."""
    config, files = model.config, pickled_or_safe(base)
    for part in parts_of("vitron", [], _weight_names(base, files)):
        if part is not TOKENIZER and part not in folders:
            folders[part] = part_folder(part, base)
    video_layers = config.video.used_layers if config.video else 0
    rules = (
        *VITRON,
        *tower_rules(r"model\.image_tower\.image_tower\.", "vision", config.vision.used_layers),
        *tower_rules(r"model\.video_tower\.video_tower\.", "video", video_layers),
    )
    read: Callable[[Path], Iterator[tuple[str, Tensor]]] = read_named
    if ADAPTER in folders:
        read = partial(_read_merged, adapter=_adapter(folders[ADAPTER], model), is_cast=dtype is not None)
    sources = [WeightSource(files=files, rename=partial(rename, rules=rules), read=read)]
    for tower, name, layers in (
        (IMAGE_TOWER, "vision", config.vision.used_layers),
        (VIDEO_TOWER, "video", video_layers),
    ):
        if tower in folders:
            tower_names = partial(rename, rules=(*TEXT_TOWER, *tower_rules(r"vision_model\.", name, layers)))
            sources.append(WeightSource(files=pickled_or_safe(folders[tower]), rename=tower_names, read=read_named))
    if ADAPTER in folders:
        # peft's wrapper puts its prefix before the names of the base.
        trained = tuple((rf"(?:{re.escape(PREFIX)})?{pattern}", template) for pattern, template in rules)
        file = _one_file(folders[ADAPTER], NON_LORA)
        sources.append(WeightSource(files=[file], rename=partial(rename, rules=trained), read=read_named))
    return sources


def _adapter(directory: Path, model: VitronModel) -> LoraAdapter:
    prefix = "language."
    shapes = {
        name.removeprefix(prefix): tuple(weight.shape)
        for name, weight in named_weights(model).items()
        if name.startswith(prefix)
    }
    return LoraAdapter(directory, dict(read_named(_one_file(directory, "adapter_model"))), shapes)


def _read_merged(path: Path, *, adapter: LoraAdapter, is_cast: bool) -> Iterator[tuple[str, Tensor]]:
    """As `read_named`. Weights that nobody casts later keep their type."""
    for name, tensor in read_named(path):
        merged = adapter.merged(name, tensor)
        yield name, merged if is_cast else merged.to(tensor.dtype)


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


def pickled_or_safe(directory: Path) -> list[Path]:
    """The weight files of a directory; pickles only where there is nothing else.

    Raises:
        ModelError: there are none, or not all that an index names.
    """
    if any(directory.glob("*.safetensors")):
        return weight_files(directory)
    if is_file(directory / PICKLE_INDEX):
        return indexed_files(directory, PICKLE_INDEX)
    if is_file(directory / ADAPTER_CONFIG) and not is_file(directory / PICKLE):
        raise ModelError(describe_adapter(directory))
    return [_one_file(directory, Path(PICKLE).stem)]


def _one_file(directory: Path, stem: str) -> Path:
    safe, pickled = directory / f"{stem}.safetensors", directory / f"{stem}.bin"
    if not (is_file(safe) or is_file(pickled)):
        raise ModelError(f"{directory} has neither {safe.name} nor {pickled.name}; fetch the checkpoint again")
    return safe if is_file(safe) else pickled


def _weight_names(directory: Path, files: Collection[Path]) -> set[str]:
    """The names of the weights in some files, by their index where there is one."""
    for index in (INDEX, PICKLE_INDEX):
        if is_file(directory / index):
            return set(read_json(directory / index)["weight_map"])
    return {name for file in files for name, _ in read_named(file)}


def read_named(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The named tensors of a file of `pickled_or_safe`. Raises ModelError if it is damaged."""
    return read_tensors(path) if path.suffix == ".safetensors" else iter(read_pickle(path).items())

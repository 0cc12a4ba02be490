"""`python -m training.assemble` joins a CLIP and a LLaMA model into a checkpoint that a stage starts from.

Their weights are copied as they are, one at a time; the T-Selector, the projector and the region encoder between them
are new. The model itself is only built on the meta device: no more than one file of the result is in memory.
"""

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from vitron_ros.cli.exit_code import DONE, exit_code
from vitron_ros.cli.numbers import whole
from vitron_ros.errors import ModelError, SourceError
from vitron_ros.model.checkpoint import CONFIG, SHARD_BYTES, save_settings
from vitron_ros.model.config import LanguageConfig, ModelConfig, SelectorConfig, VisionConfig, profile
from vitron_ros.model.files import is_file, quoted, read_json, shortened
from vitron_ros.model.projector import build_projector
from vitron_ros.model.prompt_profile import PromptProfile
from vitron_ros.model.published_layouts import TEXT_TOWER, Rules, pickled_or_safe, read_named, rename, tower_rules
from vitron_ros.model.region import build_region_encoder
from vitron_ros.model.token_selector import build_selector
from vitron_ros.model.tokenizer import Tokenizer
from vitron_ros.model.vitron import build_empty
from vitron_ros.model.weights import INDEX, OUTPUT_EMBEDDINGS, WEIGHTS, WeightSource, checked, named_weights

LLAMA: Rules = (
    (r".*rotary_emb\.inv_freq", None),
    (r"((?:model\.(?:embed_tokens|layers|norm)|lm_head)\..*)", r"language.\1"),
)

# The released selector passes no gradient to its scores; the gated one is trained through Gumbel noise, as Elysium's
# authors say that theirs was.
PROFILES: dict[str, ModelConfig] = {
    "elysium-7b": replace(profile("elysium-7b"), selector=SelectorConfig(kind="gated", alpha=0.1875, gumbel_noise=1.0)),
    "vitron-7b": replace(profile("vitron-7b"), selector=SelectorConfig(kind="gated", alpha=0.1875, gumbel_noise=1.0)),
    "vitron-7b-published": profile("vitron-7b-published"),
}

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Writes a checkpoint; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.assemble",
        description="Joins a CLIP vision model and a LLaMA language model, in local directories of transformers' "
        "layout, into a checkpoint with new parts between them.",
        epilog="example: python -m training.assemble --profile elysium-7b --vision clip-vit-large-patch14-336 "
        "--language vicuna-7b-v1.5 --out out/elysium/0_base",
    )
    parser.add_argument("--profile", required=True, choices=PROFILES, help="the parts between them, and the prompts")
    parser.add_argument("--vision", required=True, type=Path, help="directory of CLIP or LanguageBind_Image")
    parser.add_argument("--video", type=Path, help="directory of LanguageBind_Video, for vitron-7b-published")
    parser.add_argument("--language", required=True, type=Path, help="directory of Vicuna or another LLaMA")
    parser.add_argument("--out", required=True, type=Path, help="directory to write; it must hold no checkpoint yet")
    parser.add_argument("--seed", type=whole(0, 2**31), default=0, help="of the new parts (default: 0)")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    return exit_code("assemble", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    config = assemble(
        PROFILES[arguments.profile],
        vision=arguments.vision,
        language=arguments.language,
        video=arguments.video,
        out=arguments.out,
        seed=arguments.seed,
    )
    print(f"{arguments.out}: {config.name}, {config.tokens_per_frame} tokens a frame")
    return DONE


def assemble(
    recipe: ModelConfig,
    *,
    vision: Path,
    language: Path,
    out: Path,
    video: Path | None = None,
    seed: int = 0,
    shard_bytes: int = SHARD_BYTES,
) -> ModelConfig:
    """Writes the checkpoint; gives its config.

    Args:
        recipe: all but the sizes, which the directories give.
        shard_bytes: size of one weight file at most, unless a single weight is larger.

    Raises:
        ModelError: a directory holds another kind of model, is incomplete or damaged, or the parts do not fit.
        SourceError: the result cannot be written.
    """
    if is_file(out / CONFIG):
        raise ModelError(f"{out} holds a checkpoint already; give another directory, or remove it")
    if (recipe.video is None) != (video is None):
        raise ModelError(
            f"{recipe.name} sees video with a model of its own; give its directory, too"
            if video is None
            else f"{recipe.name} has no model of its own for video; leave that directory out"
        )
    tokenizer = Tokenizer.from_pretrained(language)
    config = replace(
        recipe,
        vision=_vision_config(vision, recipe.vision),
        video=None if video is None or recipe.video is None else _vision_config(video, recipe.video),
        language=_language_config(language, tokenizer),
    )
    tokenizer.number_ids()  # raises where boxes cannot be written
    sources = {
        "language": WeightSource(files=pickled_or_safe(language), rename=partial(rename, rules=LLAMA), read=read_named)
    }
    for part, folder, tower in (("vision", vision, config.vision), ("video", video, config.video)):
        if folder is not None and tower is not None:
            rules = (*TEXT_TOWER, *tower_rules(r"(?:vision_model\.)?", part, tower.used_layers))
            sources[part] = WeightSource(
                files=pickled_or_safe(folder), rename=partial(rename, rules=rules), read=read_named
            )
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_weights(_weights(config, sources, seed), out, shard_bytes)
        save_settings(config, out, tokenizer=tokenizer, prompt_profile=PromptProfile.built_in(config.prompt_profile))
    except OSError as error:
        raise SourceError(f"{out} cannot be written: {error.strerror}; make room and start again") from error
    return config


def _weights(config: ModelConfig, sources: Mapping[str, WeightSource], seed: int) -> Iterator[tuple[str, Tensor]]:
    """All weights of the model, each once."""
    expected = {name: tuple(weight.shape) for name, weight in named_weights(build_empty(config)).items()}
    missing = set(expected)
    for part, source in sources.items():
        for file in source.files:
            for theirs, tensor in source.read(file):
                name = source.rename(theirs)
                if name is None or (config.language.tie_embeddings and name == OUTPUT_EMBEDDINGS):
                    continue
                if expected.get(name) != tuple(tensor.shape):
                    raise ModelError(
                        f"{shortened([theirs])} in {file} has the shape {tuple(tensor.shape)}, and the {part} part has "
                        f"{expected.get(name, 'no such weight')}; its config.json is that of another model"
                    )
                missing.discard(name)
                yield name, checked(theirs, tensor, None, file)
    for name, tensor in _fresh_weights(config, seed):
        missing.discard(name)
        yield name, tensor
    if missing:
        raise ModelError(f"weights are missing: {shortened(sorted(missing))}; fetch the models again")


def _fresh_weights(config: ModelConfig, seed: int) -> Iterator[tuple[str, Tensor]]:
    torch.manual_seed(seed)
    built = {
        "selector": cast(nn.Module, build_selector(config)),
        "projector": build_projector(config),
        "region": cast("nn.Module | None", build_region_encoder(config)),
    }
    for part, module in built.items():
        for name, weight in module.named_parameters() if module else ():
            yield f"{part}.{name}", weight.detach()


def _write_weights(weights: Iterator[tuple[str, Tensor]], out: Path, shard_bytes: int) -> None:
    """Writes files in the order of the weights, and their index where there are several."""
    for old in (out / INDEX, *out.glob("model*.safetensors")):
        old.unlink(missing_ok=True)
    shard: dict[str, Tensor] = {}
    written: list[list[str]] = []  # names of the weights in each file

    def write() -> None:
        save_file(shard, out / f"model-{len(written) + 1:05}.safetensors", metadata={"format": "pt"})
        written.append(list(shard))
        shard.clear()

    for name, weight in weights:
        if shard and sum(each.nbytes for each in shard.values()) + weight.nbytes > shard_bytes:
            write()
        shard[name] = weight.clone(memory_format=torch.contiguous_format)  # no view of a file that is mapped
    write()
    if len(written) == 1:
        (out / "model-00001.safetensors").rename(out / WEIGHTS)
        return
    weight_map: dict[str, str] = {}
    for number, names in enumerate(written, 1):
        final = f"model-{number:05}-of-{len(written):05}.safetensors"
        (out / f"model-{number:05}.safetensors").rename(out / final)
        weight_map |= dict.fromkeys(names, final)
    (out / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}, indent=1) + "\n")


def _vision_config(directory: Path, recipe: VisionConfig) -> VisionConfig:
    """The sizes of a CLIP vision model, alone or of a whole CLIP; the preparation of images is the recipe's."""
    values = read_json(directory / CONFIG)
    kind = str(values.get("model_type", ""))
    values = values.get("vision_config", values)
    if "clip" not in kind.lower() and "languagebind" not in kind.lower():
        raise ModelError(f"{directory} holds a model of type {quoted(kind)}; give a CLIP or LanguageBind vision model")
    try:
        return replace(
            recipe,
            image_size=values.get("image_size", 224),
            patch_size=values.get("patch_size", 32),
            hidden_size=values.get("hidden_size", 768),
            intermediate_size=values.get("intermediate_size", 3072),
            num_layers=values.get("num_hidden_layers", 12),
            num_heads=values.get("num_attention_heads", 12),
            activation=values.get("hidden_act", "quick_gelu"),
            norm_eps=values.get("layer_norm_eps", 1e-5),
            time_frames=values.get("num_frames", recipe.time_frames) if recipe.time_frames else 0,
        )
    except TypeError as error:
        raise ModelError(f"{directory / CONFIG} has a size that is not a number: {error}; fetch it again") from error


def _language_config(directory: Path, tokenizer: Tokenizer) -> LanguageConfig:
    """The sizes of a LLaMA model; its control tokens are the tokenizer's."""
    values = read_json(directory / CONFIG)
    if values.get("model_type") != "llama":
        raise ModelError(
            f"{directory} holds a model of type {quoted(values.get('model_type'))}; give a LLaMA, such as Vicuna"
        )
    rope: Any = values.get("rope_parameters") or values.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        raise ModelError(f"{directory} scales its rotary positions, which is not supported; give a LLaMA without that")
    try:
        heads = values["num_attention_heads"]
        config = LanguageConfig(
            vocab_size=values["vocab_size"],
            hidden_size=values["hidden_size"],
            intermediate_size=values["intermediate_size"],
            num_layers=values["num_hidden_layers"],
            num_heads=heads,
            num_kv_heads=values.get("num_key_value_heads") or heads,
            head_dim=values.get("head_dim") or values["hidden_size"] // heads,
            rope_theta=float(rope.get("rope_theta", values.get("rope_theta", 10000.0))),
            rms_norm_eps=values["rms_norm_eps"],
            max_positions=values["max_position_embeddings"],
            tie_embeddings=values.get("tie_word_embeddings", False),
            bos_token_id=tokenizer.bos_id,
            eos_token_id=tokenizer.eos_id,
            pad_token_id=tokenizer.pad_id,
        )
    except (KeyError, TypeError) as error:
        raise ModelError(f"{directory / CONFIG} lacks a size, or it is no number: {error}; fetch it again") from error
    if tokenizer.size > config.vocab_size:
        raise ModelError(
            f"the tokenizer in {directory} has {tokenizer.size} tokens, the model only {config.vocab_size}; it belongs "
            "to another model"
        )
    return config


if __name__ == "__main__":
    sys.exit(main())

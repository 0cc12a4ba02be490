"""List, show, verify and convert models. Only safetensors are ever run; `convert` reads pickles, tensors only."""

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.model.checkpoint import (
    ASSETS,
    CONFIG,
    build_empty,
    find_checkpoint,
    load_weights,
    read_config,
    save_pretrained,
    weight_files,
)
from vitron_ros.model.config import PROFILES, ModelConfig, profile
from vitron_ros.model.footprint import Footprint, footprint
from vitron_ros.model.published_layouts import Loaded, layout_of, load_elysium, load_vitron
from vitron_ros.model.tokenizer import JSON_NAME, SENTENCEPIECE_NAME, Tokenizer

NAME = "models"
HELP = "list, show, verify and convert models"
EPILOG = """examples:
  vitron models list
  vitron models show elysium-7b
  vitron models convert elysium_7b/ models/elysium --tokenizer vicuna-7b-v1.5/
  vitron models convert vitron-base/ models/vitron --lora vitron-lora/
  vitron models verify models/vitron"""

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
GIB = 1024**3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="the profiles, and which are bundled")
    show = actions.add_parser("show", help="parameters and memory by part, before anything is allocated")
    show.add_argument("model", help="a profile, or a checkpoint: directory, bundled name or hub id")
    verify = actions.add_parser("verify", help="read every weight and the tokenizer, and say whether they fit")
    verify.add_argument("model", help="a checkpoint: directory, bundled name or hub id")
    convert = actions.add_parser("convert", help="bring a published Elysium or VITRON checkpoint into this layout")
    convert.add_argument("source", type=Path, help="the published directory; of VITRON, the base")
    convert.add_argument("out", type=Path, help="the directory to write; it must be new or empty")
    convert.add_argument("--lora", type=Path, help="VITRON's adapter directory, merged into the base")
    convert.add_argument("--image-tower", type=Path, help="LanguageBind_Image, if the base lacks it")
    convert.add_argument("--video-tower", type=Path, help="LanguageBind_Video_merge, if the base lacks it")
    convert.add_argument("--tokenizer", type=Path, help="directory with the tokenizer, if the source lacks one")
    convert.add_argument(
        "--config",
        type=Path,
        help="directory with a config.json of this layout, if the sizes are not the published ones",
    )
    convert.add_argument(
        "--dtype", choices=sorted(DTYPES), default="float16", help="of the weights written (default: float16)"
    )
    for action in actions.choices.values():
        action.add_argument("--json", action="store_true", help="print the result as JSON on stdout")


def run(args: argparse.Namespace) -> int:
    """Exit code 0; 1 where `verify` finds a fault."""
    actions = {"list": _list, "show": _show, "verify": _verify, "convert": _convert}
    return actions[args.action](args)


def _list(args: argparse.Namespace) -> int:
    rows = []
    for name, config in PROFILES.items():
        sizes = footprint(config)
        is_bundled = (ASSETS / name / CONFIG).is_file()
        rows.append(
            {"name": name, "bundled": is_bundled, "parameters": sizes.total, "float16_bytes": sizes.float16_bytes}
        )
    if args.json:
        print(json.dumps(rows))
        return 0
    for row in rows:
        where = "bundled" if row["bundled"] else "needs weights"
        size = _size(row["float16_bytes"])
        print(f"{row['name']:<22}{_millions(row['parameters']):>12}  {size:>10} in float16  {where}")
    return 0


def _show(args: argparse.Namespace) -> int:
    config = _config(args.model)
    sizes = footprint(config)
    if args.json:
        totals = {
            name: getattr(sizes, name)
            for name in ("total", "float32_bytes", "float16_bytes", "int8_bytes", "cache_bytes")
        }
        print(json.dumps({"config": json.loads(config.to_json()), **asdict(sizes), **totals}))
    else:
        print(_table(config, sizes))
    return 0


def _table(config: ModelConfig, sizes: Footprint) -> str:
    vision = config.vision
    rows = [
        f"{config.name}: image {vision.image_size} px, {vision.num_patches} patches a frame, "
        f"{sizes.tokens_per_frame} tokens a frame"
    ]
    rows += [f"  {part:<12}{_millions(count):>12}  {_size(2 * count):>10}" for part, count in sizes.parameters.items()]
    rows += [
        f"  {'total':<12}{_millions(sizes.total):>12}  {_size(sizes.float16_bytes):>10} in float16, "
        f"{_size(sizes.float32_bytes)} in float32, {_size(sizes.int8_bytes)} with int8 language weights",
        f"  cache of a full context of {sizes.context} tokens: {_size(sizes.cache_bytes)} in float16",
    ]
    return "\n".join(rows)


def _verify(args: argparse.Namespace) -> int:
    directory = find_checkpoint(args.model)
    config = read_config(directory)
    # To the meta device: every value is read and checked, none is kept.
    report = load_weights(build_empty(config), weight_files(directory), device="meta")
    faults = [] if report.is_complete else [str(report)]
    try:
        tokenizer = Tokenizer.from_pretrained(directory)
        faults += _tokenizer_faults(tokenizer, config)
    except ModelError as error:
        faults.append(str(error))
    result = {"checkpoint": str(directory), "ok": not faults, "weights": asdict(report), "faults": faults}
    print(
        json.dumps(result)
        if args.json
        else "\n".join([f"{directory}: {report}", *faults, "ok" if not faults else "not ok"])
    )
    return 1 if faults else 0


def _tokenizer_faults(tokenizer: Tokenizer, config: ModelConfig) -> list[str]:
    language, faults = config.language, []
    if tokenizer.size > language.vocab_size:
        faults.append(f"the tokenizer has {tokenizer.size} tokens, the model only {language.vocab_size}")
    theirs, ours = (tokenizer.bos_id, tokenizer.eos_id), (language.bos_token_id, language.eos_token_id)
    if theirs != ours:
        faults.append(f"the tokenizer begins and ends text with tokens {theirs}, the model with {ours}")
    return faults


def _convert(args: argparse.Namespace) -> int:
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise ModelError(f"{args.out} exists already; give a new directory")
    loaded = _load_published(args)
    report = loaded.report
    if report.missing or report.misshaped:
        raise ModelError(
            f"{args.source} does not fit the model {loaded.model.config.name}: {report}; give its sizes with --config"
        )
    print(report, file=sys.stderr)
    save_pretrained(loaded.model, args.out, dtype=DTYPES[args.dtype])
    tokenizer = _copy_tokenizer([args.tokenizer] if args.tokenizer else [args.source, args.lora], args.out)
    if not tokenizer:
        print(
            f"{args.source} has no tokenizer; copy tokenizer.model of its language model (lmsys/vicuna-7b-v1.5) "
            f"to {args.out}",
            file=sys.stderr,
        )
    result = {"out": str(args.out), "tokenizer": tokenizer, **asdict(report)}
    print(
        json.dumps(result)
        if args.json
        else f"{args.out}: {report.loaded} weights, {_millions(_total(loaded))} parameters"
    )
    return 0


def _load_published(args: argparse.Namespace) -> Loaded:
    layout = layout_of(args.source)
    if layout == "vitron_ros":
        raise ModelError(f"{args.source} is in this project's layout already")
    config = read_config(args.config) if args.config else None
    dtype = DTYPES[args.dtype]
    if layout == "elysium":
        return load_elysium(args.source, config, dtype=dtype)
    return load_vitron(
        args.source,
        args.lora,
        config,
        image_tower=args.image_tower,
        video_tower=args.video_tower,
        dtype=dtype,
        read_pickles=True,
    )


def _copy_tokenizer(places: list[Path | None], out: Path) -> str | None:
    """Copies the first tokenizer found, and gives its file name."""
    for place in places:
        for name in (JSON_NAME, SENTENCEPIECE_NAME):
            if place is not None and (place / name).is_file():
                shutil.copyfile(place / name, out / name)
                return name
    return None


def _config(model: str) -> ModelConfig:
    if model in PROFILES and not Path(model).is_dir():
        return profile(model)
    try:
        return read_config(find_checkpoint(model))
    except ModelError as error:
        raise ConfigError(f"{error}. Profiles: {', '.join(PROFILES)}") from error


def _total(loaded: Loaded) -> int:
    return sum(weight.numel() for weight in loaded.model.parameters())


def _millions(count: Any) -> str:
    return f"{count / 1e6:,.2f} M"


def _size(nbytes: Any) -> str:
    return f"{nbytes / GIB:.2f} GiB" if nbytes >= GIB / 10 else f"{nbytes / 1024**2:.1f} MiB"

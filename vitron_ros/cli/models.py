"""List, show, verify and convert models. Only safetensors are ever run; `convert` reads pickles, tensors only."""

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError

from vitron_ros.cli.options import add_json_option
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.grounding.model_files import verify_files
from vitron_ros.model.checkpoint import ASSETS, CONFIG, find_checkpoint, read_config, save_pretrained
from vitron_ros.model.config import PROFILES, ModelConfig, profile
from vitron_ros.model.device import find_device
from vitron_ros.model.files import is_file
from vitron_ros.model.footprint import Footprint, footprint
from vitron_ros.model.published_layouts import layout_of, load_elysium, load_vitron
from vitron_ros.model.tokenizer import JSON_NAME, SENTENCEPIECE_NAME
from vitron_ros.model.vitron import VitronModel
from vitron_ros.model.weights import Loaded

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
    verify.add_argument("--model-device", default="cpu", help="whose memory it has to fit: cpu, cuda or cuda:N")
    convert = actions.add_parser("convert", help="bring a published Elysium or VITRON checkpoint into this layout")
    convert.add_argument("source", type=_path, help="the published directory; of VITRON, the base")
    convert.add_argument("out", type=_path, help="the directory to write; it must be new or empty")
    convert.add_argument("--lora", type=_path, help="VITRON's adapter directory, merged into the base")
    convert.add_argument("--image-tower", type=_path, help="LanguageBind_Image, if the base lacks it")
    convert.add_argument("--video-tower", type=_path, help="LanguageBind_Video_merge, if the base lacks it")
    convert.add_argument("--tokenizer", type=_path, help="directory with the tokenizer, if the source lacks one")
    convert.add_argument(
        "--config",
        type=_path,
        help="directory with a config.json of this layout, if the sizes are not the published ones",
    )
    convert.add_argument(
        "--dtype", choices=sorted(DTYPES), default="float16", help="of the weights written (default: float16)"
    )
    for action in actions.choices.values():
        add_json_option(action)


def _path(text: str) -> Path:
    if not text.strip():  # Path would make it the current folder
        raise argparse.ArgumentTypeError("the name is empty; give a directory")
    return Path(text)


def run(args: argparse.Namespace) -> int:
    """Exit code 0; 1 where `verify` finds a fault."""
    actions = {"list": _list, "show": _show, "verify": _verify, "convert": _convert}
    return actions[args.action](args)


def _list(args: argparse.Namespace) -> int:
    rows = []
    for name in PROFILES:
        is_bundled = _is_bundled(name)
        sizes = footprint(read_config(ASSETS / name) if is_bundled else profile(name))
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
    verdict = verify_files(directory, find_device(args.model_device))
    faults, report = list(verdict.faults.values()), verdict.report
    result = {
        "checkpoint": str(directory),
        "ok": not faults,
        "weights": None if report is None else asdict(report),
        "faults": faults,
    }
    if args.json:
        print(json.dumps(result))
    else:
        lines = [f"{directory}: {report}"] if report is not None and report.is_complete else []
        print("\n".join([*lines, *faults, "not ok" if faults else "ok"]))
    return 1 if faults else 0


def _convert(args: argparse.Namespace) -> int:
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise ModelError(f"{args.out} exists already; give a new directory")
    places = [args.tokenizer] if args.tokenizer else [args.source, args.lora]
    tokenizer = _find_tokenizer(places)
    if args.tokenizer and tokenizer is None:
        raise ModelError(f"{args.tokenizer} has neither {JSON_NAME} nor {SENTENCEPIECE_NAME}; give their directory")
    loaded = _load_published(args)
    report = loaded.report
    if report.missing or report.misshaped:
        raise ModelError(
            f"{args.source} does not fit the model {loaded.model.config.name}: {report}; give its sizes with --config"
        )
    print(report, file=sys.stderr)
    try:
        _write_sound(loaded.model, tokenizer, args)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{args.out} cannot be written: {error}; nothing was kept") from error
    if tokenizer is None:
        print(
            f"{args.source} has no tokenizer; copy tokenizer.model of its language model (lmsys/vicuna-7b-v1.5) "
            f"to {args.out}",
            file=sys.stderr,
        )
    result = {"out": str(args.out), "tokenizer": tokenizer and tokenizer.name, **asdict(report)}
    print(
        json.dumps(result)
        if args.json
        else f"{args.out}: {report.loaded} weights, {_millions(_total(loaded))} parameters"
    )
    return 0


def _write_sound(model: VitronModel, tokenizer: Path | None, args: argparse.Namespace) -> None:
    """Writes a checkpoint that `verify` finds sound, but for a tokenizer that is still to come, or nothing."""
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=args.out.parent, prefix=f".{args.out.name}-") as unfinished:
        written = Path(unfinished) / args.out.name
        save_pretrained(model, written, dtype=DTYPES[args.dtype])
        if tokenizer is not None:
            shutil.copyfile(tokenizer, written / tokenizer.name)
        faults = verify_files(written).faults
        if tokenizer is None:
            faults.pop("tokenizer", None)
        if faults:
            told = "; ".join(faults.values()).replace(str(written), str(args.out))
            raise ModelError(f"nothing was written, since it would not load: {told}")
        written.replace(args.out)


def _load_published(args: argparse.Namespace) -> Loaded:
    layout = layout_of(args.source)
    if layout == "vitron_ros":
        raise ModelError(f"{args.source} is in this project's layout already")
    config = read_config(args.config) if args.config else None
    dtype = DTYPES[args.dtype]
    if layout == "elysium":
        if args.lora or args.image_tower or args.video_tower:
            raise ModelError(
                f"{args.source} is Elysium's, which has no adapter and no towers beside it; leave them out"
            )
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


def _find_tokenizer(places: list[Path | None]) -> Path | None:
    """The first tokenizer's file in some directories."""
    files = [place / name for place in places if place for name in (JSON_NAME, SENTENCEPIECE_NAME)]
    return next((file for file in files if is_file(file)), None)


def _config(model: str) -> ModelConfig:
    if model in PROFILES and not _is_bundled(model) and not Path(model).is_dir():
        return profile(model)
    try:
        return read_config(find_checkpoint(model))
    except ModelError as error:
        raise ConfigError(f"{error}. Profiles: {', '.join(PROFILES)}") from error


def _is_bundled(model: str) -> bool:
    return (ASSETS / model / CONFIG).is_file()


def _total(loaded: Loaded) -> int:
    return sum(weight.numel() for weight in loaded.model.parameters())


def _millions(count: Any) -> str:
    return f"{count / 1e6:,.2f} M"


def _size(nbytes: Any) -> str:
    return f"{nbytes / GIB:.2f} GiB" if nbytes >= GIB / 10 else f"{nbytes / 1024**2:.1f} MiB"

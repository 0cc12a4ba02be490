"""Bring a published Elysium or VITRON checkpoint into this project's layout."""

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError

from vitron_ros.cli.models.sizes import millions
from vitron_ros.errors import ModelError
from vitron_ros.grounding.model_files import verify_files
from vitron_ros.model.checkpoint import read_config, save_pretrained
from vitron_ros.model.files import is_file
from vitron_ros.model.hub import cached_folder
from vitron_ros.model.published_layouts import layout_of, load_elysium, load_vitron
from vitron_ros.model.tokenizer import JSON_NAME, SENTENCEPIECE_NAME
from vitron_ros.model.vitron import VitronModel
from vitron_ros.model.weights import Loaded

HELP = "bring a published Elysium or VITRON checkpoint into this layout"
EPILOG = """examples:
  vitron models convert elysium_7b/ models/elysium --tokenizer vicuna-7b-v1.5/
  vitron models convert vitron-base/ models/vitron --lora vitron-lora/"""
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=_folder, help="the published directory, or a fetched hub id; of VITRON, the base"
    )
    parser.add_argument("out", type=_path, help="the directory to write; it must be new or empty")
    parser.add_argument("--lora", type=_folder, help="VITRON's adapter directory, merged into the base")
    parser.add_argument("--image-tower", type=_path, help="LanguageBind_Image, if the base lacks it")
    parser.add_argument("--video-tower", type=_path, help="LanguageBind_Video_merge, if the base lacks it")
    parser.add_argument("--tokenizer", type=_folder, help="directory with the tokenizer, if the source lacks one")
    parser.add_argument(
        "--config",
        type=_path,
        help="directory with a config.json of this layout, if the sizes are not the published ones",
    )
    parser.add_argument(
        "--dtype", choices=sorted(DTYPES), default="float16", help="of the weights written (default: float16)"
    )


def _path(text: str) -> Path:
    if not text.strip():  # Path would make it the current folder
        raise argparse.ArgumentTypeError("the name is empty; give a directory")
    return Path(text)


def _folder(text: str) -> Path:
    """A folder, or that of a hub id which was fetched."""
    path = _path(text)
    return path if path.exists() else cached_folder(text) or path


def run(args: argparse.Namespace) -> int:
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
        else f"{args.out}: {report.loaded} weights, {millions(_total(loaded))} parameters"
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


def _total(loaded: Loaded) -> int:
    return sum(weight.numel() for weight in loaded.model.parameters())

"""Write a published Elysium or VITRON checkpoint in this project's layout: merged, smaller, or of other sizes.

Nothing needs it: published checkpoints are loaded as they are. What is not given of a checkpoint's parts is looked for
as `vitron ask` does.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError

from vitron_ros.cli.models.sizes import millions
from vitron_ros.cli.options import add_json_option
from vitron_ros.errors import ModelError
from vitron_ros.grounding.families import check_config
from vitron_ros.grounding.model_files import verify_files
from vitron_ros.model.checkpoint import (
    find_checkpoint,
    read_config,
    read_model,
    read_tokenizer,
    save_pretrained,
)
from vitron_ros.model.published_layouts import layout_in
from vitron_ros.model.published_parts import ADAPTER, IMAGE_TOWER, TOKENIZER, VIDEO_TOWER, Layout, Part
from vitron_ros.model.tokenizer import Tokenizer
from vitron_ros.model.vitron import VitronModel

EPILOG = """examples:
  vitron models convert sty-yyj/elysium_7b models/elysium
  vitron models convert vitron-base/ models/vitron --lora vitron-lora/"""
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=_name, help="the published directory or hub id; of VITRON, the base")
    parser.add_argument("out", type=_path, help="the directory to write; it must be new or empty")
    parser.add_argument("--lora", type=_path, help="VITRON's adapter directory")
    parser.add_argument("--image-tower", type=_path, help="LanguageBind_Image, if the base lacks it")
    parser.add_argument("--video-tower", type=_path, help="LanguageBind_Video_merge, if the base lacks it")
    parser.add_argument("--tokenizer", type=_path, help="directory with the tokenizer, if the source lacks one")
    parser.add_argument(
        "--config",
        type=_path,
        help="directory with a config.json of this layout, if the sizes are not the published ones",
    )
    parser.add_argument(
        "--dtype", choices=sorted(DTYPES), default="float16", help="of the weights written (default: float16)"
    )
    add_json_option(parser)


def _name(text: str) -> str:
    if not text.strip():  # Path would make it the current folder
        raise argparse.ArgumentTypeError("the name is empty; give a directory")
    return text


def _path(text: str) -> Path:
    return Path(_name(text))


def run(args: argparse.Namespace) -> int:
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise ModelError(f"{args.out} exists already; give a new directory")
    source = find_checkpoint(args.source, check_config)
    layout = layout_in(source)
    if layout is None:
        read_config(source)  # a better reason, where it is no checkpoint at all
        raise ModelError(f"{source} is in this project's layout already")
    given = _given(args, layout)
    config = read_config(args.config or source)
    tokenizer = read_tokenizer(source, config, given=given)
    loaded = read_model(source, config, dtype=DTYPES[args.dtype], given=given)
    print(loaded.report, file=sys.stderr)
    try:
        _write_sound(loaded.model, tokenizer, args)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{args.out} cannot be written: {error}; nothing was kept") from error
    report = loaded.report
    if args.json:
        print(json.dumps({"out": str(args.out), **asdict(report)}))
    else:
        count = sum(weight.numel() for weight in loaded.model.parameters())
        print(f"{args.out}: {report.loaded} weights, {millions(count)} parameters")
    return 0


def _write_sound(model: VitronModel, tokenizer: Tokenizer, args: argparse.Namespace) -> None:
    """Writes a checkpoint that `verify` finds sound, or nothing."""
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=args.out.parent, prefix=f".{args.out.name}-") as unfinished:
        written = Path(unfinished) / args.out.name
        save_pretrained(model, written, tokenizer=tokenizer, dtype=DTYPES[args.dtype])
        if faults := verify_files(written).faults:
            told = "; ".join(faults.values()).replace(str(written), str(args.out))
            raise ModelError(f"nothing was written, since it would not load: {told}")
        written.replace(args.out)


def _given(args: argparse.Namespace, layout: Layout) -> dict[Part, Path]:
    """The parts whose folders the command names."""
    named = {ADAPTER: args.lora, IMAGE_TOWER: args.image_tower, VIDEO_TOWER: args.video_tower}
    weights = {part: path for part, path in named.items() if path is not None}
    if weights and layout == "elysium":
        raise ModelError(f"{args.source} is Elysium's, which has no adapter and no towers beside it; leave them out")
    return weights if args.tokenizer is None else {**weights, TOKENIZER: args.tokenizer}

"""Write a published Elysium or VITRON checkpoint in this project's layout: merged, smaller, or of other sizes.

Nothing needs it: published checkpoints are loaded as they are. What is not given of a checkpoint's parts is looked for
as `vitron ask` does.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from vitron_ros.cli.models.sizes import millions
from vitron_ros.cli.options import add_json_option

EPILOG = """examples:
  vitron models convert sty-yyj/elysium_7b models/elysium
  vitron models convert vitron-base/ models/vitron --lora vitron-lora/"""
DTYPES = ("bfloat16", "float16", "float32")


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
    parser.add_argument("--dtype", choices=DTYPES, default="float16", help="of the weights written (default: float16)")
    add_json_option(parser)


def _name(text: str) -> str:
    if not text.strip():  # Path would make it the current folder
        raise argparse.ArgumentTypeError("the name is empty; give a directory")
    return text


def _path(text: str) -> Path:
    return Path(_name(text))


def run(args: argparse.Namespace) -> int:
    # Here, since --help does without torch and transformers.
    import torch

    from vitron_ros.grounding.conversion import convert

    loaded = convert(
        args.source,
        args.out,
        dtype=getattr(torch, args.dtype),
        adapter=args.lora,
        image_tower=args.image_tower,
        video_tower=args.video_tower,
        tokenizer=args.tokenizer,
        config=args.config,
    )
    print(loaded.report, file=sys.stderr)
    if args.json:
        print(json.dumps({"out": str(args.out), **asdict(loaded.report)}))
    else:
        count = sum(weight.numel() for weight in loaded.model.parameters())
        print(f"{args.out}: {loaded.report.loaded} weights, {millions(count)} parameters")
    return 0

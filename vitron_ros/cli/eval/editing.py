"""Removal where the background is known, and recolouring.

An object is removed from footage that something was drawn over, and from drawn scenes; the fill is compared with the
known background, beside OpenCV's inpainting frame by frame. In still scenes no frame shows the background. Objects of
drawn scenes, and those of sequences with masks, are recoloured; the hue that results is compared with the asked one.
"""

import argparse
import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from vitron_ros.cli.numbers import whole
from vitron_ros.cli.options import add_json_option
from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.covered_clips import FOOTAGE_FRAMES, FOOTAGE_SIZE, CoveredClip, drawn_clip, footage_clip
from vitron_ros.evaluation.datasets.masked_sequences import MaskedSequence, load_masked_sequences
from vitron_ros.evaluation.editing import means, recolouring, removal
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.module import EMBEDDED, ModuleBackend

EPILOG = "example: vitron eval editing DATASET --only davis-libby,davis-blackswan --json"
REMOVAL = ("psnr", "telea", "ns", "gain", "flicker", "source_flicker", "ms_per_frame")
RECOLOURING = ("hue_error", "worst_hue_error", "shading", "flicker", "source_flicker", "ms_per_frame")
STILL_CLIPS = 2
RECOLOURED_FRAMES = 6
NAME_WIDTH = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, help="folder of <name>/frames/ with <name>/masks/ and groundtruth.txt")
    parser.add_argument("--only", metavar="NAME,...", help="sequences of it (all)")
    parser.add_argument("--drawn", type=whole(1), default=8, help="drawn clips (8)")
    parser.add_argument("--backend", default=EMBEDDED, help=f"or the folder of a model ({EMBEDDED})")
    add_json_option(parser, "figures of every clip")


def run(arguments: argparse.Namespace) -> int:
    sequences = _sequences(arguments.dataset, arguments.only)
    cv2.setNumThreads(1)
    backend = load_backend("editing", arguments.backend, ModelRun())
    clips = {
        "footage": [_footage(sequence) for sequence in sequences],
        "drawn": [drawn_clip(seed) for seed in range(arguments.drawn)],
        "still": [drawn_clip(seed, still=True) for seed in range(STILL_CLIPS)],
    }
    with tqdm(total=sum(map(len, clips.values())), unit="clip", file=sys.stderr, disable=None) as bar:
        results = {f"removal, {kind}": [_removed(backend, clip, bar) for clip in some] for kind, some in clips.items()}
    results["recolouring, drawn"] = [
        recolouring(backend, clip.name, clip.images[:RECOLOURED_FRAMES], clip.masks[:RECOLOURED_FRAMES])
        for clip in clips["drawn"]
    ]
    results["recolouring, footage"] = [_recoloured(backend, sequence) for sequence in sequences]
    if arguments.json:
        print(json.dumps({kind: {"clips": rows, "mean": means(rows)} for kind, rows in results.items()}))
    else:
        print("\n\n".join(_table(kind, rows) for kind, rows in results.items()))
    return 0


def _sequences(dataset: Path, only: str | None) -> list[MaskedSequence]:
    sequences = {masked.sequence.name: masked for masked in load_masked_sequences(dataset)}
    names = list(sequences) if only is None else only.split(",")
    unknown = [name for name in names if name not in sequences]
    if unknown:
        raise ConfigError(f"{dataset} has no sequence with masks called {', '.join(unknown)}; see the folders in it")
    return [sequences[name] for name in names]


def _footage(masked: MaskedSequence) -> CoveredClip:
    frames = islice(masked.sequence.frames(), FOOTAGE_FRAMES)
    return footage_clip(masked.sequence.name, [frame.rgb for frame in frames])


def _removed(backend: ModuleBackend, clip: CoveredClip, bar: tqdm) -> dict[str, Any]:
    row = removal(backend, clip)
    bar.update()
    return row


def _recoloured(backend: ModuleBackend, masked: MaskedSequence) -> dict[str, Any]:
    """Figures of a sequence's own target."""
    frames = list(islice(masked.sequence.frames(), RECOLOURED_FRAMES))
    images = [cv2.resize(frame.rgb, FOOTAGE_SIZE, interpolation=cv2.INTER_AREA) for frame in frames]
    masks = [np.where(masked.mask(frame.index), 255, 0).astype(np.uint8) for frame in frames]
    small = [cv2.resize(mask, FOOTAGE_SIZE, interpolation=cv2.INTER_NEAREST) for mask in masks]
    return recolouring(backend, masked.sequence.name, images, small)


def _table(kind: str, rows: list[dict[str, Any]]) -> str:
    keys = REMOVAL if kind.startswith("removal") else RECOLOURING
    lines = ["".join([kind.ljust(NAME_WIDTH), *(key.rjust(16) for key in keys)])]
    for row in [*rows, {"name": "mean", "unseen": "", **means(rows)}]:
        told = f"  {row['unseen']}" if row.get("unseen") else ""
        lines.append("".join([row["name"].ljust(NAME_WIDTH), *(f"{row[key]:16.2f}" for key in keys), told]))
    touched = [row["name"] for row in rows if not row["untouched"]]
    lines.append(f"touched outside the mask: {', '.join(touched) or 'none'}")
    return "\n".join(lines)

"""`vitron eval editing`: removal where the background is known, and recolouring.

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
from vitron_ros.evaluation.datasets import Sequence, load_sequences
from vitron_ros.evaluation.editing import means, recolouring, removal
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.module import EMBEDDED, Mask, ModuleBackend
from vitron_ros.recordings.image_files import read_image

EPILOG = "example: vitron eval editing DATASET --only davis-libby,davis-blackswan --json"
REMOVAL = ("psnr", "telea", "ns", "gain", "flicker", "source_flicker", "ms_per_frame")
RECOLOURING = ("hue_error", "worst_hue_error", "shading", "flicker", "source_flicker", "ms_per_frame")
STILL_CLIPS = 2
RECOLOURED_FRAMES = 6
NAME_WIDTH = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, help="folder of <name>/frames/ with <name>/groundtruth.txt")
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
    recoloured = (_recoloured(backend, sequence) for sequence in sequences)
    results["recolouring, footage"] = [row for row in recoloured if row is not None]
    if arguments.json:
        print(json.dumps({kind: {"clips": rows, "mean": means(rows)} for kind, rows in results.items() if rows}))
    else:
        print("\n\n".join(_table(kind, rows) for kind, rows in results.items() if rows))
    return 0


def _sequences(dataset: Path, only: str | None) -> list[Sequence]:
    sequences = load_sequences(dataset)
    names = None if only is None else only.split(",")
    unknown = [name for name in names or () if name not in {sequence.name for sequence in sequences}]
    if unknown:
        raise ConfigError(f"{dataset} has no sequence {', '.join(unknown)}; see the folders in it")
    return [sequence for sequence in sequences if names is None or sequence.name in names]


def _footage(sequence: Sequence) -> CoveredClip:
    return footage_clip(sequence.name, [frame.rgb for frame in islice(sequence.frames(), FOOTAGE_FRAMES)])


def _removed(backend: ModuleBackend, clip: CoveredClip, bar: tqdm) -> dict[str, Any]:
    row = removal(backend, clip)
    bar.update()
    return row


def _recoloured(backend: ModuleBackend, sequence: Sequence) -> dict[str, Any] | None:
    """Figures of a sequence's own target; None: it has no masks."""
    paths = sequence.paths[:RECOLOURED_FRAMES]
    mask_files = [path.parent.parent / "masks" / f"{path.stem}.png" for path in paths]
    if not all(file.is_file() for file in mask_files):
        return None
    images = [cv2.resize(read_image(path), FOOTAGE_SIZE, interpolation=cv2.INTER_AREA) for path in paths]
    return recolouring(backend, sequence.name, images, [_mask(file) for file in mask_files])


def _mask(file: Path) -> Mask:
    small = cv2.resize(read_image(file)[..., 0], FOOTAGE_SIZE, interpolation=cv2.INTER_AREA)
    return np.where(small > 127, 255, 0).astype(np.uint8)


def _table(kind: str, rows: list[dict[str, Any]]) -> str:
    keys = REMOVAL if kind.startswith("removal") else RECOLOURING
    lines = ["".join([kind.ljust(NAME_WIDTH), *(key.rjust(16) for key in keys)])]
    for row in [*rows, {"name": "mean", "unseen": "", **means(rows)}]:
        told = f"  {row['unseen']}" if row.get("unseen") else ""
        lines.append("".join([row["name"].ljust(NAME_WIDTH), *(f"{row[key]:16.2f}" for key in keys), told]))
    touched = [row["name"] for row in rows if not row["untouched"]]
    lines.append(f"touched outside the mask: {', '.join(touched) or 'none'}")
    return "\n".join(lines)

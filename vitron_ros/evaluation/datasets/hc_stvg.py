"""HC-STVG (Tang et al., TCSVT 2021), versions 1 and 2: a table from the video's name to its sentence and boxes.

Clips last 20 s. st_frame counts from 1; the boxes are those of the frames from there on. Videos are found anywhere
below the folder by their name.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vitron_ros.boxes import Boxes, xyxy_from_ltwh
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.files import read_json, required, value
from vitron_ros.evaluation.datasets.video_expression import VideoExpression

HOW_TO_GET = "HC-STVG's links are in the README of github.com/tzhhhh123/HC-STVG"
CLIP_S = 20.0
FILES = {
    "val_v2": ("val_v2.json", "valv2.json"),
    "train_v2": ("train_v2.json", "trainv2.json"),
    "query_v2": ("query_v2.json", "queryv2.json"),
    "test_v1": ("test.json",),
    "train_v1": ("train.json",),
}


def read_hc_stvg(root: Path, split: str) -> list[VideoExpression]:
    """The sentences of a split; query_v2 is the test of version 2, whose truth is with its authors.

    Raises:
        SourceError: the file is missing or damaged, or boxes do not fit the video.
    """
    files = [root / name for name in FILES[split]]
    file = required(next((path for path in files if path.is_file()), files[0]), HOW_TO_GET)
    videos = {path.name: path for path in root.rglob("*.mp4")}
    if not videos:
        raise SourceError(f"{root} holds no video; {HOW_TO_GET}")
    return [
        _expression(name, entry, videos.get(name, root / name), f"{file}, {name}", has_truth=split != "query_v2")
        for name, entry in read_json(file, dict).items()
    ]


def _expression(name: str, entry: dict[str, Any], video: Path, where: str, *, has_truth: bool) -> VideoExpression:
    frames = value(entry, "img_num", int, where) if has_truth or "img_num" in entry else 0
    size = _size(entry, where) if has_truth else None
    boxes = np.full((max(frames, 0), 4), np.nan)
    span = None
    if has_truth:
        truth = _boxes(entry, where)
        first = value(entry, "st_frame", int, where) - 1
        span = first, first + len(truth)
        if not 0 <= span[0] < span[1] <= frames:
            raise SourceError(f"{where}: {len(truth)} boxes from frame {first + 1} on do not fit the {frames} frames")
        boxes[slice(*span)] = truth
    text = entry.get("caption", entry.get("English"))
    if not isinstance(text, str):
        raise SourceError(f"{where} has neither caption nor English; fetch the file again")
    return VideoExpression(
        name=name,
        video=video,
        text=text,
        kind="declarative",
        frames=frames,
        fps=frames / CLIP_S,
        size=size,
        span=span,
        used=(0, frames),
        read_boxes=partial(np.copy, boxes),
    )


def _size(entry: dict[str, Any], where: str) -> tuple[int, int]:
    """Width and height; version 2 writes [height, width]."""
    if "img_size" not in entry:
        return value(entry, "width", int, where), value(entry, "height", int, where)
    size = value(entry, "img_size", list, where)
    if len(size) != 2 or not all(isinstance(side, int) for side in size):
        raise SourceError(f"{where}: img_size should be [height, width]; fetch the file again")
    return size[1], size[0]


def _boxes(entry: dict[str, Any], where: str) -> Boxes:
    try:
        ltwh = np.array(value(entry, "bbox", list, where), np.float64).reshape(-1, 4)
        if not np.isfinite(ltwh).all() or not (ltwh[:, 2:] > 0).all():
            raise ValueError
    except (TypeError, ValueError) as error:
        raise SourceError(f"{where}: bbox should be boxes x,y,w,h; fetch the file again") from error
    return xyxy_from_ltwh(ltwh)

"""ElysiumTrack val500 (Wang et al., "Elysium", ECCV 2024): JSON lines, and frames/<vid>/<n>.jpg.

Boxes are x1,y1,x2,y2 in 0..1 and `frame_size` is width, height. A line is one target with its description; a box may be
null, where the target is not in the frame.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vitron_ros.boxes import Boxes, xyxy_from_norm
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.files import read_json_lines, required, value
from vitron_ros.evaluation.datasets.sequence import Sequence, check_lengths, check_starts

HOW_TO_GET = "ElysiumTrack-val500 is the data set Hon-Wong/ElysiumTrack-val500 of Hugging Face; unpack its frames.zip"


def read_elysium_track(root: Path, split: str) -> list[Sequence]:
    """The sequences of ElysiumTrack-<split>.json; the split is "val500".

    Raises:
        SourceError: the file or a frame is missing, or a line does not say what it should.
    """
    file = required(root / f"ElysiumTrack-{split}.json", HOW_TO_GET)
    return check_starts([elysium_sequence(entry, root, where) for where, entry in read_json_lines(file)], file)


def elysium_sequence(entry: Mapping[str, Any], root: Path, where: str) -> Sequence:
    """The sequence of a line, whose frames are below `root`.

    Raises:
        SourceError: the line does not say what it should, or its first or last frame is missing.
    """
    paths = tuple(root / str(name) for name in value(entry, "frames", list, where))
    if not paths or any(".." in path.parts or root not in path.parents for path in paths):
        raise SourceError(f"{where}: frames should be paths inside {root}; fetch the file again")
    boxes = _boxes(entry, where)
    check_lengths(Path(where), len(paths), boxes=len(boxes))
    required(paths[0], HOW_TO_GET)
    required(paths[-1], HOW_TO_GET)
    return Sequence(
        name=f"{value(entry, 'vid', str, where)}-{entry.get('id', 0)}",
        paths=paths,
        boxes_xyxy=boxes,
        language=value(entry, "object_description", str, where),
        category=str(entry.get("object_class", "")),
    )


def _boxes(entry: Mapping[str, Any], where: str) -> Boxes:
    try:
        width, height = (float(side) for side in value(entry, "frame_size", list, where))
        given = value(entry, "box", list, where)
        is_absent = np.array([box is None for box in given], bool)
        norm = np.array([[np.nan] * 4 if box is None else box for box in given], np.float64).reshape(-1, 4)
        is_box = (norm[:, 2:] > norm[:, :2]).all(axis=1) & np.isfinite(norm).all(axis=1)
        if not (is_box | is_absent).all() or not 1 <= min(width, height) <= max(width, height) < np.inf:
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"{where}: a box should be x1,y1,x2,y2 with x1 < x2 and y1 < y2; fetch it again") from error
    return xyxy_from_norm(norm, int(width), int(height))

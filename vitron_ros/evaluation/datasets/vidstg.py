"""VidSTG (Zhang et al., CVPR 2020): {train,val,test}_annotations.json, with the boxes and videos of VidOR beside them.

VidOR is unpacked into the same folder: {training,validation}/<group>/<vid>.json and video/<group>/<vid>.mp4. The test
split uses VidOR's validation, the others its training. Of temporal_gt and used_segment the ends are exclusive.
"""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.files import read_json, required, value
from vitron_ros.evaluation.datasets.video_expression import VideoExpression

HOW_TO_GET = "VidSTG's annotations are at github.com/Guaranteer/VidSTG-Dataset"
VIDOR_HOW = "VidOR is at xdshang.github.io/docs/vidor.html"
KINDS = {"captions": "declarative", "questions": "interrogative"}
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_vidstg(root: Path, split: str) -> list[VideoExpression]:
    """The sentences of a split: first the declarative, then the interrogative ones of each entry.

    Raises:
        SourceError: a file is missing or damaged, or a span does not fit its video.
    """
    file = required(root / f"{split}_annotations.json", HOW_TO_GET)
    part = required(root / ("validation" if split == "test" else "training"), VIDOR_HOW)
    truth = {path.stem: path for path in part.glob("*/*.json")}
    return [
        expression
        for number, entry in enumerate(read_json(file, list))
        for expression in _expressions(entry, number, truth, root, f"{file}, entry {number}")
    ]


def _expressions(
    entry: dict[str, Any], number: int, truth: dict[str, Path], root: Path, where: str
) -> list[VideoExpression]:
    video, frames = value(entry, "vid", str, where), value(entry, "frame_count", int, where)
    if video not in truth:
        raise SourceError(f"{where}: VidOR's {video}.json is missing; {VIDOR_HOW}")
    span, used = (_span(entry, key, frames, where) for key in ("temporal_gt", "used_segment"))
    fps = entry.get("fps")
    if not isinstance(fps, int | float) or not 0 < fps < np.inf:
        raise SourceError(f"{where}: fps should be a number above 0; fetch the file again")
    return [
        VideoExpression(
            name=f"{number}-{KINDS[key]}-{place}",
            video=root / "video" / truth[video].parent.name / f"{video}.mp4",
            text=value(sentence, "description", str, where),
            kind=KINDS[key],
            frames=frames,
            fps=float(fps),
            size=(value(entry, "width", int, where), value(entry, "height", int, where)),
            span=span,
            used=used,
            read_boxes=partial(_boxes, truth[video], value(sentence, "target_id", int, where), frames, span),
        )
        for key in KINDS
        for place, sentence in enumerate(value(entry, key, list, where))
    ]


def _span(entry: dict[str, Any], key: str, frames: int, where: str) -> tuple[int, int]:
    table = value(entry, key, dict, where)
    first, end = value(table, "begin_fid", int, where), value(table, "end_fid", int, where)
    if not 0 <= first < end <= frames:
        raise SourceError(f"{where}: {key} {first} to {end} does not fit the {frames} frames; fetch the file again")
    return first, end


def _boxes(file: Path, target: int, frames: int, span: tuple[int, int]) -> Boxes:
    tracks = _trajectories(file)
    if len(tracks) != frames:
        raise SourceError(f"{file} has boxes of {len(tracks)} frames, VidSTG says {frames}; fetch it again")
    boxes = np.full((frames, 4), np.nan)
    for index in range(*span):
        if target in tracks[index]:
            boxes[index] = tracks[index][target]
    if np.isnan(boxes).all():
        raise SourceError(f"{file} has no box of target {target} in the frames {span[0]} to {span[1]}")
    return boxes


@lru_cache(maxsize=4)  # the sentences of a video follow each other
def _trajectories(file: Path) -> list[dict[int, list[float]]]:
    table = read_json(file, dict)
    try:
        return [
            {item["tid"]: [float(item["bbox"][side]) for side in _SIDES] for item in frame}
            for frame in value(table, "trajectories", list, str(file))
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{file}: a trajectory has no tid and bbox; fetch it again") from error

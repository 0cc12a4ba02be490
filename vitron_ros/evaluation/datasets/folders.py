"""Sequences as folders with images and a box file: LaSOT, GOT-10k, VOT, OTB, and any folder in that form.

- Images: JPEG or PNG in `frames/`, `img/`, `color/`, or the folder itself.
- Boxes: `groundtruth.txt` (see `box_files`), or those of OTB, whose first pixel is 1,1.
- Where the target is absent though its box is given: LaSOT's `full_occlusion.txt` and `out_of_view.txt`, GOT-10k's
  `absence.label` and `cover.label`. Absent is what any of them says.
- What it is: LaSOT's `nlp.txt`, or `expression.txt`; GOT-10k's `meta_info.ini`. VOT's challenges: `*.tag`.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets import otb
from vitron_ros.evaluation.datasets.box_files import read_boxes, read_numbers
from vitron_ros.evaluation.datasets.files import read_lines, read_text
from vitron_ros.evaluation.datasets.sequence import Sequence, check_lengths, check_starts
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.natural_sort import natural_sorted
from vitron_ros.recordings.image_files import image_files

LASOT_FLAGS = ("full_occlusion.txt", "out_of_view.txt")
SENTENCES = ("nlp.txt", "expression.txt")
DEEPEST = 3  # LaSOTBenchmark/<class>/<class>-<n>


def load_sequence(folder: Path) -> Sequence:
    """One sequence from its folder; images are not opened yet.

    Raises:
        SourceError: no frames, no box file or one for each of several targets, a line that is no box, or not one box
            for each frame.
    """
    sequences = _load(folder)
    if len(sequences) > 1:
        several = ", ".join(path.name for path in otb.box_files(folder))
        raise SourceError(f"{folder} has one file a target ({several}): copy one to groundtruth_rect.txt")
    return sequences[0]


def load_folders(root: Path) -> list[Sequence]:
    """The sequences of `root` itself, or of the folders in it, or, where those have none, of the folders in them.

    Raises:
        SourceError: there is none, one of them cannot be read, or its target is not in the first frame.
    """
    if not root.is_dir():
        raise SourceError(f"{root} is not a folder; give a data set of <name>/frames/ and <name>/groundtruth.txt")
    folders = [root]
    for _ in range(DEEPEST + 1):
        if found := [folder for folder in folders if box_file(folder)]:
            return check_starts([sequence for folder in found for sequence in _load(folder)], root)
        folders = [path for folder in folders for path in natural_sorted(folder.iterdir()) if path.is_dir()]
    raise SourceError(f"{root} holds no sequence; one is a folder with frames/ and groundtruth.txt (x,y,w,h a line)")


def box_file(folder: Path) -> Path | None:
    """The file with the boxes of a sequence, the first if it has several; None: the folder has none."""
    ours = folder / "groundtruth.txt"
    return ours if ours.is_file() else next(iter(otb.box_files(folder)), None)


def _load(folder: Path) -> list[Sequence]:
    paths = tuple(image_files(folder))
    if not paths:
        raise SourceError(f"{folder} holds no images; put JPEG or PNG files into {folder / 'frames'}")
    file = box_file(folder)
    if file is None:
        raise SourceError(f"{folder} has no groundtruth.txt or groundtruth_rect.txt; write groundtruth.txt")
    if file.name != "groundtruth.txt":
        return otb.load_otb(folder)
    cover = _cover(folder)
    absent = _absent(folder, cover)
    annotated = read_boxes(file, absent=absent)
    check_lengths(folder, len(paths), boxes=len(annotated))
    boxes = annotated.copy()
    if absent is not None:
        boxes[absent] = np.nan
    return [
        Sequence(
            name=folder.name,
            paths=paths,
            boxes_xyxy=boxes,
            annotated_xyxy=None if absent is None else annotated,
            language=_sentence(folder),
            category=_category(folder),
            attributes=_tags(folder, len(paths)),
            cover=cover,
        )
    ]


def _cover(folder: Path) -> NDArray[np.int64] | None:
    file = folder / "cover.label"
    return read_numbers(file) if file.is_file() else None


def _absent(folder: Path, cover: NDArray[np.int64] | None) -> Flags | None:
    files = [folder / name for name in (*LASOT_FLAGS, "absence.label") if (folder / name).is_file()]
    flags = [read_numbers(file) for file in files]
    for file, values in zip(files, flags, strict=True):
        if not np.isin(values, (0, 1)).all():
            raise SourceError(f"{file} should hold 0 and 1; fetch it again")
    said = [values == 1 for values in flags] + ([] if cover is None else [cover == 0])
    if len({len(values) for values in said}) > 1:
        counts = ", ".join(f"{file.name} {len(values)}" for file, values in zip(files, flags, strict=True))
        raise SourceError(f"{folder}: the flags of absence differ in number: {counts}; fetch them again")
    return np.any(said, axis=0) if said else None


def _sentence(folder: Path) -> str:
    file = next((folder / name for name in SENTENCES if (folder / name).is_file()), None)
    return read_text(file).strip() if file else ""


def _category(folder: Path) -> str:
    file = folder / "meta_info.ini"
    pairs = [line.partition(": ") for line in (read_lines(file) if file.is_file() else [])]
    return next((text.strip() for key, _, text in pairs if key == "object_class"), "")


def _tags(folder: Path, frames: int) -> tuple[str, ...]:
    found = []
    for file in sorted(folder.glob("*.tag")):
        flags = read_numbers(file)
        if len(flags) > frames:
            raise SourceError(f"{file} has {len(flags)} flags, more than the {frames} frames; fetch it again")
        if flags.any():
            found.append(file.stem)
    return tuple(found)

"""DAVIS 2016 and 2017: JPEGImages/480p/<name>/, Annotations/480p/<name>/ and ImageSets/<year>/<split>.txt.

The objects of DAVIS 2017 are the ids of the first label image; 255 is void. DAVIS 2016 has one object, 255, whose parts
count as one. The test splits have the first label image only; their truth is with the server.
"""

from pathlib import Path

import numpy as np

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.files import read_lines, required
from vitron_ros.evaluation.datasets.folders import load_folders
from vitron_ros.evaluation.datasets.labels import VOID, LabelledObject, LabelledVideo, read_labels, tight_boxes
from vitron_ros.evaluation.datasets.sequence import Sequence, check_lengths, check_starts
from vitron_ros.recordings.image_files import image_files

HOW_TO_GET = "DAVIS is at davischallenge.org"


def read_davis(root: Path, split: str) -> list[LabelledVideo]:
    """The videos of a split of DAVIS 2017, in the order of its list.

    Raises:
        SourceError: a file is missing, or frames and label images do not fit.
    """
    return [_load(root, name) for name in _names(required(root / "ImageSets" / "2017" / f"{split}.txt", HOW_TO_GET))]


def read_davis_boxes(root: Path, split: str) -> list[Sequence]:
    """One sequence an object, with the tight boxes of its masks, which are all decoded: <name>-<id> in DAVIS 2017.

    DAVIS 2016 is taken where there is no list of 2017. A folder without DAVIS's layout holds sequences davis-<name>, as
    `load_folders` reads them.

    Raises:
        SourceError: as of `read_davis`.
    """
    if not (root / "JPEGImages").is_dir():
        chosen = [sequence for sequence in load_folders(root) if sequence.name.startswith("davis-")]
        return check_starts(chosen, root)
    lists = [root / "ImageSets" / year / f"{split}.txt" for year in ("2017", "2016", "480p")]
    names = _names(required(next((file for file in lists if file.is_file()), lists[0]), HOW_TO_GET))
    return check_starts([sequence for name in names for sequence in _boxes(_load(root, name))], root)


def _names(file: Path) -> list[str]:
    """Names of videos; the lists of DAVIS 2016 have the paths of an image and a label image in each line instead."""
    lines = [line.split()[0] for line in read_lines(file) if line.strip()]
    return list(dict.fromkeys(Path(line).parent.name if "/" in line else line for line in lines))


def _load(root: Path, name: str) -> LabelledVideo:
    images = required(root / "JPEGImages" / "480p" / name, HOW_TO_GET)
    labels = required(root / "Annotations" / "480p" / name, HOW_TO_GET)
    paths, label_paths = image_files(images), image_files(labels)
    if not paths or not label_paths or label_paths[0].stem != paths[0].stem:
        raise SourceError(f"{labels} lacks the label image of the first frame; {HOW_TO_GET}")
    if len(label_paths) > 1:
        check_lengths(labels, len(paths), **{"label images": len(label_paths)})
        different = [path.stem for path, other in zip(paths, label_paths, strict=True) if path.stem != other.stem]
        if different:
            raise SourceError(f"{labels} lacks the label image of frame {different[0]}; {HOW_TO_GET}")
    first = set(np.unique(read_labels(label_paths[0])).tolist()) - {0}
    ids = sorted(first - {VOID}) or sorted(first and {1})
    if not ids or ids != list(range(1, len(ids) + 1)):
        raise SourceError(f"{label_paths[0]} has the objects {ids}; ids begin with 1 and have no gap")
    return LabelledVideo(
        name=name,
        paths=tuple(paths),
        label_paths=tuple(label_paths) if len(label_paths) > 1 else (label_paths[0], *[None] * (len(paths) - 1)),
        objects={number: LabelledObject() for number in ids},
        is_merged=first == {VOID},
    )


def _boxes(video: LabelledVideo) -> list[Sequence]:
    return [
        Sequence(name=video.name if video.is_merged else f"{video.name}-{number}", paths=video.paths, boxes_xyxy=boxes)
        for number, boxes in tight_boxes(video).items()
    ]

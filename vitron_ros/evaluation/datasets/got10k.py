"""GOT-10k (Huang, Zhao and Huang, PAMI 2021): {train,val,test}/<name>/ and {train,val,test}/list.txt.

The truth of the test split is with the server (got-10k.aitestunion.com); its folders have the box of the first frame.
"""

from functools import partial
from pathlib import Path

import numpy as np

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.box_files import read_boxes
from vitron_ros.evaluation.datasets.catalogue import Entries
from vitron_ros.evaluation.datasets.files import read_lines, required
from vitron_ros.evaluation.datasets.folders import load_sequence
from vitron_ros.evaluation.datasets.sequence import Sequence, check_starts
from vitron_ros.recordings.image_files import image_files

HOW_TO_GET = "GOT-10k is at got-10k.aitestunion.com, after registration"


def read_got10k(root: Path, split: str) -> list[Sequence]:
    """The sequences of a split, "val", "test" or "train", in the order of its list.

    Raises:
        SourceError: one is missing, or cannot be read.
    """
    return check_starts([read() for read in got10k_entries(root, split)], root)


def got10k_entries(root: Path, split: str) -> Entries[Sequence]:
    """The sequences of a split, as `read_got10k`, one at a time.

    Raises:
        SourceError: its list is missing.
    """
    names = read_lines(required(root / split / "list.txt", HOW_TO_GET))
    return [partial(_load, root / split / name.strip(), has_truth=split != "test") for name in names]


def start_only(name: str, paths: list[Path], file: Path) -> Sequence:
    """A sequence whose truth a server keeps: its file has the box of the first frame.

    Raises:
        SourceError: there are no images, or the file has not one box.
    """
    first = read_boxes(file)
    if not paths or len(first) != 1:
        raise SourceError(f"{file} has {len(first)} boxes for {len(paths)} frames; a test split has one, of the first")
    boxes = np.full((len(paths), 4), np.nan)
    boxes[0] = first[0]
    return Sequence(name=name, paths=tuple(paths), boxes_xyxy=boxes, has_truth=False)


def _load(folder: Path, *, has_truth: bool) -> Sequence:
    required(folder, HOW_TO_GET)
    if has_truth:
        return load_sequence(folder)
    return start_only(folder.name, image_files(folder), required(folder / "groundtruth.txt", HOW_TO_GET))

"""GOT-10k (Huang, Zhao and Huang, PAMI 2021): {train,val,test}/<name>/ and {train,val,test}/list.txt.

The truth of the test split is with the server (got-10k.aitestunion.com); its folders have the box of the first frame.
"""

from pathlib import Path

import numpy as np

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.box_files import read_boxes
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
    names = read_lines(required(root / split / "list.txt", HOW_TO_GET))
    folders = [required(root / split / name.strip(), HOW_TO_GET) for name in names]
    return check_starts(
        [_without_truth(folder) if split == "test" else load_sequence(folder) for folder in folders], root
    )


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


def _without_truth(folder: Path) -> Sequence:
    return start_only(folder.name, image_files(folder), required(folder / "groundtruth.txt", HOW_TO_GET))

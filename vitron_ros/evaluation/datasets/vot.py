"""VOT short-term and long-term sets (Kristan et al.): list.txt, and <name>/color/ with <name>/groundtruth.txt.

Truth is boxes, rotated boxes or masks by year; the upright box around them is taken.
"""

from pathlib import Path

from vitron_ros.evaluation.datasets.files import read_lines, required
from vitron_ros.evaluation.datasets.folders import load_sequence
from vitron_ros.evaluation.datasets.sequence import Sequence, check_starts

HOW_TO_GET = "VOT's sets are fetched with `vot initialize` of the package vot-toolkit"


def read_vot(root: Path, split: str) -> list[Sequence]:
    """The sequences in the order of list.txt; there is one split, "all".

    Raises:
        SourceError: one is missing, or cannot be read.
    """
    del split
    folder = root / "sequences" if (root / "sequences").is_dir() else root
    names = [name.strip() for name in read_lines(required(folder / "list.txt", HOW_TO_GET))]
    return check_starts([load_sequence(required(folder / name, HOW_TO_GET)) for name in names], root)

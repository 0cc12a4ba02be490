"""TrackingNet (Müller et al., ECCV 2018): TEST/ and TRAIN_<n>/, each with frames/<name>/<n>.jpg and anno/<name>.txt.

Image numbers begin with 0 and have no padding. The truth of TEST is with the server (EvalAI).
"""

from pathlib import Path

from vitron_ros.evaluation.datasets.box_files import read_boxes
from vitron_ros.evaluation.datasets.files import required
from vitron_ros.evaluation.datasets.got10k import start_only
from vitron_ros.evaluation.datasets.sequence import Sequence, check_lengths, check_starts
from vitron_ros.natural_sort import natural_sorted
from vitron_ros.recordings.image_files import image_files

HOW_TO_GET = "TrackingNet is fetched with github.com/SilvioGiancola/TrackingNet-devkit"
TRAIN_PARTS = 12
SPLITS = ("test", "train", *(f"train-{part}" for part in range(TRAIN_PARTS)))


def read_trackingnet(root: Path, split: str) -> list[Sequence]:
    """The sequences of a split: "test", "train", all twelve parts, or "train-<n>", one of them.

    Raises:
        SourceError: a part or the images of a sequence are missing, or it cannot be read.
    """
    numbers = range(TRAIN_PARTS) if split == "train" else [split.removeprefix("train-")]
    parts = ["TEST"] if split == "test" else [f"TRAIN_{number}" for number in numbers]
    files = [
        file for part in parts for file in natural_sorted(required(root / part / "anno", HOW_TO_GET).glob("*.txt"))
    ]
    return check_starts([_load(file) for file in files], root)


def _load(file: Path) -> Sequence:
    paths = image_files(required(file.parents[1] / "frames" / file.stem, f"unpack its archive in zips/; {HOW_TO_GET}"))
    if file.parents[1].name == "TEST":
        return start_only(file.stem, paths, file)
    boxes = read_boxes(file)
    check_lengths(file, len(paths), boxes=len(boxes))
    return Sequence(name=file.stem, paths=tuple(paths), boxes_xyxy=boxes)

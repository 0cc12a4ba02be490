"""UAV123 and UAV20L (Mueller et al., ECCV 2016): data_seq/UAV123/<folder>/ and anno/{UAV123,UAV20L}/<name>.txt.

Several names of UAV123 are parts of one folder; which frames those are is not in the data, so PARTS has it.
"""

from pathlib import Path

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.box_files import read_boxes
from vitron_ros.evaluation.datasets.files import required
from vitron_ros.evaluation.datasets.sequence import Sequence, check_lengths, check_starts
from vitron_ros.natural_sort import natural_sorted
from vitron_ros.recordings.image_files import image_files

HOW_TO_GET = "UAV123 is at cemse.kaust.edu.sa/ivul/uav123"
_PARTS = """bird1 1-253 775-1477 1573-2437; car1 1-751 751-1627 1627-2629;
car6 1-487 487-1807 1807-2953 2953-3925 3925-4861; car8 1-1357 1357-2575; car16 1-415 415-1993;
group1 1-1333 1333-2515 2515-3925 3925-4873; group2 1-907 907-1771 1771-2683;
group3 1-1567 1567-2827 2827-4369 4369-5527; person2 1-1189 1189-2623; person4 1-1501 1501-2743;
person5 1-877 877-2101; person7 1-1249 1249-2065; person8 1-1075 1075-1525; person12 1-601 601-1621;
person14 1-847 847-1813 1813-2923; person17 1-1501 1501-2347; person19 1-1243 1243-2791 2791-4357;
truck4 1-577 577-1261; uav1 1-1555 1555-2377 2473-3469"""
PARTS = {  # name -> numbers of the first and last image in the folder without the number of the part
    f"{folder}_{part}": range(int(words.partition("-")[0]), int(words.partition("-")[2]) + 1)
    for line in _PARTS.split(";")
    for folder, *ranges in [line.split()]
    for part, words in enumerate(ranges, 1)
}


def read_uav123(root: Path, split: str) -> list[Sequence]:
    """The sequences of "UAV123" or of "UAV20L", by name.

    Raises:
        SourceError: boxes or images are missing, or do not fit.
    """
    files = natural_sorted(required(root / "anno" / split, HOW_TO_GET).glob("*.txt"))
    return check_starts([_load(file, root / "data_seq" / "UAV123") for file in files], root)


def _load(file: Path, images: Path) -> Sequence:
    part = PARTS.get(file.stem) if file.parent.name == "UAV123" else None
    folder = required(images / (file.stem.rpartition("_")[0] if part else file.stem), HOW_TO_GET)
    paths = image_files(folder)
    if part:
        if not all(path.stem.isdecimal() for path in paths):
            raise SourceError(f"{folder} has images without a number; {file.stem} is a range of numbers in it")
        paths = [path for path in paths if int(path.stem) in part]
    boxes = read_boxes(file)
    check_lengths(file, len(paths), boxes=len(boxes))
    return Sequence(name=file.stem, paths=tuple(paths), boxes_xyxy=boxes)

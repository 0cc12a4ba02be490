"""OTB-2013 and OTB-2015 (Wu, Lim and Yang, PAMI 2015): <Name>/img/ and <Name>/groundtruth_rect.txt, first pixel 1,1.

Some boxes begin late or end early, and which frames they belong to is not in the data: FRAMES has it. Two targets of
one video are in groundtruth_rect.1.txt and .2.txt, and are two sequences, Jogging-1 and Jogging-2.
"""

from pathlib import Path

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.box_files import read_boxes
from vitron_ros.evaluation.datasets.files import read_text, required
from vitron_ros.evaluation.datasets.sequence import Sequence, check_lengths, check_starts
from vitron_ros.natural_sort import natural_sorted
from vitron_ros.recordings.image_files import image_files

HOW_TO_GET = (
    "OTB's videos come as one archive each from cvlab.hanyang.ac.kr/tracker_benchmark; unpack them into one folder"
)
FRAMES = {  # numbers of the first and last image that have a box
    "BlurCar1": (247, 988),
    "BlurCar3": (3, 359),
    "BlurCar4": (18, 397),
    "David": (300, 770),
    "Diving": (1, 215),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
    "Tiger1": (6, 354),  # the boxes of the five before are given, and not scored
}
_OTB_2013 = """Basketball Bolt Boy Car4 CarDark CarScale Coke Couple Crossing David David2 David3 Deer Dog1 Doll
Dudek FaceOcc1 FaceOcc2 Fish FleetFace Football Football1 Freeman1 Freeman3 Freeman4 Girl Ironman Jogging Jumping
Lemming Liquor Matrix Mhyang MotorRolling MountainBike Shaking Singer1 Singer2 Skating1 Skiing Soccer Subway Suv
Sylvester Tiger1 Tiger2 Trellis Walking Walking2 Woman"""
_OTB_2015 = """Basketball Biker Bird1 Bird2 BlurBody BlurCar1 BlurCar2 BlurCar3 BlurCar4 BlurFace BlurOwl Board Bolt
Bolt2 Box Boy Car1 Car2 Car24 Car4 CarDark CarScale ClifBar Coke Couple Coupon Crossing Crowds Dancer Dancer2 David
David2 David3 Deer Diving Dog Dog1 Doll DragonBaby Dudek FaceOcc1 FaceOcc2 Fish FleetFace Football Football1
Freeman1 Freeman3 Freeman4 Girl Girl2 Gym Human2 Human3 Human4 Human5 Human6 Human7 Human8 Human9 Ironman Jogging
Jump Jumping KiteSurf Lemming Liquor Man Matrix Mhyang MotorRolling MountainBike Panda RedTeam Rubik Shaking
Singer1 Singer2 Skater Skater2 Skating1 Skating2 Skiing Soccer Subway Surfer Suv Sylvester Tiger1 Tiger2 Toy Trans
Trellis Twinnings Vase Walking Walking2 Woman"""
SPLITS = {"2015": _OTB_2015.split(), "2013": _OTB_2013.split()}


def read_otb(root: Path, split: str) -> list[Sequence]:
    """The sequences of a split, "2015", "2013" or "all", that is, those which are there.

    Raises:
        SourceError: a video is missing, or cannot be read.
    """
    required(root, HOW_TO_GET)
    names = SPLITS.get(split) or [path.name for path in natural_sorted(root.iterdir()) if box_files(path)]
    folders = [required(root / name, HOW_TO_GET) for name in names]
    return check_starts([sequence for folder in folders for sequence in load_otb(folder)], root)


def box_files(folder: Path) -> list[Path]:
    """The files with boxes of a folder of OTB, one a target."""
    single = folder / "groundtruth_rect.txt"
    return [single] if single.is_file() else natural_sorted(folder.glob("groundtruth_rect.*.txt"))


def load_otb(folder: Path) -> list[Sequence]:
    """The sequence of each target of a folder; an empty file beside others is none (Human4).

    Raises:
        SourceError: it has no images or boxes, or they do not fit.
    """
    files = box_files(folder)
    if not files:
        raise SourceError(f"{folder} has no groundtruth_rect.txt; {HOW_TO_GET}")
    if len(files) == 1:
        return [_load(folder, files[0], folder.name)]
    return [_load(folder, file, f"{folder.name}-{file.suffixes[0][1:]}") for file in files if read_text(file).strip()]


def _load(folder: Path, file: Path, name: str) -> Sequence:
    paths = image_files(folder)
    if not paths:
        raise SourceError(f"{folder} holds no images; {HOW_TO_GET}")
    boxes = read_boxes(file, first_pixel=1)
    if folder.name in FRAMES and all(path.stem.isdecimal() for path in paths):
        first, last = FRAMES[folder.name]
        scored = [first <= int(path.stem) <= last for path in paths]
        if len(boxes) == len(paths):
            boxes = boxes[scored]
        paths = [path for path, is_scored in zip(paths, scored, strict=True) if is_scored]
    check_lengths(file, len(paths), boxes=len(boxes))
    return Sequence(name=name, paths=tuple(paths), boxes_xyxy=boxes)

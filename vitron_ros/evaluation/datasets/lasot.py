"""LaSOT (Fan et al., CVPR 2019): <class>/<class>-<n>/ with img/, groundtruth.txt, the flags of absence and nlp.txt.

The folders may be one level deeper, in LaSOTBenchmark/. The names of the test split are not in the data. Attributes are
in the toolkit: its folder `att`, copied beside the classes, is read.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.box_files import read_numbers
from vitron_ros.evaluation.datasets.catalogue import Entries
from vitron_ros.evaluation.datasets.files import required
from vitron_ros.evaluation.datasets.folders import LASOT_FLAGS, load_sequence
from vitron_ros.evaluation.datasets.sequence import Sequence, check_starts
from vitron_ros.natural_sort import natural_sorted

HOW_TO_GET = "LaSOT's download links are in the README of github.com/HengLan/LaSOT_Evaluation_Toolkit"
ATTRIBUTES = ("IV", "POC", "DEF", "MB", "CM", "ROT", "BC", "VC", "SV", "FOC", "FM", "OV", "LR", "ARC")
_TEST = """airplane 1 9 13 15; basketball 1 6 7 11; bear 2 4 6 17; bicycle 2 7 9 18; bird 2 3 15 17; boat 3 4 12 17;
book 3 10 11 19; bottle 1 12 14 18; bus 2 5 17 19; car 2 6 9 17; cat 1 3 18 20; cattle 2 7 12 13; chameleon 3 6 11 20;
coin 3 6 7 18; crab 3 6 12 18; crocodile 3 4 10 14; cup 1 4 7 17; deer 4 8 10 14; dog 1 7 15 19; drone 2 7 13 15;
electricfan 1 10 18 20; elephant 1 12 16 18; flag 2 3 5 9; fox 2 3 5 20; frog 3 4 9 20; gametarget 1 2 7 13;
gecko 1 5 16 19; giraffe 2 10 13 15; goldfish 3 7 8 10; gorilla 4 6 9 13; guitar 3 8 10 16; hand 2 3 9 16;
hat 1 2 5 18; helmet 5 11 13 19; hippo 1 7 9 20; horse 1 4 12 15; kangaroo 2 5 11 14; kite 4 6 10 15;
leopard 1 7 16 20; licenseplate 6 12 13 15; lion 1 5 12 20; lizard 1 3 6 13; microphone 2 6 14 16; monkey 3 4 9 17;
motorcycle 1 3 9 18; mouse 1 8 9 17; person 1 5 10 12; pig 2 10 13 18; pool 3 7 12 15; rabbit 10 13 17 19;
racing 10 15 16 20; robot 1 5 8 19; rubicCube 1 6 14 19; sepia 6 8 13 16; shark 2 3 5 6; sheep 3 5 7 9;
skateboard 3 8 16 19; spider 14 16 18 20; squirrel 8 11 13 19; surfboard 4 5 8 12; swing 10 14 17 20; tank 6 9 14 16;
tiger 4 6 12 18; train 1 7 11 20; truck 3 6 7 16; turtle 5 8 9 16; umbrella 2 9 17 19; volleyball 1 13 18 19;
yoyo 7 15 17 19; zebra 10 14 16 17"""
TEST = tuple(f"{name}-{n}" for words in _TEST.split(";") for name, *numbers in [words.split()] for n in numbers)


def read_lasot(root: Path, split: str) -> list[Sequence]:
    """The sequences of a split: "test", 280 videos, "train", all others, or "all", that is, those which are there.

    Raises:
        SourceError: a video or one of its files is missing, or cannot be read.
    """
    return check_starts([read() for read in lasot_entries(root, split)], root)


def lasot_entries(root: Path, split: str) -> Entries[Sequence]:
    """The sequences of a split, as `read_lasot`, one at a time.

    Raises:
        SourceError: a video of the split is missing.
    """
    required(root, HOW_TO_GET)
    base = root / "LaSOTBenchmark" if (root / "LaSOTBenchmark").is_dir() else root
    folders = {file.parent.name: file.parent for file in natural_sorted(base.glob("*/*-*/groundtruth.txt"))}
    folders |= {file.parent.name: file.parent for file in natural_sorted(base.glob("*-*/groundtruth.txt"))}
    names = {"test": list(TEST), "train": [name for name in folders if name not in TEST]}.get(split, list(folders))
    if missing := [name for name in names if name not in folders]:
        raise SourceError(f"{base} lacks {len(missing)} of {len(names)} sequences, e.g. {missing[0]}; {HOW_TO_GET}")
    if not names:
        raise SourceError(f"{base} holds no sequence; {HOW_TO_GET}")
    return [partial(_load, folders[name], base / "att") for name in names]


def _load(folder: Path, attributes: Path) -> Sequence:
    for name in LASOT_FLAGS:
        required(folder / name, HOW_TO_GET)
    file = attributes / f"{folder.name}.txt"
    flags = read_numbers(file).tolist() if file.is_file() else [0] * len(ATTRIBUTES)
    if len(flags) != len(ATTRIBUTES):
        raise SourceError(f"{file} has {len(flags)} flags, not one for each of {', '.join(ATTRIBUTES)}")
    return replace(
        load_sequence(folder),
        category=folder.name.rpartition("-")[0],
        attributes=tuple(name for name, flag in zip(ATTRIBUTES, flags, strict=True) if flag),
    )

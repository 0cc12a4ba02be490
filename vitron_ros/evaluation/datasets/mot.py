"""MOT16, MOT17 (Milan et al., 2016) and DanceTrack (Sun et al., CVPR 2022): img1/, gt/gt.txt and seqinfo.ini.

A row of gt.txt is frame, id, left, top, width, height, flag (0: not scored), class, visibility; frames and pixels count
from 1. The truth of the test splits is with the servers.
"""

import configparser
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import xyxy_from_ltwh
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.catalogue import Entries
from vitron_ros.evaluation.datasets.files import read_lines, read_text, required
from vitron_ros.evaluation.datasets.sequence import read_frame
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.evaluation.metrics.multi_object import Objects
from vitron_ros.frame import Frame
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.natural_sort import natural_sorted
from vitron_ros.recordings.image_files import SUFFIXES

MOT_HOW = "MOT16 and MOT17 are at motchallenge.net"
DANCETRACK_HOW = "DanceTrack's links are in the README of github.com/DanceTrack/DanceTrack"
COLUMNS = 9
DETECTOR = "-FRCNN"  # MOT17 has each video three times, once for each public detector, with one truth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrueObjects:
    """What is annotated in one frame: N objects, their classes (N,) and whether each counts (N,)."""

    objects: Objects
    classes: NDArray[np.int64]
    counts: Flags


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultiObjectSequence:
    """A video and the boxes of all its objects.

    Attributes:
        paths: T image files in order.
        size: width and height, px.
        truth: T frames, empty ones among them; None: a server keeps it.
    """

    name: str
    paths: tuple[Path, ...]
    fps: float
    size: tuple[int, int]
    truth: tuple[TrueObjects, ...] | None

    def __len__(self) -> int:
        return len(self.paths)

    def frame(self, index: int, window: IntensityWindow | None = None) -> Frame:
        """One image, decoded; as `Sequence.frame`."""
        return read_frame(self.paths[index], index, window)


def read_mot(root: Path, split: str) -> list[MultiObjectSequence]:
    """The sequences of a split of MOT16 or MOT17, by name; of MOT17 those named -FRCNN.

    Raises:
        SourceError: a file is missing or damaged, or frames, seqinfo.ini and truth do not fit.
    """
    return [read() for read in mot_entries(root, split)]


def mot_entries(root: Path, split: str) -> Entries[MultiObjectSequence]:
    """The sequences of a split, as `read_mot`, one at a time.

    Raises:
        SourceError: there is none.
    """
    folders = [path for path in natural_sorted(required(root / split, MOT_HOW).iterdir()) if path.is_dir()]
    if any(folder.name.endswith(DETECTOR) for folder in folders):
        folders = [folder for folder in folders if folder.name.endswith(DETECTOR)]
    if not folders:
        raise SourceError(f"{root / split} holds no sequence; {MOT_HOW}")
    return [partial(_load, folder, MOT_HOW, has_truth=split != "test") for folder in folders]


def read_dancetrack(root: Path, split: str) -> list[MultiObjectSequence]:
    """The sequences of a split in the order of its seqmap.

    Raises:
        SourceError: as of `read_mot`.
    """
    return [read() for read in dancetrack_entries(root, split)]


def dancetrack_entries(root: Path, split: str) -> Entries[MultiObjectSequence]:
    """The sequences of a split, as `read_dancetrack`, one at a time.

    Raises:
        SourceError: the seqmap is missing.
    """
    names = read_lines(required(root / f"{split}_seqmap.txt", DANCETRACK_HOW))[1:]
    folders = [root / split / name.strip() for name in names]
    return [partial(_load, folder, DANCETRACK_HOW, has_truth=split != "test") for folder in folders]


def _load(folder: Path, how_to_get: str, *, has_truth: bool) -> MultiObjectSequence:
    file = required(required(folder, how_to_get) / "seqinfo.ini", how_to_get)
    info = configparser.ConfigParser(interpolation=None)
    try:
        info.read_string(read_text(file))
        section = info["Sequence"]
        length, width, height = (int(section[key]) for key in ("seqLength", "imWidth", "imHeight"))
        fps, images = float(section["frameRate"]), folder / section.get("imDir", "img1")
    except (configparser.Error, KeyError, ValueError) as error:
        raise SourceError(f"{file} is damaged: {error}; correct it or get it again") from error
    paths = natural_sorted(path for path in required(images, how_to_get).iterdir() if path.suffix in SUFFIXES)
    if len(paths) != length:
        raise SourceError(f"{images} has {len(paths)} images but seqinfo.ini says {length}; {how_to_get}")
    return MultiObjectSequence(
        name=folder.name,
        paths=tuple(paths),
        fps=fps,
        size=(width, height),
        truth=_truth(required(folder / "gt" / "gt.txt", how_to_get), length) if has_truth else None,
    )


def _truth(file: Path, frames: int) -> tuple[TrueObjects, ...]:
    rows = np.array([_row(line, file, number) for number, line in enumerate(read_lines(file), 1)], np.float64)
    rows = rows.reshape(-1, COLUMNS)
    outside = ~np.isin(rows[:, 0], np.arange(1, frames + 1))
    _refuse(outside, file, lambda row: f"frame {rows[row, 0]:g} is not one of the {frames}")
    _refuse(~(rows[:, 4:6].min(axis=1, initial=np.inf) > 0), file, lambda row: "a box has no area")
    _, first = np.unique(rows[:, :2], axis=0, return_index=True)
    again = ~np.isin(np.arange(len(rows)), first)
    _refuse(again, file, lambda row: f"frame {rows[row, 0]:g} has id {rows[row, 1]:g} twice")
    return tuple(_true_objects(rows[rows[:, 0] == index + 1]) for index in range(frames))


def _row(line: str, file: Path, number: int) -> list[float]:
    try:
        row = [float(word) for word in line.split(",")]
    except ValueError:
        row = []
    if len(row) != COLUMNS or not np.isfinite(row).all():
        raise SourceError(
            f"{file}, line {number}: {line[:100]!r} is not the nine numbers of a box; correct it or get the file again"
        )
    return row


def _refuse(is_bad: Flags, file: Path, reason: Callable[[int], str]) -> None:
    if is_bad.any():
        row = int(is_bad.argmax())
        raise SourceError(f"{file}, line {row + 1}: {reason(row)}; correct it or get the file again")


def _true_objects(rows: NDArray[np.float64]) -> TrueObjects:
    ltwh = rows[:, 2:6] - [1, 1, 0, 0]
    return TrueObjects(
        objects=Objects(ids=rows[:, 1].astype(np.int64), boxes_xyxy=xyxy_from_ltwh(ltwh)),
        classes=rows[:, 7].astype(np.int64),
        counts=rows[:, 6] != 0,
    )

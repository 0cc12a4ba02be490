"""Tracking sequences on disk: a folder with images and a file of boxes, one line a frame.

- Images: JPEG or PNG in `frames/`, `img/` or `color/`.
- Boxes: `groundtruth.txt`, or OTB's `groundtruth_rect.txt`, whose first pixel is 1,1. A line is x,y,w,h in pixels, with
  commas, tabs or spaces between; four times nan, or four times 0, where the target is not in the image.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, xyxy_from_ltwh
from vitron_ros.errors import ImageError, SourceError
from vitron_ros.frame import Frame
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.natural_sort import natural_sorted
from vitron_ros.recordings.image_files import image_files, read_image

BOX_FILES = {"groundtruth.txt": 0.0, "groundtruth_rect.txt": 1.0}  # name -> coordinate of the first pixel
_ABSENT = ([np.nan] * 4, [0.0] * 4)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sequence:
    """A video with the true box of its target in every frame.

    Attributes:
        name: the folder's name.
        paths: T image files in order.
        boxes_xyxy: (T, 4) px; nan: the target is not in the image.
    """

    name: str
    paths: tuple[Path, ...]
    boxes_xyxy: Boxes

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def is_visible(self) -> NDArray[np.bool_]:
        """(T,): whether the target is in the image."""
        return np.asarray(np.isfinite(self.boxes_xyxy).all(axis=1))

    def frames(self) -> Iterator[Frame]:
        """The images, decoded one by one; they carry an index and no stamp.

        Raises:
            SourceError: a file cannot be decoded.
        """
        window = IntensityWindow()
        return (self.frame(index, window) for index in range(len(self)))

    def frame(self, index: int, window: IntensityWindow | None = None) -> Frame:
        """One image, decoded.

        Args:
            window: that of the images before it; None: it is looked at alone.

        Raises:
            SourceError: the file cannot be decoded.
        """
        path = self.paths[index]
        try:
            return Frame(rgb=read_image(path, window), stamp_ns=0, index=index)
        except ImageError as error:
            raise SourceError(f"{path.parent}: {error}") from error


def load_sequence(folder: Path) -> Sequence:
    """One sequence from its folder; images are not opened yet.

    Raises:
        SourceError: no frames, no box file, a line that is no box, or not one box for each frame.
    """
    paths = tuple(image_files(folder))
    if not paths:
        raise SourceError(f"{folder} holds no images; put JPEG or PNG files into {folder / 'frames'}")
    file = box_file(folder)
    if file is None:
        several = ", ".join(path.name for path in natural_sorted(folder.glob("groundtruth_rect.*.txt")))
        hint = f"; it has one file a target ({several}): copy one to" if several else "; write"
        raise SourceError(f"{folder} has no {' or '.join(BOX_FILES)}{hint} groundtruth.txt")
    boxes = _read_boxes(file)
    if len(boxes) != len(paths):
        raise SourceError(
            f"{folder} has {len(paths)} frames but {len(boxes)} boxes; {file.name} needs one line a frame"
        )
    return Sequence(name=folder.name, paths=paths, boxes_xyxy=boxes)


def load_sequences(root: Path) -> list[Sequence]:
    """Every sequence of a data set, by name: the folders in `root` with a box file, or `root` itself.

    Raises:
        SourceError: there is none, one of them cannot be read, or its target is not in the first frame.
    """
    if not root.is_dir():
        raise SourceError(f"{root} is not a folder; give a data set of <name>/frames/ and <name>/groundtruth.txt")
    folders = [root] if box_file(root) else [path for path in natural_sorted(root.iterdir()) if box_file(path)]
    if not folders:
        raise SourceError(
            f"{root} holds no sequence; one is a folder with frames/ and groundtruth.txt (x,y,w,h a line)"
        )
    sequences = [load_sequence(folder) for folder in folders]
    for folder, sequence in zip(folders, sequences, strict=True):
        if not sequence.is_visible[0]:
            raise SourceError(f"{folder}: the first frame has no box, and trackers start there; leave out those before")
    return sequences


def box_file(folder: Path) -> Path | None:
    """The file with the boxes of a sequence; None: the folder has none."""
    return next((folder / name for name in BOX_FILES if (folder / name).is_file()), None)


def _read_boxes(path: Path) -> Boxes:
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} cannot be read: it is not UTF-8 text; save it as such") from error
    boxes = np.array([_parse_box(line, path, number) for number, line in enumerate(lines, 1)]).reshape(-1, 4)
    boxes[:, :2] -= BOX_FILES[path.name]
    return xyxy_from_ltwh(boxes)


def _parse_box(line: str, path: Path, number: int) -> list[float]:
    try:
        box = [float(value) for value in re.split(r"\s*,\s*|\s+", line.strip())]
    except ValueError:
        box = []
    if any(np.array_equal(box, absent, equal_nan=True) for absent in _ABSENT):
        return _ABSENT[0]
    if len(box) != 4 or not np.isfinite(box).all() or box[2] <= 0 or box[3] <= 0:
        raise SourceError(
            f"{path}, line {number}: {line!r} is not a box; write x,y,w,h in pixels, w and h above 0, or "
            "nan,nan,nan,nan where the target is not in the image"
        )
    return box

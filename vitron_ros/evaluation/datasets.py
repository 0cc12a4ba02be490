"""Tracking sequences on disk: `<name>/frames/*.jpg` and `<name>/groundtruth.txt`, one `x,y,w,h` line a frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vitron_ros.boxes import Boxes, xyxy_from_ltwh
from vitron_ros.errors import SourceError
from vitron_ros.file_names import in_order
from vitron_ros.frame import Frame

BOX_FILE = "groundtruth.txt"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sequence:
    """A video with the true box of its target in every frame.

    Attributes:
        name: the folder's name.
        paths: T image files in order.
        boxes_xyxy: (T, 4) px.
    """

    name: str
    paths: tuple[Path, ...]
    boxes_xyxy: Boxes

    def __len__(self) -> int:
        return len(self.paths)

    def frames(self) -> Iterator[Frame]:
        """The images, decoded one by one; they carry an index and no stamp.

        Raises:
            SourceError: a file is no image that OpenCV can read.
        """
        for index, path in enumerate(self.paths):
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                raise SourceError(f"{path} cannot be decoded as an image; copy it again from its source")
            yield Frame(rgb=np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8), stamp_ns=0, index=index)


def load_sequence(folder: Path) -> Sequence:
    """One sequence from its folder; images are not opened yet.

    Raises:
        SourceError: no frames, no box file, a line that is no box, or not one box for each frame.
    """
    paths = tuple(in_order((folder / "frames").glob("*.jpg")))
    if not paths:
        raise SourceError(f"{folder / 'frames'} holds no .jpg frames")
    boxes = _read_boxes(folder / BOX_FILE)
    if len(boxes) != len(paths):
        raise SourceError(f"{folder} has {len(paths)} frames but {len(boxes)} boxes; {BOX_FILE} needs one line a frame")
    return Sequence(name=folder.name, paths=paths, boxes_xyxy=boxes)


def load_sequences(root: Path) -> list[Sequence]:
    """Every sequence of a data set, by name: the folders in `root` with a groundtruth.txt, or `root` itself.

    Raises:
        SourceError: there is none, or one of them cannot be read.
    """
    if not root.is_dir():
        raise SourceError(f"{root} is no folder; give a data set of <name>/frames/*.jpg and <name>/{BOX_FILE}")
    folders = [root] if (root / BOX_FILE).exists() else in_order(path.parent for path in root.glob(f"*/{BOX_FILE}"))
    if not folders:
        raise SourceError(
            f"{root} holds no sequence; one is a folder with frames/*.jpg and {BOX_FILE} (x,y,w,h a line)"
        )
    return [load_sequence(folder) for folder in folders]


def _read_boxes(path: Path) -> Boxes:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    boxes = [_parse_box(line, path, number) for number, line in enumerate(lines, 1)]
    return xyxy_from_ltwh(np.array(boxes).reshape(-1, 4))


def _parse_box(line: str, path: Path, number: int) -> list[float]:
    try:
        box = [float(value) for value in line.split(",")]
    except ValueError:
        box = []
    if len(box) != 4 or not np.isfinite(box).all() or box[2] <= 0 or box[3] <= 0:
        raise SourceError(f"{path}, line {number}: {line!r} is no box; write x,y,w,h in pixels, w and h above 0")
    return box

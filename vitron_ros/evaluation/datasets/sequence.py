"""A video with the true box of its target in every frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.errors import ImageError, SourceError
from vitron_ros.frame import Frame
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.recordings.image_files import read_image


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sequence:
    """A video with the true box of its target in every frame.

    Attributes:
        name: unique within its data set.
        paths: T image files in order.
        boxes_xyxy: (T, 4) px; nan: the target is not in the image, or hidden.
        annotated_xyxy: (T, 4) px, with the boxes that some sets give also where they flag the target as absent; nan:
            there is none. None: as boxes_xyxy. Toolkits that do not use the flags score these.
        language: the sentence that describes the target; empty: there is none.
        category: the class of the target; empty: the set has none.
        attributes: the challenges that the set says are in the video, e.g. "FM".
        cover: (T,) 0..8, how much of the target is seen (GOT-10k); None: the set does not say.
        has_truth: False: a server keeps the truth, and only the box of the first frame is known.
    """

    name: str
    paths: tuple[Path, ...]
    boxes_xyxy: Boxes
    annotated_xyxy: Boxes | None = None
    language: str = ""
    category: str = ""
    attributes: tuple[str, ...] = ()
    cover: NDArray[np.int64] | None = None
    has_truth: bool = True

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
        return read_frame(self.paths[index], index, window)


def read_frame(path: Path, index: int = 0, window: IntensityWindow | None = None) -> Frame:
    """An image file, decoded; without a stamp.

    Raises:
        SourceError: it cannot be decoded.
    """
    try:
        return Frame(rgb=read_image(path, window), stamp_ns=0, index=index)
    except ImageError as error:
        raise SourceError(f"{path.parent}: {error}") from error


def check_lengths(where: Path, frames: int, **counts: int) -> None:
    """Raises SourceError if a file has not one entry for each frame; nothing is cut or padded."""
    for name, count in counts.items():
        if count != frames:
            hint = " (a server keeps the truth of a test split)" if count == 1 else ""
            raise SourceError(f"{where} has {frames} frames but {count} {name}; it needs one for each frame{hint}")


def check_starts(sequences: list[Sequence], where: Path) -> list[Sequence]:
    """The sequences, all of which must begin with their target, since trackers start there.

    Raises:
        SourceError: one does not, two have one name, or there is none.
    """
    if not sequences:
        raise SourceError(f"{where} holds no sequence")
    names = [sequence.name for sequence in sequences]
    if len(set(names)) < len(names):
        raise SourceError(f"{where} has two sequences {next(name for name in names if names.count(name) > 1)}")
    for sequence in sequences:
        if not sequence.is_visible[0]:
            raise SourceError(
                f"{sequence.paths[0].parent}: {sequence.name}: the first frame has no box, and trackers start there; "
                "leave out those before"
            )
    return sequences

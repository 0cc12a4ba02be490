"""Videos with label images: in each pixel the id of an object, 0 beside them, 255 where it is not decided (void)."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.evaluation.datasets.sequence import read_frame
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.frame import Frame, Image
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.lfs import lfs_problem

VOID = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledObject:
    """An object of a video.

    Attributes:
        first: index of the first frame with a mask of it.
        category: empty: the set has none.
        is_seen: whether the training split has the category (YouTube-VOS); None: not known.
    """

    first: int = 0
    category: str = ""
    is_seen: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledVideo:
    """A video and its label images.

    Attributes:
        paths: T image files in order.
        label_paths: T label files; None where there is none: those of a test split, and what is not annotated.
        objects: by id, from 1; ids may have gaps.
        is_merged: all ids are one object, as DAVIS 2016 counts.
    """

    name: str
    paths: tuple[Path, ...]
    label_paths: tuple[Path | None, ...]
    objects: Mapping[int, LabelledObject]
    is_merged: bool = False

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def has_truth(self) -> bool:
        """Whether every frame has labels."""
        return None not in self.label_paths

    def frame(self, index: int, window: IntensityWindow | None = None) -> Frame:
        """One image, decoded; as `Sequence.frame`."""
        return read_frame(self.paths[index], index, window)

    def labels(self, index: int) -> Image | None:
        """The label image of a frame, (H, W) uint8; None: it is not annotated.

        Raises:
            SourceError: the file cannot be decoded, or has a label of no object.
        """
        path = self.label_paths[index]
        if path is None:
            return None
        labels = read_labels(path)
        if self.is_merged:
            return (labels > 0).astype(np.uint8)
        unknown = sorted(set(np.unique(labels).tolist()) - {0, VOID, *self.objects})
        if unknown:
            raise SourceError(f"{path} has the labels {unknown}, but the video has the objects {list(self.objects)}")
        return labels


def read_labels(path: Path) -> Image:
    """The ids in a PNG with a palette, or in a grey one, (H, W) uint8.

    Raises:
        SourceError: it cannot be read, or is in colour.
    """
    try:
        from PIL import Image as pillow
    except ImportError as error:
        raise SourceError(f"label images need Pillow ({error}); run: pip install 'vitron_ros[evaluation]'") from error
    try:
        with pillow.open(path) as picture:
            if picture.mode not in ("P", "L"):
                raise SourceError(f"{path} is a picture in mode {picture.mode}; labels are grey or have a palette")
            return np.array(picture, np.uint8)
    except (OSError, ValueError, SyntaxError) as error:
        raise SourceError(lfs_problem(path) or f"{path} cannot be read as a label image: {error}") from error


def write_labels(labels: Image) -> bytes:
    """A PNG of a label image (H, W), with the palette that PASCAL VOC and DAVIS colour ids by.

    Raises:
        ConfigError: Pillow is not installed.
    """
    try:
        from PIL import Image as pillow
    except ImportError as error:
        raise ConfigError(f"label images need Pillow ({error}); run: pip install 'vitron_ros[evaluation]'") from error
    picture = pillow.fromarray(labels).convert("P")
    picture.putpalette([_channel(number, shift) for number in range(256) for shift in range(3)])
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _channel(number: int, shift: int) -> int:
    """Of the palette: every third bit of an id, the lowest first, makes a channel from its highest bit on."""
    return sum(((number >> 3 * place + shift) & 1) << 7 - place for place in range(3))


def tight_boxes(video: LabelledVideo) -> dict[int, Boxes]:
    """The tight box of each object in each frame, (T, 4) px; nan where it has no pixel. Decodes every label image.

    Raises:
        SourceError: a label image is missing or cannot be decoded.
    """
    boxes = {number: np.full((len(video), 4), np.nan) for number in video.objects}
    for index in range(len(video)):
        labels = video.labels(index)
        if labels is None:
            raise SourceError(f"{video.name} has no labels of frame {index}; a server keeps the truth of a test split")
        for number, rows in boxes.items():
            if (box := tight_box(labels == number)) is not None:
                rows[index] = box
    return boxes


def tight_box(mask: Flags) -> NDArray[Any] | None:
    """The box (4,) px around the pixels of a mask (H, W); None: it is empty."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return np.array([x, y, x + width, y + height], np.float64) if width else None

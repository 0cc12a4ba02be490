"""Text files with a box or a flag a frame, as data sets of single-object tracking write them.

A line of boxes is x,y,w,h in px, with commas, tabs or spaces between; four times nan, or four times 0, where the target
is not in the image. VOT writes corners, x1,y1,...,x4,y4, whose tight upright box is taken, and masks, `m` before
x,y,w,h of the tight box and the mask's runs.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, xyxy_from_ltwh
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.files import read_lines
from vitron_ros.evaluation.metrics.checks import Flags

_SEPARATOR = re.compile(r"\s*,\s*|\s+")
_CORNERS = 8


def read_boxes(path: Path, first_pixel: float = 0.0, absent: Flags | None = None) -> Boxes:
    """Boxes of every line, (T, 4) px, nan where the target is not in the image.

    Args:
        first_pixel: coordinate of the first pixel, 0 or 1.
        absent: (T,) frames whose line may be a box without area, which becomes nan.

    Raises:
        SourceError: the file cannot be read, a line is no box, or there is not one flag for each line.
    """
    lines = read_lines(path)
    ltwh = np.array([_row(line, path, number) for number, line in enumerate(lines, 1)], np.float64).reshape(-1, 4)
    if absent is not None and len(absent) != len(lines):
        raise SourceError(f"{path} has {len(lines)} boxes but {len(absent)} flags of absence are beside it")
    empty = np.isnan(ltwh).all(axis=1) | (ltwh == 0).all(axis=1)
    has_area = np.isfinite(ltwh).all(axis=1) & (ltwh[:, 2:] > 0).all(axis=1)
    if absent is not None:
        empty |= absent & ~has_area
    if not (has_area | empty).all():
        number = int(np.argmin(has_area | empty))
        raise _no_box(path, number + 1, lines[number])
    ltwh[empty] = np.nan
    ltwh[:, :2] -= first_pixel
    return xyxy_from_ltwh(ltwh)


def read_numbers(path: Path) -> NDArray[np.int64]:
    """The whole numbers of a file, (N,), one a line or all in one.

    Raises:
        SourceError: it cannot be read, or something else is in it.
    """
    words = [word for line in read_lines(path) for word in _SEPARATOR.split(line.strip().rstrip(","))]
    try:
        numbers = np.array([float(word) for word in words if word])
        if (numbers != numbers.round()).any():
            raise ValueError
    except ValueError as error:
        raise SourceError(f"{path} should hold whole numbers; fetch it again") from error
    return numbers.astype(np.int64)


def _row(line: str, path: Path, number: int) -> list[float]:
    words = _SEPARATOR.split(line.strip())
    if line.startswith("m"):
        words = [words[0][1:], *words[1:4]]
    try:
        row = [float(word) for word in words]
    except ValueError:
        row = []
    if len(row) == _CORNERS:
        x, y = row[0::2], row[1::2]
        return [min(x), min(y), max(x) - min(x), max(y) - min(y)]
    if len(row) != 4:
        raise _no_box(path, number, line)
    return row


def _no_box(path: Path, number: int, line: str) -> SourceError:
    return SourceError(
        f"{path}, line {number}: {line[:100]!r} is not a box; write x,y,w,h in pixels, w and h above 0, or "
        "nan,nan,nan,nan where the target is not in the image"
    )

"""MOTChallenge's gt.txt, and CVAT's export of it, which has a labels.txt beside it.

A line is frame, id, left, top, width, height, flag, class, visibility, and perhaps a tenth number that is not used;
frames count from 1. MOTChallenge counts pixels from 1, too; CVAT from 0, and its visibility is a mark "occluded" that
does not say how much is hidden, so it counts as in sight. Boxes with the flag 0 are not scored: they are left out.
"""

from collections.abc import Sequence

import numpy as np

from vitron_ros.boxes import xyxy_from_ltwh
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.bags.annotations.frames import Frames, by_frame, check_frame
from vitron_ros.recordings.ground_truth import TrueBox

COLUMNS = (9, 10)


def read_mot(text: str, labels: Sequence[str] | None, length: int, where: str) -> Frames:
    """The boxes of a gt.txt.

    Args:
        labels: the lines of labels.txt, by class from 1; None: it is not from CVAT.
        length: frames of the video.

    Raises:
        SourceError: a line is not that of a box in the video.
    """
    lines = [(f"{where}, line {number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return by_frame(_box(line, labels, length, place) for place, line in lines)


def _box(line: str, labels: Sequence[str] | None, length: int, where: str) -> tuple[int, TrueBox | None]:
    try:
        row = [float(word) for word in line.split(",")]
    except ValueError:
        row = []
    if len(row) not in COLUMNS or not np.isfinite(row).all():
        raise SourceError(
            f"{where}: {line[:100]!r} is not frame,id,left,top,width,height,flag,class,visibility in numbers"
        )
    frame, number, *ltwh, flag, category, visibility = row[:9]
    if number < 0 or frame % 1 or number % 1:
        raise SourceError(f"{where}: frame {frame:g} and id {number:g} should be whole numbers")
    index = int(frame) - 1
    check_frame(index, length, where)
    if flag == 0:
        return index, None
    label = labels[int(category) - 1] if labels and 1 <= category <= len(labels) else ""
    first_pixel = 1 if labels is None else 0
    box_xyxy = xyxy_from_ltwh(np.subtract(ltwh, [first_pixel, first_pixel, 0, 0]))
    return index, TrueBox(int(number), label, box_xyxy, visibility if labels is None and visibility >= 0 else 1.0)

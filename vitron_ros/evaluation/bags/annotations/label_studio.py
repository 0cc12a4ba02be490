"""Label Studio's JSON of a video with `videorectangle` regions; frames count from 1.

Coordinates are percent of the image. Between listed frames boxes are linear; one with `enabled: false` is the last in
which the object is there, until the next. Regions have names that nobody remembers: objects are numbered from 1 in the
order of the file. `predictions` are a model's, and not read.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from vitron_ros.boxes import Boxes, xyxy_from_ltwh
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.bags.annotations.frames import Frames, Keyframe, by_frame, check_length, interpolated
from vitron_ros.evaluation.datasets.files import value
from vitron_ros.recordings.ground_truth import TrueBox

SIDES = ("x", "y", "width", "height")


def read_label_studio(tasks: list[Any], size: tuple[int, int], length: int, where: str) -> Frames:
    """The boxes of an export.

    Args:
        tasks: the file's list.
        size: width and height of the images, px.
        length: frames of the video.

    Raises:
        SourceError: there is not one task with one annotation, or a region in it is none.
    """
    if len(tasks) != 1:
        raise SourceError(f"{where} has {len(tasks)} tasks; export the one about this recording alone")
    made = [
        one
        for one in value(tasks[0], "annotations", list, where)
        if not (isinstance(one, dict) and one.get("was_cancelled"))
    ]
    if len(made) != 1:
        raise SourceError(f"{where} has {len(made)} annotations of the task; keep the one that is true")
    regions = [
        value(region, "value", dict, where)
        for region in value(made[0], "result", list, where)
        if isinstance(region, dict) and region.get("type") == "videorectangle"
    ]
    return by_frame(
        item for number, region in enumerate(regions, 1) for item in _boxes(region, number, size, length, where)
    )


def _boxes(
    region: dict[str, Any], number: int, size: tuple[int, int], length: int, where: str
) -> Iterator[tuple[int, TrueBox | None]]:
    for key in ("framesCount", "frameCount"):
        if key in region:
            check_length(value(region, key, int, where), length, where)
    label = ", ".join(map(str, value(region, "labels", list, where))) if "labels" in region else ""
    place = f"{where}: object {number}"
    keyframes = [_keyframe(item, size, place) for item in value(region, "sequence", list, where)]
    for frame, box in interpolated(keyframes, length, place).items():
        yield frame, None if box is None else TrueBox(number, label, box, 1.0)


def _keyframe(item: Any, size: tuple[int, int], where: str) -> Keyframe:
    frame = value(item, "frame", int, where)
    if item.get("rotation"):
        raise SourceError(f"{where}: its box is turned by {item['rotation']} degrees; only upright boxes are compared")
    return Keyframe(frame=frame - 1, box_xyxy=_box(item, size, where), holds=item.get("enabled", True) is True)


def _box(item: dict[str, Any], size: tuple[int, int], where: str) -> Boxes:
    try:
        percent = np.array([float(item[side]) for side in SIDES])
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{where}: {', '.join(SIDES)} should be numbers in percent: {error!r}") from error
    return xyxy_from_ltwh(percent * [*size, *size] / 100)

"""True boxes that a recording holds as vision_msgs/Detection2DArray."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import SourceError
from vitron_ros.recordings.bags import Bag
from vitron_ros.recordings.ground_truth import TrueBox, check_boxes, truth_messages

DETECTION_ARRAY = "vision_msgs/msg/Detection2DArray"


def read_detections(bag: Bag, topic: str) -> dict[int, tuple[TrueBox, ...]]:
    """The boxes of each message by its stamp in ns.

    `id` says which object a box is, in every message. Where one is no number, objects are numbered from 1 in the order
    in which they appear, and their labels begin with it. The class of the best hypothesis is a label, too.

    Raises:
        SourceError: as `truth_messages` and `check_boxes`, or a box is turned or has no id.
    """
    where = f"{bag.path}: {topic}"
    messages = {stamp_ns: value.detections for stamp_ns, value in truth_messages(bag, topic)}
    names = list(dict.fromkeys(item.id for items in messages.values() for item in items))
    if "" in names:
        raise SourceError(f"{where} has a detection without an id, which says which object it is")
    is_numbered = all(name.isascii() and name.isdecimal() for name in names)
    numbers = {name: int(name) if is_numbered else number for number, name in enumerate(names, 1)}
    truth = {}
    for stamp_ns, items in messages.items():
        image = f"at {stamp_ns / SECOND_NS:.9f} s"
        truth[stamp_ns] = tuple(
            TrueBox(
                numbers[item.id],
                " ".join(_label(item, is_numbered=is_numbered)),
                _box(item, f"{where}: object {item.id} {image}"),
                1.0,
            )
            for item in items
        )
        check_boxes(truth[stamp_ns], where, image)
    return truth


def _label(item: Any, *, is_numbered: bool) -> Iterator[str]:
    if not is_numbered:
        yield item.id
    if item.results:
        yield max(item.results, key=lambda result: result.hypothesis.score).hypothesis.class_id


def _box(item: Any, where: str) -> Boxes:
    center, half = item.bbox.center, np.array([item.bbox.size_x, item.bbox.size_y]) / 2
    if center.theta != 0:
        raise SourceError(f"{where} is turned by {center.theta:g} rad; only upright boxes are compared")
    middle = np.array([center.position.x, center.position.y])
    return np.concatenate([middle - half, middle + half])

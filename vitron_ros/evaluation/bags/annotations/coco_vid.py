"""COCO-VID, as mmtracking writes it: COCO with `videos`, and an `instance_id` in each annotation.

`frame_id` of an image counts from 0. The annotations of one video alone are read.
"""

from typing import Any

import numpy as np

from vitron_ros.boxes import xyxy_from_ltwh
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.bags.annotations.frames import Frames, by_frame, check_frame
from vitron_ros.evaluation.datasets.files import value
from vitron_ros.recordings.ground_truth import TrueBox


def read_coco_vid(document: dict[str, Any], length: int, where: str) -> Frames:
    """The boxes of a file with one video.

    Args:
        length: its frames.

    Raises:
        SourceError: it has several videos, is in YouTube-VIS's form, or lacks something.
    """
    videos = value(document, "videos", list, where)
    if len(videos) != 1:
        raise SourceError(f"{where} has {len(videos)} videos; keep the one about this recording")
    annotations = value(document, "annotations", list, where)
    if any(isinstance(item, dict) and "bboxes" in item for item in annotations):
        raise SourceError(f"{where} has a list of boxes in each annotation, as YouTube-VIS; write it as COCO-VID")
    images = value(document, "images", list, where)
    frames = {value(image, "id", int, where): value(image, "frame_id", int, where) for image in images}
    if len(set(frames.values())) != len(images):
        raise SourceError(f"{where} has an image or a frame_id twice")
    for frame in frames.values():
        check_frame(frame, length, where)
    categories = value(document, "categories", list, where)
    labels = {value(item, "id", int, where): value(item, "name", str, where) for item in categories}
    found: list[tuple[int, TrueBox | None]] = [(frame, None) for frame in frames.values()]
    for item in annotations:
        image_id = value(item, "image_id", int, where)
        if image_id not in frames:
            raise SourceError(f"{where}: an annotation is of image {image_id}, which is not there")
        found.append((frames[image_id], _box(item, labels, where)))
    return by_frame(found)


def _box(item: dict[str, Any], labels: dict[int, str], where: str) -> TrueBox:
    number = value(item, "instance_id", int, where)
    ltwh = value(item, "bbox", list, where)
    if len(ltwh) != 4 or not all(isinstance(side, int | float) for side in ltwh):
        raise SourceError(f"{where}: object {number} has the bbox {ltwh}; it is x, y, width, height in px")
    label = labels.get(value(item, "category_id", int, where), "")
    return TrueBox(number, label, xyxy_from_ltwh(np.array(ltwh, np.float64)), 1.0)

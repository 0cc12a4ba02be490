"""What a job of segmentation marks, and the result that masks of its frames make."""

from collections.abc import Iterator

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import RegionError
from vitron_ros.modules.module import BadJob, Mask, ModuleJob, ModuleResult, Progress
from vitron_ros.region import Region
from vitron_ros.tracking.soft_mask import Flags, bounding_box


def first_mark(job: ModuleJob, name: str) -> tuple[int, Region]:
    """The frame in which the object is marked first, and the mark.

    Args:
        name: of the backend, which knows no words.

    Raises:
        BadJob: it is marked nowhere.
    """
    if job.region is not None:
        return 0, job.region
    for index, mask in enumerate(job.masks):
        if mask is not None and (mask > 127).any():
            return index, Region.from_mask(mask > 127)
    for index, box in enumerate(job.boxes):
        if box is not None:
            return index, Region.from_box(box)
    raise BadJob(f"{name} knows no words: mark the object, by a box for instance")


def mask_result(masks: Iterator[Flags], count: int, progress: Progress) -> ModuleResult:
    """The result of a mask (H, W) for each of so many frames, with progress before each of them.

    Raises:
        BadJob: a region marks nothing that can be cut out.
        Cancelled: the job is to stop.
    """
    pixels: list[Mask] = []
    boxes: list[Boxes | None] = []
    try:
        for index in range(count):
            progress.report(index / count)
            mask = next(masks)
            pixels.append(np.where(mask, 255, 0).astype(np.uint8))
            boxes.append(bounding_box(mask) if mask.any() else None)
    except RegionError as error:
        raise BadJob(str(error)) from error
    progress.report(1.0)
    away = sum(box is None for box in boxes)
    message = f"the object is not seen in {away} of {len(boxes)} images" if away else ""
    return ModuleResult(masks=tuple(pixels), boxes=tuple(boxes), message=message)

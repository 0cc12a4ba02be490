"""The segmentation module without weights: an image, or a clip, and what was marked in it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError, RegionError
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import (
    EMBEDDED,
    BackendDescription,
    BadJob,
    Mask,
    ModuleJob,
    ModuleResult,
    Progress,
)
from vitron_ros.modules.segmentation.image_mask import segment_image
from vitron_ros.modules.segmentation.mask_propagation import MaskPropagation
from vitron_ros.modules.segmentation.motion_evidence import NEIGHBOUR_DISTANCE
from vitron_ros.region import Region, RegionKind
from vitron_ros.tracking.soft_mask import Flags, bounding_box


class EmbeddedSegmentation:
    """Colour, motion and GrabCut; a mask is carried through a clip by optical flow and a box tracker."""

    @classmethod
    def load(cls, source: str | Path, run: ModelRun) -> "EmbeddedSegmentation":
        """It has no weights, and runs on the CPU whatever the device.

        Raises:
            ModelError: the source is another than EMBEDDED.
        """
        if str(source) != EMBEDDED:
            raise ModelError(f"{source}: segmentation without weights is called {EMBEDDED!r}, and has no directory")
        return cls()

    def describe(self) -> BackendDescription:
        modules = (Module.IMAGE_SEGMENTATION, Module.VIDEO_SEGMENTATION)
        return BackendDescription(
            name=EMBEDDED, licence="Apache-2.0", actions={module: frozenset(("segment",)) for module in modules}
        )

    def run(self, job: ModuleJob, progress: Progress) -> ModuleResult:
        """A mask and a box for each frame. See ModuleBackend."""
        masks: list[Mask] = []
        boxes: list[Boxes | None] = []
        try:
            found = _masks(job)
            for index in range(len(job.frames)):
                progress.report(index / len(job.frames))
                mask = next(found)
                masks.append(np.where(mask, 255, 0).astype(np.uint8))
                boxes.append(bounding_box(mask) if mask.any() else None)
        except RegionError as error:
            raise BadJob(str(error)) from error
        progress.report(1.0)
        away = sum(box is None for box in boxes)
        message = f"the object is not seen in {away} of {len(boxes)} images" if away else ""
        return ModuleResult(masks=tuple(masks), boxes=tuple(boxes), message=message)


def _masks(job: ModuleJob) -> Iterator[Flags]:
    """One by one; before the frame in which a track begins, and where it says that the object is away, all False."""
    first, region = _start(job)
    frames = job.frames
    nothing = np.zeros(frames[0].rgb.shape[:2], bool)
    for _ in range(first):
        yield nothing
    following = frames[first + 1 :][:NEIGHBOUR_DISTANCE]
    if following and region.kind is RegionKind.MASK:  # followed as it was given
        mask = region.binary_mask(frames[0].width, frames[0].height)
    else:
        mask = segment_image(frames[first].rgb, region, following[-1].rgb if following else None)
    yield mask
    if not following:
        return
    propagation = MaskPropagation(frames[first], mask)
    for index in range(first + 1, len(frames)):
        box = job.boxes[index] if job.boxes else None
        mask = propagation.step(frames[index], box)
        yield nothing if job.boxes and box is None else mask


def _start(job: ModuleJob) -> tuple[int, Region]:
    """The frame in which the object is marked first, and the mark.

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
    raise BadJob("segmentation without a model knows no words: mark the object, by a box for instance")

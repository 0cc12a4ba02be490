"""The segmentation module without weights: an image, or a clip, and what was marked in it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import (
    EMBEDDED,
    BackendDescription,
    ModuleJob,
    ModuleResult,
    Progress,
)
from vitron_ros.modules.segmentation.image_mask import segment_image
from vitron_ros.modules.segmentation.marks import first_mark, mask_result
from vitron_ros.modules.segmentation.mask_propagation import MaskPropagation
from vitron_ros.modules.segmentation.motion_evidence import NEIGHBOUR_DISTANCE
from vitron_ros.region import RegionKind
from vitron_ros.tracking.soft_mask import Flags


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
        return mask_result(_masks(job), len(job.frames), progress)


def _masks(job: ModuleJob) -> Iterator[Flags]:
    """One by one; before the frame in which a track begins, and where it says that the object is away, all False."""
    first, region = first_mark(job, "segmentation without a model")
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

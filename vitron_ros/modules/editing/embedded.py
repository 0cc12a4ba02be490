"""Editing without weights: inpainting, recolouring, compositing."""

from pathlib import Path

import numpy as np

from vitron_ros.config import ModelRun
from vitron_ros.module_registry import EDITS, Module
from vitron_ros.modules.editing.actions import ACTIONS, Edit
from vitron_ros.modules.module import EMBEDDED, BackendDescription, ModuleBackend, ModuleJob, ModuleResult, Progress
from vitron_ros.modules.object_masks import has_object, object_masks
from vitron_ros.modules.segmentation.embedded import EmbeddedSegmentation

SEGMENTATION_SHARE = 0.4  # of the progress, where the object must be cut out first


class EmbeddedEditing:
    """Edits images and clips. Outside the soft mask (of a removal: the hole) a result is the source, bit for bit."""

    def __init__(self, segmentation: ModuleBackend | None = None) -> None:
        """segmentation: cuts the object out, where the job has no mask of it (embedded)."""
        self._segmentation = segmentation or EmbeddedSegmentation()

    @classmethod
    def load(cls, source: str | Path, run: ModelRun) -> "EmbeddedEditing":
        return cls(EmbeddedSegmentation.load(source, run))

    def describe(self) -> BackendDescription:
        modules = (Module.IMAGE_EDITING, Module.VIDEO_EDITING)
        return BackendDescription(name=EMBEDDED, licence="Apache-2.0", actions=dict.fromkeys(modules, EDITS))

    def run(self, job: ModuleJob, progress: Progress) -> ModuleResult:
        images = [frame.rgb for frame in job.frames]
        if job.action == "style" and not has_object(job):
            masks = [np.full(image.shape[:2], 255, np.uint8) for image in images]
            return ACTIONS[job.action](Edit(job, images, masks, progress))
        share = 0.0 if job.masks else SEGMENTATION_SHARE
        masks = object_masks(job, self._segmentation, progress.part(0, share))
        return ACTIONS[job.action](Edit(job, images, masks, progress.part(share, 1)))

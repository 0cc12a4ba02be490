"""The masks of the object that a job is about."""

from dataclasses import replace

import numpy as np

from vitron_ros.errors import RegionError
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import BadJob, Mask, ModuleBackend, ModuleJob, Progress
from vitron_ros.region import RegionKind


def has_object(job: ModuleJob) -> bool:
    """Whether the job says which object it is about."""
    return job.region is not None or bool(job.masks) or bool(job.boxes)


def object_masks(job: ModuleJob, segmentation: ModuleBackend, progress: Progress) -> list[Mask]:
    """The object's mask in every frame of the job, (H, W) uint8, all 0 where it is away.

    Masks that the job brings are used as they are; a box, point, outline or stroke is segmented.

    Raises:
        BadJob: the job names no object, its region lies outside the image, or it is in no frame.
    """
    if not has_object(job):
        raise BadJob(f"{job.action} needs an object: give a region, or the boxes or masks of a track")
    height, width = job.frames[0].rgb.shape[:2]
    nothing = np.zeros((height, width), np.uint8)
    if job.masks:
        masks = [nothing if mask is None else mask for mask in job.masks]
    elif job.region is not None and job.region.kind is RegionKind.MASK and len(job.frames) == 1:
        try:
            masks = [job.region.binary_mask(width, height).astype(np.uint8) * np.uint8(255)]
        except RegionError as error:
            raise BadJob(str(error)) from error
    else:
        is_image = len(job.frames) == 1
        module = Module.IMAGE_SEGMENTATION if is_image else Module.VIDEO_SEGMENTATION
        masks = list(segmentation.run(replace(job, module=module, action="segment"), progress).masks)
    if not any((mask > 127).any() for mask in masks):
        raise BadJob("the object is in no frame: its mask is empty")
    return masks

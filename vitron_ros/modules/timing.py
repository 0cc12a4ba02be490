"""The time and the coordinate frame of each image that a job gives back."""

from vitron_ros.clock import SECOND_NS
from vitron_ros.modules.module import ModuleJob, ModuleResult

FRAME_RATE_HZ = 25.0  # of a clip whose backend does not say


def result_stamps(job: ModuleJob, result: ModuleResult, start_ns: int) -> list[tuple[int, str]]:
    """(ns, frame_id) of each image and mask: those of the job's frames, or from `start_ns` on at the result's rate."""
    count = max(len(result.images), len(result.masks))
    if len(job.frames) == count and not result.frame_rate:
        return [(frame.stamp_ns, frame.frame_id) for frame in job.frames]
    rate = result.frame_rate or FRAME_RATE_HZ
    frame_id = job.frames[0].frame_id if job.frames else ""
    return [(start_ns + round(index * SECOND_NS / rate), frame_id) for index in range(count)]

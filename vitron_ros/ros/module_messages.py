"""Goals and results of RunModule, and the core's jobs and results. Nothing here decides anything."""

from collections.abc import Sequence

import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vitron_msgs.action import RunModule
from vitron_msgs.msg import Region as RegionMsg
from vitron_msgs.msg import Track, TrackArray

from vitron_ros.boxes import Boxes
from vitron_ros.errors import ConfigError, ImageError, RegionError, VitronError
from vitron_ros.frame import Frame
from vitron_ros.frame import Image as Pixels
from vitron_ros.images.decode import decode_image
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.modules.instructions import read_instructions
from vitron_ros.modules.module import (
    BadJob,
    Cancelled,
    DiskFull,
    JobSettings,
    Mask,
    ModuleJob,
    ModuleResult,
    OutOfMemory,
    QueueFull,
    TimedOut,
    TooLarge,
    Unsupported,
)
from vitron_ros.modules.timing import result_stamps
from vitron_ros.region import Region
from vitron_ros.ros.conversions import (
    frame_from_message,
    image_message,
    ns_from_time,
    region_from_message,
    region_message,
    time_from_ns,
)

_CODES = RunModule.Result
ERROR_CODES: dict[type[VitronError], int] = {
    Cancelled: _CODES.CANCELED,
    Unsupported: _CODES.UNSUPPORTED,
    BadJob: _CODES.BAD_INPUT,
    RegionError: _CODES.BAD_INPUT,
    ImageError: _CODES.BAD_INPUT,
    ConfigError: _CODES.BAD_INPUT,
    QueueFull: _CODES.QUEUE_FULL,
    TooLarge: _CODES.TOO_LARGE,
    OutOfMemory: _CODES.OUT_OF_MEMORY,
    DiskFull: _CODES.DISK_FULL,
    TimedOut: _CODES.TIMEOUT,
}
"""Of what a job can fail by; any other VitronError is a MODULE_ERROR."""
SHOWN = (Track.TENTATIVE, Track.TRACKED, Track.PREDICTED)  # states in which a box says where a target is


def frames_from_messages(messages: Sequence[Image | CompressedImage], camera: str) -> tuple[Frame, ...]:
    """The decoded images.

    Raises:
        BadJob: one cannot be decoded.
    """
    window, frames = IntensityWindow(), []
    for index, message in enumerate(messages):
        try:
            frames.append(frame_from_message(message, camera, window))
        except ImageError as error:
            raise BadJob(f"image {index} cannot be decoded: {error}") from error
    return tuple(frames)


def job_from_goal(goal: RunModule.Goal, frames: tuple[Frame, ...]) -> ModuleJob:
    """What a goal asks for.

    Raises:
        BadJob, Unsupported, RegionError: it cannot be done as it is.
    """
    module, action, text = read_instructions(goal.invocation.module, goal.invocation.instructions)
    region = region_from_message(goal.invocation.region[0]) if goal.invocation.region else None
    if region is not None and frames:
        region.bounding_box(frames[0].width, frames[0].height)
    found = [_target_at(frame, goal.tracks, goal.invocation.track_id) for frame in frames] if goal.tracks else []
    masks: Sequence[Mask | None] = [_mask_pixels(message) for message in goal.masks]
    if not masks and any(track is not None and track.mask for track in found):
        masks = [_track_mask(frame, track) for frame, track in zip(frames, found, strict=True)]
    default = JobSettings()
    return ModuleJob(
        module=module,
        action=action,
        text=text,
        frames=frames,
        region=region,
        boxes=tuple(None if track is None else np.asarray(track.box, np.float64) for track in found),
        masks=tuple(masks),
        reference=frames_from_messages(goal.reference, "")[0] if goal.reference else None,
        seed=goal.seed,
        settings=JobSettings(
            width=goal.width or default.width,
            height=goal.height or default.height,
            frame_count=goal.frame_count or default.frame_count,
            frame_rate=_rate(goal.frame_rate) or default.frame_rate,
            steps=goal.steps,
        ),
    )


def _rate(rate: float) -> float:
    if not 0 <= rate <= 1000:
        raise BadJob(f"frame_rate is {rate:g} Hz; it must be from 0 to 1000")
    return float(rate)


def _target_at(frame: Frame, arrays: Sequence[TrackArray], track_id: int) -> Track | None:
    for array in arrays:
        if ns_from_time(array.header.stamp) == frame.stamp_ns:
            return next((track for track in array.tracks if track.id == track_id and track.state in SHOWN), None)
    return None


def _mask_pixels(message: Image) -> Mask:
    try:
        rgb = decode_image(
            message.encoding, message.width, message.height, message.step, bool(message.is_bigendian), message.data
        )
    except ImageError as error:
        raise BadJob(f"a mask cannot be decoded: {error}") from error
    return np.ascontiguousarray(rgb[..., 0])


def _track_mask(frame: Frame, track: Track | None) -> Mask | None:
    """The mask of a track in the size of its image."""
    if track is None or not track.mask:
        return None
    pixels, (x, y) = _mask_pixels(track.mask[0]), (track.mask_x, track.mask_y)
    height, width = pixels.shape
    if x + width > frame.width or y + height > frame.height:
        raise BadJob(f"the mask of track {track.id} reaches out of its image")
    mask = np.zeros((frame.height, frame.width), np.uint8)
    mask[y : y + height, x : x + width] = pixels
    return mask


def result_message(job: ModuleJob, result: ModuleResult, *, now_ns: int, files_only: bool) -> RunModule.Result:
    """What came of a job that was done. `now_ns`: the stamp of the first image of what was made from nothing."""
    headers = [
        Header(stamp=time_from_ns(stamp_ns), frame_id=frame_id)
        for stamp_ns, frame_id in result_stamps(job, result, now_ns)
    ]
    boxes = [(index, box) for index, box in enumerate(result.boxes) if box is not None]
    return RunModule.Result(
        note=result.message,
        images=[] if files_only else _images(result.images, headers),
        masks=[] if files_only else _images(result.masks, headers),
        boxes=[_box_message(box) for _, box in boxes],
        box_frames=[index for index, _ in boxes],
    )


def _images(pictures: Sequence[Pixels], headers: Sequence[Header]) -> list[Image]:
    return (
        [image_message(picture, header) for picture, header in zip(pictures, headers, strict=True)] if pictures else []
    )


def _box_message(box: Boxes) -> RegionMsg:
    return region_message(Region.from_box(box))

"""Messages to the core's values and back. Nothing here decides anything."""

from array import array
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration, Time
from numpy.typing import NDArray
from rclpy.action.server import ServerGoalHandle
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Region as RegionMsg
from vitron_msgs.msg import Track as TrackMsg
from vitron_msgs.msg import TrackArray
from vitron_msgs.msg import TrackEvent as TrackEventMsg

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ConfigError, ImageError, RegionError
from vitron_ros.frame import Frame, ns_from_stamp
from vitron_ros.frame import Image as Rgb
from vitron_ros.images.compressed import decode_compressed
from vitron_ros.images.decode import ENCODINGS, decode_image
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.region import Region, RegionKind
from vitron_ros.streaming.goals import GoalResult, TrackRequest
from vitron_ros.tracking.track import TrackEvent, TrackSnapshot

try:
    from cv_bridge import CvBridge
except ImportError:  # there is no wheel of it; an apt ROS has it
    CvBridge = None


def time_from_ns(stamp_ns: int) -> Time:
    return Time(sec=stamp_ns // SECOND_NS, nanosec=stamp_ns % SECOND_NS)


def duration_from_ns(duration_ns: int) -> Duration:
    return Duration(sec=duration_ns // SECOND_NS, nanosec=duration_ns % SECOND_NS)


def ns_from_time(time: Time) -> int:
    return int(time.sec) * SECOND_NS + int(time.nanosec)


def ns_from_duration(duration: Duration, name: str) -> int:
    """The nanoseconds of a field of a goal.

    Raises:
        ConfigError: it has a second or more in its nanoseconds.
    """
    if duration.nanosec >= SECOND_NS:
        raise ConfigError(f"{name} has {duration.nanosec} ns beside its seconds; these go up to {SECOND_NS - 1}")
    return int(duration.sec) * SECOND_NS + int(duration.nanosec)


def frame_from_message(message: Image | CompressedImage, camera: str, window: IntensityWindow) -> Frame:
    """The decoded image with its own stamp. `window`: the camera's, for images of 16 bits.

    Raises:
        ImageError: the message cannot be decoded, or its stamp is not a valid time.
    """
    stamp_ns = ns_from_stamp(message.header.stamp.sec, message.header.stamp.nanosec)
    if isinstance(message, CompressedImage):
        rgb = decode_compressed(message.format, message.data, window)
    else:
        rgb = _decode_raw(message, window)
    return Frame(rgb=rgb, stamp_ns=stamp_ns, camera=camera, frame_id=message.header.frame_id)


def _decode_raw(message: Image, window: IntensityWindow) -> Rgb:
    try:
        return decode_image(
            message.encoding,
            message.width,
            message.height,
            message.step,
            bool(message.is_bigendian),
            message.data,
            window,
        )
    except ImageError as error:
        if CvBridge is None or message.encoding in ENCODINGS:
            raise
        return _decode_with_cv_bridge(message, error)


def _decode_with_cv_bridge(message: Image, problem: ImageError) -> Rgb:
    """Encodings that our decoder does not know and cv_bridge does, such as 32FC3."""
    try:
        return np.asarray(CvBridge().imgmsg_to_cv2(message, "rgb8"), np.uint8)
    except Exception as error:  # cv_bridge raises its own and OpenCV's errors, of several unrelated classes
        raise ImageError(f"{problem} (cv_bridge, asked next: {error})") from error


DEPTH_ENCODINGS = {np.dtype("u2"): "16UC1", np.dtype("f4"): "32FC1"}


def image_message(pixels: Rgb | NDArray[np.uint16] | NDArray[np.float32], header: Header) -> Image:
    """An rgb8 message of (H, W, 3) pixels, a mono8 one of (H, W); of depth (H, W) 16UC1 in mm, or 32FC1 in m."""
    # As array("B"), which every rclpy takes without checking each byte.
    data = array("B")
    data.frombytes(np.ascontiguousarray(pixels).reshape(-1).view(np.uint8).data)
    height, width = pixels.shape[:2]
    encoding = DEPTH_ENCODINGS.get(pixels.dtype, "mono8" if pixels.ndim == 2 else "rgb8")
    return Image(header=header, height=height, width=width, encoding=encoding, step=len(data) // height, data=data)


def region_from_message(message: RegionMsg) -> Region:
    """The region, not yet compared with an image.

    Raises:
        RegionError: the message is not of the form that its kind asks for.
    """
    try:
        kind = RegionKind(message.kind)
    except ValueError:
        raise RegionError(f"region kind {message.kind} does not exist; it is 0 to {len(RegionKind) - 1}") from None
    if len(message.x) != len(message.y):
        raise RegionError(f"a region has as many x as y, this has {len(message.x)} and {len(message.y)}")
    if kind is not RegionKind.MASK:
        return Region(kind, np.stack([message.x, message.y], axis=-1).astype(np.float64).reshape(-1, 2))
    if not message.mask:
        raise RegionError("a region of kind MASK needs a mask")
    mask = message.mask[0]
    try:
        pixels = decode_image(mask.encoding, mask.width, mask.height, mask.step, bool(mask.is_bigendian), mask.data)
    except ImageError as error:
        raise RegionError(f"the region's mask cannot be decoded: {error}") from error
    return Region.from_mask(pixels[..., 0] > 0, (message.mask_x, message.mask_y))


def region_message(region: Region) -> RegionMsg:
    """A message of a region without a mask."""
    return RegionMsg(kind=int(region.kind), x=region.points[:, 0].tolist(), y=region.points[:, 1].tolist())


def goal_id(handle: ServerGoalHandle) -> str:
    return bytes(handle.goal_id.uuid).hex()


def request_from_goal(goal: TrackObject.Goal) -> TrackRequest:
    """What the goal asks for; zeros mean the node's own settings.

    Raises:
        RegionError, ConfigError: it cannot be carried out as it is.
    """
    try:
        region_stamp_ns = ns_from_stamp(goal.region_stamp.sec, goal.region_stamp.nanosec)
    except ImageError as error:
        raise RegionError(f"the region's image: {error}") from error
    return TrackRequest(
        prompt=goal.prompt,
        region=region_from_message(goal.region[0]) if goal.region else None,
        region_stamp_ns=region_stamp_ns,
        camera=goal.camera,
        max_targets=goal.max_targets or None,
        timeout=ns_from_duration(goal.timeout, "timeout") / SECOND_NS or None,
        lost_timeout=ns_from_duration(goal.lost_timeout, "lost_timeout") / SECOND_NS or None,
        min_score=goal.min_score or None,
        duration=ns_from_duration(goal.duration, "duration") / SECOND_NS or None,
    )


def header_of(frame: Frame) -> Header:
    return Header(stamp=time_from_ns(frame.stamp_ns), frame_id=frame.frame_id)


def track_message(track: TrackSnapshot, header: Header | None = None) -> TrackMsg:
    """header: of the track's image, which a mask carries, too."""
    message = TrackMsg(
        id=track.id,
        phrase=track.phrase,
        label=track.label,
        state=int(track.state),
        box=track.box_xyxy.astype(np.float32),
        score=float(track.score),
        velocity=track.velocity.astype(np.float32),
        grounded=time_from_ns(track.grounded_ns),
        age=duration_from_ns(track.age_ns),
    )
    if track.mask is not None:
        message.mask = [image_message(track.mask.pixels, header or Header())]
        message.mask_x, message.mask_y = track.mask.x, track.mask.y
    return message


def track_array(frame: Frame, tracks: tuple[TrackSnapshot, ...], skipped: int, load_shedding: int) -> TrackArray:
    header = header_of(frame)
    return TrackArray(
        header=header,
        camera=frame.camera,
        width=frame.width,
        height=frame.height,
        grounded=time_from_ns(max((track.grounded_ns for track in tracks), default=0)),
        skipped=skipped,
        load_shedding=int(load_shedding),
        tracks=[track_message(track, header) for track in tracks],
    )


def event_message(event: TrackEvent) -> TrackEventMsg:
    return TrackEventMsg(
        header=Header(stamp=time_from_ns(event.stamp_ns), frame_id=event.frame_id),
        camera=event.camera,
        track_id=event.track_id,
        phrase=event.phrase,
        event=int(event.kind),
        reason=int(event.reason),
        text=event.text,
    )


def outcome_name(result: Any) -> str:
    """How a goal of any action ended, for people: the name of its result's `error_code`, or "OK" for NONE."""
    if result.error_code == result.NONE:
        return "OK"
    kind = type(result)
    return next(name for name in dir(kind) if name.isupper() and getattr(kind, name) == result.error_code)


def result_message(result: GoalResult) -> TrackObject.Result:
    return TrackObject.Result(
        error_code=int(result.outcome),
        error_msg=result.message,
        tracks=[track_message(track) for track in result.tracks],
        frames_tracked=result.frames_tracked,
        frames_lost=result.frames_lost,
        times_reacquired=result.times_reacquired,
    )

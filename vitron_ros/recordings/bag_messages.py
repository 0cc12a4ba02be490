"""The core's values as the messages that rosbags writes. `vitron_ros.ros.conversions` does the same for rclpy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.clock import SECOND_NS
from vitron_ros.frame import Frame, Image
from vitron_ros.interfaces import bag_types
from vitron_ros.tracking.track import TrackSnapshot, TrackState

Positions = NDArray[np.float64]


def make(type_name: str, **fields: Any) -> Any:
    """A message of any type in `bag_types`, e.g. make("std_msgs/msg/String", data="...")."""
    return bag_types().types[type_name](**fields)


def time_from_ns(stamp_ns: int) -> Any:
    return make("builtin_interfaces/msg/Time", sec=stamp_ns // SECOND_NS, nanosec=stamp_ns % SECOND_NS)


def header(stamp_ns: int, frame_id: str = "") -> Any:
    return make("std_msgs/msg/Header", stamp=time_from_ns(stamp_ns), frame_id=frame_id)


def image(frame: Frame) -> Any:
    """A sensor_msgs/Image in rgb8."""
    return image_of(frame.rgb, frame.stamp_ns, frame.frame_id)


def image_of(pixels: Image | NDArray[np.uint16], stamp_ns: int, frame_id: str = "") -> Any:
    """A sensor_msgs/Image: rgb8 of (H, W, 3) pixels, mono8 of (H, W), depth in mm of (H, W) uint16."""
    height, width = pixels.shape[:2]
    encoding = "16UC1" if pixels.dtype == np.uint16 else "mono8" if pixels.ndim == 2 else "rgb8"
    return make(
        "sensor_msgs/msg/Image",
        header=header(stamp_ns, frame_id),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=pixels.nbytes // height,
        data=np.ascontiguousarray(pixels).reshape(-1).view(np.uint8),
    )


def compressed_image(data: bytes, stamp_ns: int, frame_id: str = "", format: str = "jpeg") -> Any:
    """A sensor_msgs/CompressedImage around the bytes of an image file."""
    return make(
        "sensor_msgs/msg/CompressedImage",
        header=header(stamp_ns, frame_id),
        format=format,
        data=np.frombuffer(data, np.uint8),
    )


def camera_info(width: int, height: int, stamp_ns: int, frame_id: str = "", *, k: Sequence[float] = (0.0,) * 9) -> Any:
    """A sensor_msgs/CameraInfo of a lens without distortion. Without `k` the camera was never calibrated: all is 0."""
    p = np.zeros((3, 4))
    p[:, :3] = np.reshape(k, (3, 3))
    roi = make("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return make(
        "sensor_msgs/msg/CameraInfo",
        header=header(stamp_ns, frame_id),
        height=height,
        width=width,
        distortion_model="",
        d=np.zeros(0),
        k=np.array(k),
        r=np.eye(3).ravel() if any(k) else np.zeros(9),
        p=p.ravel(),
        binning_x=0,
        binning_y=0,
        roi=roi,
    )


def track(snapshot: TrackSnapshot) -> Any:
    """A vitron_msgs/Track without a mask."""
    return make(
        "vitron_msgs/msg/Track",
        id=snapshot.id,
        phrase=snapshot.phrase,
        label=snapshot.label,
        state=int(snapshot.state),
        box=snapshot.box_xyxy.astype(np.float32),
        score=snapshot.score,
        velocity=snapshot.velocity.astype(np.float32),
        grounded=time_from_ns(snapshot.grounded_ns),
        age=make(
            "builtin_interfaces/msg/Duration", sec=snapshot.age_ns // SECOND_NS, nanosec=snapshot.age_ns % SECOND_NS
        ),
        mask=[],
        mask_x=0,
        mask_y=0,
    )


def track_array(
    snapshots: Sequence[TrackSnapshot],
    stamp_ns: int,
    size: tuple[int, int],
    *,
    frame_id: str = "",
    camera: str = "",
    skipped: int = 0,
) -> Any:
    """A vitron_msgs/TrackArray of one image. `size`: its width and height in px."""
    return make(
        "vitron_msgs/msg/TrackArray",
        header=header(stamp_ns, frame_id),
        camera=camera,
        width=size[0],
        height=size[1],
        grounded=time_from_ns(max((snapshot.grounded_ns for snapshot in snapshots), default=0)),
        skipped=skipped,
        load_shedding=0,
        tracks=[track(snapshot) for snapshot in snapshots],
    )


def track_3d_array(places: Sequence[tuple[int, str, float, Positions]], stamp_ns: int, frame_id: str = "") -> Any:
    """A vitron_msgs/Track3DArray of ground truth. places: id, label, visible share and position (3,) m of each."""
    unknown = np.full(3, np.nan)
    return make(
        "vitron_msgs/msg/Track3DArray",
        header=header(stamp_ns, frame_id),
        camera="",
        depth_stamp=time_from_ns(stamp_ns),
        rotation=make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
        tracks=[
            make(
                "vitron_msgs/msg/Track3D",
                id=number,
                phrase="",
                label=label,
                state=int(TrackState.TRACKED if visible > 0 else TrackState.LOST),
                score=visible,
                status=0 if visible > 0 else 1,
                position=_xyz("Point", position),
                covariance=np.zeros(9),
                velocity=_xyz("Vector3", unknown),
                size=_xyz("Vector3", unknown),
            )
            for number, label, visible, position in places
        ],
    )


def _xyz(kind: str, values: Positions) -> Any:
    x, y, z = map(float, values)
    return make(f"geometry_msgs/msg/{kind}", x=x, y=y, z=z)


def box_markers(
    boxes_xyxy: Sequence[Boxes], stamp_ns: int, colour: tuple[float, float, float], frame_id: str = ""
) -> Any:
    """A visualization_msgs/ImageMarker with the edges of boxes (4,) px; Foxglove draws it over the image of its stamp.

    Args:
        colour: red, green and blue in [0, 1].
    """
    corners = [[(box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])] for box in boxes_xyxy]
    ends = [point for box in corners for edge in zip(box, [*box[1:], box[0]], strict=True) for point in edge]
    colour_message = make("std_msgs/msg/ColorRGBA", r=colour[0], g=colour[1], b=colour[2], a=1.0)
    line_list = 2
    return make(
        "visualization_msgs/msg/ImageMarker",
        header=header(stamp_ns, frame_id),
        ns="boxes",
        id=0,
        type=line_list,
        action=0,
        position=_point(0, 0),
        scale=2.0,
        outline_color=colour_message,
        filled=0,
        fill_color=colour_message,
        lifetime=make("builtin_interfaces/msg/Duration", sec=0, nanosec=0),
        points=[_point(x, y) for x, y in ends],
        outline_colors=[],
    )


def _point(x: float, y: float) -> Any:
    return make("geometry_msgs/msg/Point", x=float(x), y=float(y), z=0.0)


def diagnostics(name: str, level: int, text: str, values: Mapping[str, object], stamp_ns: int) -> Any:
    """A diagnostic_msgs/DiagnosticArray with one status. `level`: 0 OK, 1 warning, 2 error, 3 stale."""
    pairs = [make("diagnostic_msgs/msg/KeyValue", key=key, value=str(value)) for key, value in values.items()]
    status = make(
        "diagnostic_msgs/msg/DiagnosticStatus", level=level, name=name, message=text, hardware_id="", values=pairs
    )
    return make("diagnostic_msgs/msg/DiagnosticArray", header=header(stamp_ns), status=[status])

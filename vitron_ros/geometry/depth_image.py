"""Depth images: 16UC1 in millimetres and 32FC1 in metres, as REP 118 has them."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitron_ros.errors import ImageError
from vitron_ros.frame import ns_from_stamp
from vitron_ros.images.decode import Buffer
from vitron_ros.images.headers import check_size

Array = NDArray[np.float64]

_METRES = {"16UC1": 0.001, "mono16": 0.001, "32FC1": 1.0}  # of one unit; some drivers say mono16
_BYTES = {"16UC1": 2, "mono16": 2, "32FC1": 4}
ENCODINGS = tuple(_METRES)
_GRID = 48  # samples along each side, by which a unit is judged
_FARTHEST = 200.0  # m; the middle value of a depth image in metres is below
_NEAREST = 0.1  # m; the farthest value of a depth image in millimetres is above


class Unit(Enum):
    """How plausible the values are in the unit that the encoding says."""

    PLAUSIBLE = ""
    MILLIMETRES = "32FC1 is in metres, but half of the values are above 200 m: they look like millimetres"
    METRES = "16UC1 is in millimetres, but no value is above 100 mm: they look like metres"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthImage:
    """How far each pixel is along the optical axis.

    Attributes:
        values: (H, W) as they came, a view into the message; 0, NaN and infinity are holes.
        unit_m: metres of one unit.
        stamp_ns: of its header.
        frame_id: of its header.
    """

    values: NDArray[np.uint16] | NDArray[np.float32]
    unit_m: float
    stamp_ns: int
    frame_id: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return int(self.values.shape[1]), int(self.values.shape[0])

    def metres(self, columns: NDArray[np.intp], rows: NDArray[np.intp]) -> Array:
        """The depths at pixels inside the image, m; NaN where there is a hole."""
        depth = self.values[rows, columns].astype(np.float64) * self.unit_m
        depth[~((depth > 0) & np.isfinite(depth))] = np.nan
        return depth

    def unit(self) -> Unit:
        """Whether the values can be in the unit that the encoding says, by samples of the whole image."""
        width, height = self.size
        columns, rows = (np.linspace(0, side - 1, min(side, _GRID)).astype(np.intp) for side in (width, height))
        depth = self.metres(*(axis.ravel() for axis in np.meshgrid(columns, rows)))
        known = depth[~np.isnan(depth)]
        if not len(known):
            return Unit.PLAUSIBLE
        if self.unit_m == 1.0:
            return Unit.MILLIMETRES if np.median(known) > _FARTHEST else Unit.PLAUSIBLE
        return Unit.METRES if known.max() < _NEAREST else Unit.PLAUSIBLE


def decode_depth(
    encoding: str,
    width: int,
    height: int,
    step: int,
    is_bigendian: bool,
    data: Buffer,
    *,
    stamp_ns: int,
    frame_id: str = "",
) -> DepthImage:
    """The depth image in a sensor_msgs/Image, without a copy.

    Raises:
        ImageError: another encoding, an absurd size, or too little data.
    """
    if encoding not in _METRES:
        raise ImageError(
            f"encoding {encoding[:40]!r} is no depth; publish {' or '.join(ENCODINGS)}, and compressedDepth "
            "through image_transport's republish"
        )
    check_size(width, height)
    item = _BYTES[encoding]
    needed = (height - 1) * step + width * item
    if step < width * item or len(data) < needed:
        raise ImageError(f"{width}x{height} {encoding} with step {step} has {needed} bytes, this has {len(data)}")
    kind = np.dtype("f4" if encoding == "32FC1" else "u2").newbyteorder(">" if is_bigendian else "<")
    values = np.ndarray((height, width), kind, buffer=data, strides=(step, item))
    values.flags.writeable = False
    return DepthImage(values=values, unit_m=_METRES[encoding], stamp_ns=stamp_ns, frame_id=frame_id)


def depth_image(message: Any) -> DepthImage:
    """The depth image in a sensor_msgs/Image of rclpy or rosbags. Raises as `decode_depth`, or for an invalid stamp."""
    header = message.header
    return decode_depth(
        message.encoding,
        message.width,
        message.height,
        message.step,
        bool(message.is_bigendian),
        message.data,
        stamp_ns=ns_from_stamp(header.stamp.sec, header.stamp.nanosec),
        frame_id=header.frame_id,
    )

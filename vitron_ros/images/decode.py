"""Every encoding that a camera publishes -> rgb (H, W, 3) uint8. Names as in sensor_msgs/image_encodings.hpp.

- 8UC1 is read as mono8, 8UC3 as bgr8 and 8UC4 as bgra8, OpenCV's own order.
- 16-bit values (mono16, 16UC1, rgb16, bgr16, rgba16, bgra16, bayer_*16) are intensities, shown through the window of
  their stream (`intensity_window.IntensityWindow`): the high byte, or for a sensor of 10 to 14 bits its upper 8. A
  depth image in 16UC1 decodes as well, but its millimetres are no picture: depth sensors are not cameras here.
- yuv422 (uyvy) and yuv422_yuy2 (yuyv), nv12 and nv21 are BT.601 with video range (16..235), as OpenCV converts it.
  The last two have 3/2 H rows of `step` bytes: luma first, then interleaved chroma of half the height.
- bayer_* is demosaiced bilinearly.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.errors import ImageError
from vitron_ros.frame import Image
from vitron_ros.images.headers import check_size
from vitron_ros.images.intensity_window import IntensityWindow

Buffer: TypeAlias = bytes | bytearray | memoryview | NDArray[np.uint8]
"""One-dimensional bytes; array.array("B"), the type of a received message, does as well."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How pixels lie in memory.

    Attributes:
        code: OpenCV's conversion of one 8-bit image to rgb; None: it is rgb. Of 16 bits, alpha has gone before.
        block: width and height of the smallest group of pixels that can be decoded; sizes are multiples of it.
        min_size: px, width and height.
        rows: rows of memory for `rows[1]` rows of pixels, as a fraction.
    """

    channels: int
    code: int | None
    bytes_per_channel: int = 1
    block: tuple[int, int] = (1, 1)
    min_size: int = 1
    rows: tuple[int, int] = (1, 1)


_LAYOUTS = {
    "rgb8": _Layout(3, None),
    "bgr8": _Layout(3, cv2.COLOR_BGR2RGB),
    "rgba8": _Layout(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Layout(4, cv2.COLOR_BGRA2RGB),
    "mono8": _Layout(1, cv2.COLOR_GRAY2RGB),
    "8UC1": _Layout(1, cv2.COLOR_GRAY2RGB),
    "8UC3": _Layout(3, cv2.COLOR_BGR2RGB),
    "8UC4": _Layout(4, cv2.COLOR_BGRA2RGB),
    "mono16": _Layout(1, cv2.COLOR_GRAY2RGB, 2),
    "16UC1": _Layout(1, cv2.COLOR_GRAY2RGB, 2),
    "rgb16": _Layout(3, None, 2),
    "bgr16": _Layout(3, cv2.COLOR_BGR2RGB, 2),
    "rgba16": _Layout(4, None, 2),
    "bgra16": _Layout(4, cv2.COLOR_BGR2RGB, 2),
    "yuv422": _Layout(2, cv2.COLOR_YUV2RGB_UYVY, block=(2, 1)),
    "uyvy": _Layout(2, cv2.COLOR_YUV2RGB_UYVY, block=(2, 1)),
    "yuv422_yuy2": _Layout(2, cv2.COLOR_YUV2RGB_YUY2, block=(2, 1)),
    "yuyv": _Layout(2, cv2.COLOR_YUV2RGB_YUY2, block=(2, 1)),
    "nv12": _Layout(1, cv2.COLOR_YUV2RGB_NV12, block=(2, 2), rows=(3, 2)),
    "nv21": _Layout(1, cv2.COLOR_YUV2RGB_NV21, block=(2, 2), rows=(3, 2)),
}
# ROS names a mosaic by its first two pixels, OpenCV's old names by the second and third pixel of the second row.
for _pattern, _code in {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}.items():
    for _bytes in (1, 2):
        # OpenCV returns black, without an error, for a mosaic of less than 3x3.
        _LAYOUTS[f"bayer_{_pattern}{8 * _bytes}"] = _Layout(1, _code, _bytes, block=(2, 2), min_size=4)

ENCODINGS = tuple(_LAYOUTS)
NO_PICTURE = "is a depth image or other measurement; subscribe to a colour or grey camera"
_MEASUREMENT = re.compile(r"(32|64)[sf]c\d*|(8|16)sc\d*", re.IGNORECASE)


def is_measurement(encoding: str) -> bool:
    """Whether pixels are floats or signed numbers, as no camera's picture has them."""
    return _MEASUREMENT.fullmatch(encoding) is not None


def decode_image(
    encoding: str,
    width: int,
    height: int,
    step: int,
    is_bigendian: bool,
    data: Buffer,
    window: IntensityWindow | None = None,
) -> Image:
    """The picture in a sensor_msgs/Image, (H, W, 3) uint8.

    rgb8 gives a read-only view into `data`, over padded rows as well; any other encoding a new array.

    Args:
        encoding: one of `ENCODINGS`.
        step: bytes from one row to the next, at least the bytes of a row.
        is_bigendian: the byte order of 16-bit values.
        data: the rows; the padding of the last one may be missing.
        window: that of the stream, for 16-bit values; None: the image is alone.

    Raises:
        ImageError: unknown encoding; zero, odd or absurd size; `step` too small; `data` too short.
    """
    layout = _LAYOUTS.get(encoding)
    if layout is None:
        if is_measurement(encoding):
            raise ImageError(f"{encoding!r} {NO_PICTURE}")
        raise ImageError(f"encoding {encoding!r} is unknown; set the camera to one of {', '.join(ENCODINGS)}")
    check_size(width, height)
    block_width, block_height = layout.block
    if width % block_width or height % block_height or min(width, height) < layout.min_size:
        raise ImageError(
            f"{encoding} cannot be {width}x{height}; width is a multiple of {block_width}, "
            f"height of {block_height}, neither is below {layout.min_size}"
        )
    rows = height * layout.rows[0] // layout.rows[1]
    row_bytes = width * layout.channels * layout.bytes_per_channel
    if step < row_bytes:
        raise ImageError(f"step is {step}, but a row of {width} pixels in {encoding} has {row_bytes} bytes")
    needed, given = (rows - 1) * step + row_bytes, len(data)
    if given < needed:
        raise ImageError(f"{width}x{height} {encoding} with step {step} has {needed} bytes, this has {given}")

    lines = np.ndarray((rows, row_bytes), np.uint8, buffer=data, strides=(step, 1))
    lines.flags.writeable = False
    if layout.bytes_per_channel == 2:
        words = np.ascontiguousarray(lines).view(">u2" if is_bigendian else "<u2").astype(np.uint16, copy=False)
        colours = words if layout.channels == 1 else words.reshape(rows, width, layout.channels)[..., :3]
        is_grey = layout.code == cv2.COLOR_GRAY2RGB
        lines = (window or IntensityWindow()).to_8_bits(
            np.ascontiguousarray(colours).reshape(rows, -1), keeps_zero=not is_grey
        )
    channels = lines.shape[1] // width
    pixels = lines if channels == 1 else lines.reshape(rows, width, channels)
    return pixels if layout.code is None else np.asarray(cv2.cvtColor(pixels, layout.code), np.uint8)

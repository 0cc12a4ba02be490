"""JPEG, PNG and TIFF -> rgb (H, W, 3) uint8: files as they show, messages as image_transport means them."""

import re

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.errors import ImageError
from vitron_ros.frame import Image
from vitron_ros.images.decode import NO_PICTURE, Buffer, decode_image, is_measurement
from vitron_ros.images.headers import read_header
from vitron_ros.images.intensity_window import IntensityWindow

_AS_STORED = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
_VIDEO = re.compile(r"h\.?26[45]|hevc|avc1?|av1|vp[89]|mpeg-?[1-4]\w*|theora")


def decode_file(data: Buffer, window: IntensityWindow | None = None) -> Image:
    """The picture in an image file, (H, W, 3) uint8, upright: an orientation in EXIF data is applied.

    Args:
        window: that of the sequence that the file belongs to, for 16-bit files; None: the file is alone.

    Raises:
        ImageError: neither JPEG, PNG nor TIFF, truncated or corrupt data, values of other than 8 or 16 bits, absurd
            size. JPEG has no checksum, so damage inside the coded picture that is still readable shows and raises
            nothing.
    """
    return _rgb(_decode(data, _AS_STORED), window or IntensityWindow(), is_rgb=False)


def decode_compressed(format: str, data: Buffer, window: IntensityWindow | None = None) -> Image:
    """The picture in a sensor_msgs/CompressedImage, (H, W, 3) uint8, as image_transport's subscriber would give it.

    The bytes say whether they are JPEG, PNG or TIFF, since publishers fill `format` in many ways. What it says of the
    pixels is heeded, "ENCODING; CODEC compressed STORED":

    - "jpeg", "rgb8; jpeg compressed bgr8": the file shows what the camera saw.
    - "rgb8; jpeg compressed ", "bgr8; png compressed rgb8": a colour encoding whose STORED is not bgr was coded with
      red and blue exchanged, as old publishers did, and is exchanged back. A TIFF is coded in the order of ENCODING.
    - "bayer_rggb8; png compressed ": the mosaic itself was coded, and is demosaiced; "... compressed mono8" is grey.
    - "mono16; png compressed ": 16 bits go through the window, see `IntensityWindow`.

    An orientation in EXIF data is not applied: pixels stay where camera_info has them.

    Args:
        window: that of the stream; None: the image is alone.

    Raises:
        ImageError: as `decode_file`; a depth image (compressedDepth, 32FC1); a packet of video.
    """
    encoding, separator, coding = (part.strip() for part in format.lower().partition(";"))
    if "compresseddepth" in format.lower() or is_measurement(encoding):
        raise ImageError(f"{format!r} {NO_PICTURE}")
    try:
        image = _decode(data, _AS_STORED | cv2.IMREAD_IGNORE_ORIENTATION)
    except ImageError as error:
        if _VIDEO.fullmatch(encoding):
            raise ImageError(f"{format!r} is video, which needs its own decoder; publish raw or JPEG images") from error
        raise
    stored = coding.partition("compressed")[2].strip()
    window = window or IntensityWindow()
    if encoding.startswith("bayer_") and separator and stored in ("", encoding) and image.ndim == 2:
        return _demosaiced(encoding, image, window)
    return _rgb(image, window, is_rgb=bool(separator) and _is_rgb(encoding, coding, stored))


def _is_rgb(encoding: str, coding: str, stored: str) -> bool:
    """Whether the first channel that OpenCV decodes, blue in a usual file, is red."""
    if coding.startswith("tiff"):
        return encoding.startswith("rgb")
    return encoding.startswith(("rgb", "bgr")) and not stored.startswith("bgr")


def _decode(data: Buffer, flags: int) -> NDArray[np.uint8 | np.uint16]:
    """What OpenCV makes of a whole file: (H, W) grey or (H, W, 3) in the order that it calls bgr."""
    encoded = bytes(data)
    header = read_header(encoded)
    what = f"the {header.kind} of {header.width}x{header.height}"
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"{what} cannot be decoded: {error}") from error
    if image is None:
        raise ImageError(f"{what} is corrupt")
    if image.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{what} holds values of type {image.dtype}, which are not a picture; use 8 or 16 bits")
    return np.asarray(image)


def _rgb(image: NDArray[np.uint8 | np.uint16], window: IntensityWindow, *, is_rgb: bool) -> Image:
    is_grey = image.ndim == 2
    if image.dtype == np.uint16:
        words = np.asarray(image, np.uint16).reshape(len(image), -1)
        image = window.to_8_bits(words, keeps_zero=not is_grey).reshape(image.shape)
    if is_grey:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)
    return np.asarray(image if is_rgb else cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), np.uint8)


def _demosaiced(encoding: str, image: NDArray[np.uint8 | np.uint16], window: IntensityWindow) -> Image:
    """A mosaic that was coded as a grey file, of as many bits as that has."""
    pattern, bits = encoding.rstrip("0123456789"), 8 * image.itemsize
    height, width = image.shape
    words = np.ascontiguousarray(image, image.dtype.newbyteorder("<"))
    data = words.reshape(-1).view(np.uint8)
    return decode_image(f"{pattern}{bits}", width, height, width * image.itemsize, False, data, window)

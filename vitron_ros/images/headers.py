"""Headers of JPEG, PNG and TIFF files, read before decoding: the size, and whether the file is complete.

Sources: ITU-T T.81 annex B (JPEG markers), ISO/IEC 15948 clause 5 (PNG chunks), TIFF 6.0 section 2.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Literal

from vitron_ros.errors import ImageError

MAX_PIXELS = 1 << 27  # 134 Mpx, 400 MB of rgb: more than cameras have, less than what brings a robot down

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_TIFF_STARTS = {b"II*\x00": "<", b"MM\x00*": ">"}
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_OFFSETS, _TIFF_SIZES = 256, 257, 273, 279  # the last two are of its strips
_TIFF_TYPES = {3: "H", 4: "I"}
_FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..15 without DHT, JPG, DAC


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file is. Size in px, as coded: an EXIF orientation is not applied."""

    kind: Literal["jpeg", "png", "tiff"]
    width: int
    height: int


def check_size(width: int, height: int) -> None:
    """Refuse an image without pixels, and one of more than `MAX_PIXELS`.

    Raises:
        ImageError: it is such an image.
    """
    if width <= 0 or height <= 0:
        raise ImageError(f"an image of {width}x{height} has no pixels; look at the camera driver")
    if width * height > MAX_PIXELS:
        raise ImageError(f"an image of {width}x{height} is beyond {MAX_PIXELS} pixels; its size is damaged or hostile")


def read_header(data: bytes) -> ImageHeader:
    """Kind and size of a whole JPEG, PNG or TIFF.

    A JPEG is whole when an end marker follows its last scan (decoders paint the missing rest grey and say
    nothing); bytes after it are allowed, since cameras pad. A PNG is whole when every chunk fits its checksum
    and the last one is IEND. A TIFF is whole when its first directory and its strips lie inside it.

    Raises:
        ImageError: it is none of them, it is cut off or damaged, or its size is 0 or beyond `MAX_PIXELS`.
    """
    if data.startswith(_JPEG_START):
        header = ImageHeader("jpeg", *_jpeg_size(data))
        # Inside a scan 0xFF is always followed by 0x00 or a restart marker, so neither pair can occur by chance;
        # a thumbnail's own end marker lies before the picture's first scan.
        if data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN) or _JPEG_SCAN not in data:
            raise ImageError(f"the jpeg of {header.width}x{header.height} is cut off after {len(data)} bytes")
    elif data.startswith(_PNG_START):
        header = ImageHeader("png", *_png_size(data))
    elif data[:4] in _TIFF_STARTS:
        header = ImageHeader("tiff", *_tiff_size(data))
    elif data:
        raise ImageError(f"the image is not a JPEG, PNG or TIFF; it starts with {data[:4].hex(' ')}; use one of these")
    else:
        raise ImageError("the image has no data")
    check_size(header.width, header.height)
    return header


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAME_MARKERS:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        is_fill = marker == 0xFF
        at += 1 if is_fill else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise ImageError(f"the jpeg of {len(data)} bytes is cut off or damaged before its size")


def _png_size(data: bytes) -> tuple[int, int]:
    at, name = len(_PNG_START), b""
    while name != b"IEND":
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise ImageError(f"the png is cut off after {len(data)} bytes")
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise ImageError(f"the png is damaged: wrong checksum of chunk {name!r} at byte {at}")
        at = end
    if data[12:16] != b"IHDR":
        raise ImageError("the png is damaged: it does not start with its size")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _tiff_size(data: bytes) -> tuple[int, int]:
    order = _TIFF_STARTS[data[:4]]
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        tags = dict(_tiff_tag(data, order, at + 2 + 12 * index) for index in range(count))
        width, height = tags[_TIFF_WIDTH][0], tags[_TIFF_HEIGHT][0]
        strips = zip(tags[_TIFF_OFFSETS], tags[_TIFF_SIZES], strict=True)
        is_whole = all(offset + size <= len(data) for offset, size in strips)
    except (struct.error, KeyError, IndexError, ValueError):
        raise ImageError(
            f"the tiff of {len(data)} bytes is cut off or damaged, or not in strips; write it plainly, or as PNG"
        ) from None
    if not is_whole:
        raise ImageError(f"the tiff of {width}x{height} is cut off after {len(data)} bytes")
    return width, height


def _tiff_tag(data: bytes, order: str, at: int) -> tuple[int, tuple[int, ...]]:
    """Number and values of the entry at a place; no values where they are no whole numbers of 2 or 4 bytes."""
    tag, kind, count = struct.unpack_from(f"{order}HHI", data, at)
    if kind not in _TIFF_TYPES:
        return tag, ()
    if count > len(data):
        raise ValueError(count)
    values = f"{order}{count}{_TIFF_TYPES[kind]}"
    is_inside = struct.calcsize(values) <= 4
    place = at + 8 if is_inside else struct.unpack_from(f"{order}I", data, at + 8)[0]
    return tag, struct.unpack_from(values, data, place)

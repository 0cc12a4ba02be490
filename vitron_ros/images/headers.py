"""What a JPEG or PNG says of itself before anyone decodes it: its size, and whether all of it is there.

Sources: ITU-T T.81 annex B (JPEG markers), ISO/IEC 15948 clause 5 (PNG chunks).
"""

import zlib
from dataclasses import dataclass
from typing import Literal

from vitron_ros.errors import ImageError

MAX_PIXELS = 1 << 27  # 134 Mpx, 400 MB of rgb: more than cameras have, less than what brings a robot down

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..15 without DHT, JPG, DAC


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file is. Size in px, as coded: an EXIF orientation is not applied."""

    kind: Literal["jpeg", "png"]
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
    """Kind and size of a whole JPEG or PNG.

    A JPEG is whole when an end marker follows its last scan (decoders paint the missing rest grey and say
    nothing); bytes after it are allowed, since cameras pad. A PNG is whole when every chunk fits its checksum
    and the last one is IEND.

    Raises:
        ImageError: it is neither, it is cut off or damaged, or its size is 0 or beyond `MAX_PIXELS`.
    """
    if data.startswith(_JPEG_START):
        header = ImageHeader("jpeg", *_jpeg_size(data))
        # Inside a scan 0xFF is always followed by 0x00 or a restart marker, so neither pair can occur by chance;
        # a thumbnail's own end marker lies before the picture's first scan.
        if data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN) or _JPEG_SCAN not in data:
            raise ImageError(f"the jpeg of {header.width}x{header.height} is cut off after {len(data)} bytes")
    elif data.startswith(_PNG_START):
        header = ImageHeader("png", *_png_size(data))
    elif data:
        raise ImageError(f"the image is neither JPEG nor PNG, it starts with {data[:4].hex(' ')}; use one of these two")
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

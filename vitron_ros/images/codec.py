"""rgb (H, W, 3) uint8 -> the bytes of a JPEG or PNG file."""

import cv2

from vitron_ros.errors import ImageError
from vitron_ros.frame import Image


def encode_jpeg(rgb: Image, quality: int = 90) -> bytes:
    """A baseline JPEG. `quality` 1..100.

    Raises:
        ImageError: no pixels, or more than 65535 in a direction.
    """
    return _encode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])


def encode_png(pixels: Image) -> bytes:
    """A PNG that decodes to the same pixels, RGB of (H, W, 3), grey of (H, W).

    Raises:
        ImageError: no pixels.
    """
    return _encode(".png", pixels, [])


def _encode(extension: str, pixels: Image, settings: list[int]) -> bytes:
    try:
        is_done, data = cv2.imencode(
            extension, pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings
        )
    except cv2.error as error:
        raise ImageError(f"an image of shape {pixels.shape} cannot be written as {extension[1:]}: {error}") from error
    if not is_done:
        raise ImageError(f"an image of shape {pixels.shape} cannot be written as {extension[1:]}")
    return bytes(data)

"""Images as they are sent to a server: resized as its model wants them, as a JPEG inside a data URL."""

import hashlib
import math
from base64 import b64encode
from dataclasses import dataclass

import cv2

from vitron_ros.frame import Image
from vitron_ros.grounding.families.box_text import QWEN3_VL, BoxDialect, Size
from vitron_ros.images.codec import encode_jpeg

QUALITY = 90  # of the JPEG
COARSE = 1.5  # times smaller: from here on fine patterns would alias; averaging takes five times as long
LEAST_PX = 56 * 56  # px² that Qwen's processors leave as they are
MOST_PX = 1280 * 28 * 28  # px², about 1,000 tokens of an image; far below the limit of these processors


@dataclass(frozen=True, slots=True)
class SentImage:
    """
    Attributes:
        url: data:image/jpeg;base64,...
        uuid: of its bytes: the same of the same image, whichever robot sends it.
    """

    url: str
    uuid: str


def sent_image(rgb: Image, dialect: BoxDialect) -> SentImage:
    """An image (H, W, 3) uint8 in the size that the dialect's models want."""
    height, width = rgb.shape[:2]
    size = sent_size((width, height), dialect)
    if size != (width, height):
        is_much_smaller = size[0] * COARSE < width
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if is_much_smaller else cv2.INTER_LINEAR)
    data = encode_jpeg(rgb, QUALITY)
    url = f"data:image/jpeg;base64,{b64encode(data).decode()}"
    return SentImage(url, hashlib.sha256(data).hexdigest()[:32])


def sent_size(size: Size, dialect: BoxDialect) -> Size:
    """The multiples of the dialect's step nearest to a size whose area is from LEAST_PX to MOST_PX.

    The rule of Qwen's own processors (`smart_resize`): they leave such an image as it is, so that pixels in an answer
    are those of the image that was sent.
    """
    step = 32 if dialect is QWEN3_VL else 28
    width, height = size
    near = [max(step, round(side / step) * step) for side in size]
    if near[0] * near[1] > MOST_PX:
        scale = math.sqrt(MOST_PX / (width * height))
        near = [max(step, math.floor(side * scale / step) * step) for side in size]
    elif near[0] * near[1] < LEAST_PX:
        scale = math.sqrt(LEAST_PX / (width * height))
        near = [math.ceil(side * scale / step) * step for side in size]
    return near[0], near[1]

"""Small pictures of what was predicted and what is true, for the worst cases of a report."""

import base64
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.frame import Image
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.images.draw import Overlay, colour_of, draw_tracks
from vitron_ros.images.mask_overlay import draw_mask
from vitron_ros.masks import CroppedMask

WIDTH, QUALITY = 400, 80
SHOWN_FRAMES = 4


def case_picture(rgb: Image, boxes: Mapping[str, Boxes], masks: Mapping[str, Flags] | None = None) -> str:
    """A JPEG image in base64, WIDTH px wide, with boxes (N, 4) px and masks (H, W), all of one name in one colour.

    The first name is green.
    """
    canvas = np.array(rgb)
    names = list(dict.fromkeys([*boxes, *(masks or {})]))
    for name, mask in (masks or {}).items():
        draw_mask(canvas, CroppedMask(np.where(mask, 255, 0).astype(np.uint8), 0, 0), colour_of(names.index(name)), 2)
    scale = WIDTH / rgb.shape[1]
    overlays = [
        Overlay(id=names.index(name), box_xyxy=box * scale, label=name, state="region", score=1.0)
        for name, own in boxes.items()
        for box in np.reshape(own, (-1, 4))
        if np.isfinite(box).all()
    ]
    return _encoded(draw_tracks(_small(canvas, WIDTH), overlays))


def film_strip(images: Sequence[Image]) -> str:
    """At most SHOWN_FRAMES images side by side, from first to last, as a JPEG image in base64."""
    count = min(len(images), SHOWN_FRAMES)
    chosen = [images[index] for index in np.linspace(0, len(images) - 1, count).round().astype(int)]
    return _encoded(np.hstack([_small(image, WIDTH // count) for image in chosen]))


def _small(rgb: Image, width: int) -> Image:
    size = width, max(1, round(rgb.shape[0] * width / rgb.shape[1]))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _encoded(rgb: Image) -> str:
    return base64.b64encode(encode_jpeg(rgb, QUALITY)).decode()

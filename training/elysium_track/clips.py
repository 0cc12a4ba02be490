"""A video as the frames that are looked at, and what can be said of them before anything is detected."""

from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np

from training.elysium_track.settings import Settings
from vitron_ros.errors import ImageError, SourceError
from vitron_ros.frame import Frame, Image
from vitron_ros.recordings.sources import open_source

CUT_SIDE = 160  # px, of the frames that are compared


def read_clip(path: Path, settings: Settings) -> list[Frame]:
    """The first frames of a video, scaled down to `max_side`.

    Raises:
        SourceError: it cannot be read, or breaks off; or a frame of it is damaged.
    """
    damaged: list[tuple[int, ImageError]] = []
    source = open_source(str(path), on_bad=lambda index, error: damaged.append((index, error)))
    frames = [
        replace(frame, rgb=_scaled(frame.rgb, settings.max_side)) for frame in islice(source, settings.max_frames)
    ]
    if damaged:
        raise SourceError(f"{path}: frame {damaged[0][0]} is damaged: {damaged[0][1]}")
    if len({frame.rgb.shape for frame in frames}) > 1:
        raise SourceError(f"{path} has frames of more than one size")
    return frames


def key_frames(count: int) -> tuple[int, int, int]:
    """First, middle and last frame, in which phrases are detected."""
    return 0, (count - 1) // 2, count - 1


def largest_change(frames: list[Frame]) -> float:
    """The largest mean change of hue, saturation and value between two frames, 0..255, as PySceneDetect measures it."""
    small = [cv2.cvtColor(_scaled(frame.rgb, CUT_SIDE), cv2.COLOR_RGB2HSV) for frame in frames]
    return max(float(cv2.absdiff(one, other).mean()) for one, other in pairwise(small))


def perceptual_hash(frame: Frame) -> int:
    """64 bits that hardly change when an image is scaled or compressed."""
    bits = cv2.img_hash.pHash(frame.rgb).tobytes()
    return int.from_bytes(bits, "big")


def _scaled(rgb: Image, side: int) -> Image:
    height, width = rgb.shape[:2]
    if max(height, width) <= side:
        return rgb
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)

"""Masks as pictures: what each method made of one frame, and how a mask went through a clip."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from vitron_ros.evaluation import datasets
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.frame import Image
from vitron_ros.images.codec import encode_png
from vitron_ros.images.mask_overlay import draw_mask
from vitron_ros.masks import CroppedMask
from vitron_ros.recordings.output import write_bytes

COLOUR = (90, 255, 60)
HEIGHT_PX = 270
CLIP_FRAMES = 4
FONT = cv2.FONT_HERSHEY_SIMPLEX


def write_image_picture(path: Path, rgb: Image, masks: Mapping[str, Flags]) -> None:
    """A PNG of the image once a mask (H, W), side by side, each with its name.

    Raises:
        SourceError: the file cannot be written.
    """
    write_bytes(path, encode_png(np.hstack([_panel(rgb, mask, name) for name, mask in masks.items()])))


def write_clip_picture(path: Path, sequence: datasets.Sequence, masks: Sequence[Flags]) -> None:
    """A PNG of CLIP_FRAMES frames of a sequence from first to last, with their masks (H, W).

    Raises:
        SourceError: the file cannot be written.
    """
    indices = np.linspace(0, len(masks) - 1, CLIP_FRAMES).round().astype(int).tolist()
    panels = [_panel(sequence.frame(index).rgb, masks[index], f"frame {index}") for index in indices]
    write_bytes(path, encode_png(np.hstack(panels)))


def _panel(rgb: Image, mask: Flags, words: str) -> Image:
    canvas = np.array(rgb)
    draw_mask(canvas, CroppedMask(np.where(mask, 255, 0).astype(np.uint8), 0, 0), COLOUR, 2)
    width = round(canvas.shape[1] * HEIGHT_PX / canvas.shape[0])
    panel = cv2.resize(canvas, (width, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    (text_width, _), _ = cv2.getTextSize(words, FONT, 0.5, 1)
    cv2.rectangle(panel, (0, 0), (text_width + 12, 24), (0, 0, 0), cv2.FILLED)
    cv2.putText(panel, words, (6, 17), FONT, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(panel, np.uint8)

"""A contact sheet: frames with the boxes of target and region, and their language."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from training.worlds.config import WorldConfig
from training.worlds.make_clip import make_clip
from training.worlds.sample import Sample
from training.worlds.samples import IMAGE_TASKS, TASKS, make_samples
from vitron_ros.worlds.clip import Clip
from vitron_ros.worlds.vocabulary import Split

Image = NDArray[np.uint8]

ZOOM = 2
LINE_HEIGHT = 13
TEXT_LINES = 6
_TARGET, _REGION, _INK, _PAPER = (255, 0, 255), (0, 255, 255), (20, 20, 20), (250, 250, 250)


def contact_sheet(
    seed: int,
    *,
    rows: int = 6,
    size: int = 128,
    split: Split = "train",
    config: WorldConfig | None = None,
    background: Sequence[Image] | None = None,
) -> Image:
    """A sheet of single images (upper half) and clips (lower half), (H, W, 3) uint8 RGB.

    The target's box is magenta, that of a region given in the request is cyan.
    """
    bands = []
    for row in range(rows):
        if row < (rows + 1) // 2:
            cells = [_image_cell(seed + 8 * row + column, size, split, config, background) for column in range(8)]
            bands.append(np.hstack(cells))
        else:
            bands.append(_clip_band(seed + 1000 + row, size, split, config, background))
    return np.vstack(bands)


def _image_cell(
    seed: int, size: int, split: Split, config: WorldConfig | None, background: Sequence[Image] | None
) -> Image:
    backdrop = None if background is None else [background[seed % len(background)]]
    clip = make_clip(seed, frames=1, size=size, split=split, config=config, background=backdrop)
    samples = make_samples(clip, seed, tasks=(IMAGE_TASKS[seed % len(IMAGE_TASKS)],)) or make_samples(clip, seed)
    if not samples:
        return np.vstack([_drawn(clip, 0, None), _text([], size * ZOOM)])
    return np.vstack([_drawn(clip, 0, samples[0]), _text(describe(samples[0]), size * ZOOM)])


def _clip_band(
    seed: int, size: int, split: Split, config: WorldConfig | None, background: Sequence[Image] | None
) -> Image:
    backdrop = None if background is None else background[:8] if len(background) >= 8 else background[:1]
    clip = make_clip(seed, frames=8, size=size, split=split, config=config, background=backdrop)
    samples = make_samples(clip, seed, tasks=tuple(task for task in TASKS if task not in IMAGE_TASKS))
    frames = [_drawn(clip, t, samples[0] if samples else None) for t in range(8)]
    lines = [line for sample in samples for line in describe(sample)]
    columns = [
        _text(lines[start : start + TEXT_LINES], size * ZOOM * 2) for start in range(0, 4 * TEXT_LINES, TEXT_LINES)
    ]
    return np.vstack([np.hstack(frames), np.hstack(columns)])


def _drawn(clip: Clip, frame: int, sample: Sample | None) -> Image:
    image = cv2.resize(clip.frames[frame], None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_NEAREST)
    if sample is not None:
        for index, colour in ((sample.region, _REGION), (sample.target, _TARGET)):
            if index is not None and clip.visible[frame, index] > 0:
                x0, y0, x1, y1 = (int(value * ZOOM) for value in clip.boxes_xyxy[frame, index])
                cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), colour, 1)
    return np.asarray(image)


def describe(sample: Sample) -> list[str]:
    """A sample in a few lines of text."""
    texts = [turn.user for turn in sample.history] + [sample.question or sample.expression]
    lines = [f"[{sample.task}/{sample.kind}] {' / '.join(text for text in texts if text)}"]
    if sample.absent:
        lines.append("-> none")
    if sample.module:
        lines.append(f"-> {sample.module} {'; '.join(sample.instructions)}")
    elif sample.answer:
        lines.append(f"-> {sample.answer}")
    return lines


def _text(lines: list[str], width: int) -> Image:
    """Lines of text on paper, wrapped."""
    paper = np.full((LINE_HEIGHT * TEXT_LINES + 4, width, 3), _PAPER, np.uint8)
    limit = width // 6
    wrapped = [line[start : start + limit] for line in lines for start in range(0, len(line), limit)]
    for number, line in enumerate(wrapped[:TEXT_LINES]):
        position = (3, LINE_HEIGHT * (number + 1) - 3)
        cv2.putText(paper, line, position, cv2.FONT_HERSHEY_SIMPLEX, 0.36, _INK, 1, cv2.LINE_AA)
    return paper

"""Masks without weights, from what is marked: in single images from the true box, in clips from the first frame.

The methods stand side by side as runs of their own: compare them with `vitron eval compare`.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import ConfigError, MetricError
from vitron_ros.evaluation.case_pictures import case_picture
from vitron_ros.evaluation.datasets.masked_sequences import MaskedSequence
from vitron_ros.evaluation.mask_rows import mask_from_json
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.evaluation.metrics.segmentation import davis_track, region_similarity
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.tasks.task import Figures, SuiteTask
from vitron_ros.frame import Frame, Image
from vitron_ros.modules.segmentation.grab_cut import RNG_SEED
from vitron_ros.modules.segmentation.image_mask import segment_image
from vitron_ros.modules.segmentation.mask_propagation import MaskPropagation
from vitron_ros.modules.segmentation.motion_evidence import NEIGHBOUR_DISTANCE
from vitron_ros.offline.coco_rle import encode_mask
from vitron_ros.region import Region

GRAB_CUT_ROUNDS = 5
IMAGE_METHODS: Mapping[str, Callable[[Image, Boxes, Image], Flags]] = {
    "embedded": lambda rgb, box, neighbour: segment_image(rgb, Region.from_box(box), neighbour),
    "alone": lambda rgb, box, neighbour: segment_image(rgb, Region.from_box(box)),
    "grabcut": lambda rgb, box, neighbour: _plain_grab_cut(rgb, box),
    "box": lambda rgb, box, neighbour: Region.from_box(box).binary_mask(rgb.shape[1], rgb.shape[0]),
}
CLIP_METHODS = ("from-mask", "from-box")


class _MarkedMasks(SuiteTask[MaskedSequence]):
    methods: ClassVar[Collection[str]]
    unit = "frame"
    legend = "The frame with the lowest IoU of each sequence: green is the truth, the other mask the prediction."

    def size(self, record: MaskedSequence) -> int:
        return len(record.sequence)

    def files(self, record: MaskedSequence) -> tuple[Path, ...]:
        return *record.sequence.paths, *record.mask_paths

    def truth(self, record: MaskedSequence) -> bytes:
        return record.sequence.boxes_xyxy.tobytes()  # the masks are files

    def check(self, settings: Mapping[str, str]) -> None:
        if settings["method"] not in self.methods:
            raise ConfigError(f"there is no method {settings['method']!r}; choose one of {', '.join(self.methods)}")

    def variants(self, run: Run) -> tuple[str, ...]:
        return (run.header.settings["method"],)


@dataclass(frozen=True, slots=True)
class ImageMasks(_MarkedMasks):
    """Each image by itself, from its true box."""

    inputs: ClassVar[Mapping[str, str]] = {"method": "embedded", "every": "1"}
    methods: ClassVar[Collection[str]] = tuple(IMAGE_METHODS)

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            f"From the true box of each image. Methods: embedded, with the image {NEIGHBOUR_DISTANCE} frames away; "
            "alone, without it; grabcut, OpenCV's on the whole image; box, filled. Means are over images, then over "
            "sequences.",
        )

    def predict(self, settings: Mapping[str, str], record: MaskedSequence, *, is_drawn: bool) -> Result:
        """`masks` and `true_masks` of the images that were asked for, by `frames`."""
        method = IMAGE_METHODS[settings["method"]]
        frames = range(0, len(record.sequence), int(settings["every"]))
        masks, true, ms = [], [], []
        for index in frames:
            rgb, neighbour = record.sequence.frame(index).rgb, record.sequence.frame(_neighbour(record, index)).rgb
            begin_ns = time.thread_time_ns()
            masks.append(method(rgb, record.sequence.boxes_xyxy[index], neighbour))
            ms.append((time.thread_time_ns() - begin_ns) / 1e6)
            true.append(record.mask(index))
        return _row(record, list(frames), masks, true, is_drawn=is_drawn), ms

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {row["name"]: {"iou": _mean_iou(row)} for row in run.predicted}


@dataclass(frozen=True, slots=True)
class ClipMasks(_MarkedMasks):
    """One object through a clip, from its true mask or box in the first frame."""

    inputs: ClassVar[Mapping[str, str]] = {"method": CLIP_METHODS[0]}
    methods: ClassVar[Collection[str]] = CLIP_METHODS

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            "From the true mask, or from the true box, of the first frame. J and F leave out the first and the last "
            "frame; means are over frames, then over sequences.",
        )

    def predict(self, settings: Mapping[str, str], record: MaskedSequence, *, is_drawn: bool) -> Result:
        """`masks` and `true_masks` of every frame."""
        true = [record.mask(index) for index in range(len(record.sequence))]
        frames = record.sequence.frames()
        first = next(frames)
        masks = [true[0] if settings["method"] == "from-mask" else _first_mask(record, first)]
        propagation, ms = MaskPropagation(first, masks[0]), []
        for frame in frames:
            begin_ns = time.thread_time_ns()
            masks.append(propagation.step(frame))
            ms.append((time.thread_time_ns() - begin_ns) / 1e6)
        return _row(record, list(range(len(true))), masks, true, is_drawn=is_drawn), ms

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {row["name"]: _davis(row) for row in run.predicted}


def _row(record: MaskedSequence, frames: list[int], masks: list[Flags], true: list[Flags], *, is_drawn: bool) -> Row:
    row: Row = {
        "name": record.name,
        "frames": frames,
        "masks": [encode_mask(mask) for mask in masks],
        "true_masks": [encode_mask(mask) for mask in true],
    }
    if is_drawn:
        overlaps = [region_similarity(*pair) for pair in zip(masks, true, strict=True)]
        worst = int(np.argmin(overlaps))
        rgb = record.sequence.frame(frames[worst]).rgb
        row["picture"] = {
            "jpeg": case_picture(rgb, {}, {"truth": true[worst], "prediction": masks[worst]}),
            "text": f"{record.name}, frame {frames[worst]}, IoU {overlaps[worst]:.3f}",
        }
    return row


def _masks(row: Row) -> Iterator[tuple[Flags, Flags]]:
    for mask, true in zip(row["masks"], row["true_masks"], strict=True):
        yield mask_from_json(mask, row["name"]), mask_from_json(true, row["name"])


def _mean_iou(row: Row) -> float:
    return float(np.mean([region_similarity(mask, true) for mask, true in _masks(row)]))


def _davis(row: Row) -> Figures:
    masks, true = zip(*_masks(row), strict=True)
    try:
        score = davis_track(np.stack(masks), np.stack(true))
    except MetricError as error:
        raise MetricError(f"{row['name']}: {error}") from error
    j, f = float(score.j.mean()), float(score.f.mean())
    return {"j_and_f": (j + f) / 2, "j": j, "f": f}


def _neighbour(record: MaskedSequence, index: int) -> int:
    """The image NEIGHBOUR_DISTANCE after one; at the end, before it."""
    other = index + NEIGHBOUR_DISTANCE
    return other if other < len(record.sequence) else max(0, index - NEIGHBOUR_DISTANCE)


def _first_mask(record: MaskedSequence, first: Frame) -> Flags:
    neighbour = record.sequence.frame(min(NEIGHBOUR_DISTANCE, len(record.sequence) - 1))
    return segment_image(first.rgb, Region.from_box(record.sequence.boxes_xyxy[0]), neighbour.rgb)


def _plain_grab_cut(rgb: Image, box: Boxes) -> Flags:
    labels = np.zeros(rgb.shape[:2], np.uint8)
    x_min, y_min, x_max, y_max = np.round(box).astype(int).tolist()
    cv2.setRNGSeed(RNG_SEED)
    models = np.zeros((2, 1, 65))
    rectangle, mode = (x_min, y_min, x_max - x_min, y_max - y_min), cv2.GC_INIT_WITH_RECT
    cv2.grabCut(rgb, labels, rectangle, models[0], models[1], GRAB_CUT_ROUNDS, mode)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))

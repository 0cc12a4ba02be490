"""The embedded segmentation against true masks: single images from the true box, and clips from the first frame.

Images: the IoU of each method's mask, the mean over a sequence's frames and then over sequences. Beside the embedded
backend stand the filled box and OpenCV's GrabCut, started with the same box on the image as it is.
Clips: J and F of DAVIS in every frame but the first and last, from the true first mask and from the true first box.
Milliseconds are CPU time of one thread, without decoding.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.evaluation.datasets.masked_sequences import MaskedSequence
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.evaluation.metrics.segmentation import davis_track, region_similarity
from vitron_ros.evaluation.segmentation_pictures import write_clip_picture, write_image_picture
from vitron_ros.frame import Frame, Image
from vitron_ros.modules.segmentation.grab_cut import RNG_SEED
from vitron_ros.modules.segmentation.image_mask import segment_image
from vitron_ros.modules.segmentation.mask_propagation import MaskPropagation
from vitron_ros.modules.segmentation.motion_evidence import NEIGHBOUR_DISTANCE
from vitron_ros.region import Region

GRAB_CUT_ROUNDS = 5
IMAGE_METHODS: Mapping[str, Callable[[Image, Boxes, Image], Flags]] = {
    "box": lambda rgb, box, neighbour: Region.from_box(box).binary_mask(rgb.shape[1], rgb.shape[0]),
    "grabcut": lambda rgb, box, neighbour: _plain_grab_cut(rgb, box),
    "embedded": lambda rgb, box, neighbour: segment_image(rgb, Region.from_box(box)),
    "embedded_with_neighbour": lambda rgb, box, neighbour: segment_image(rgb, Region.from_box(box), neighbour),
}
CLIP_STARTS = ("first_mask", "first_box")

Figures = dict[str, Any]


def evaluate(
    sequences: Sequence[MaskedSequence],
    every: int,
    pictures: Path | None,
    processes: int,
    on_frames: Callable[[int], object],
) -> Figures:
    """`images` -> method -> figures and `clips` -> start -> figures: means over sequences, and those of each sequence.

    Args:
        every: single images are segmented in every so many frames; clips are followed through all.
        pictures: folder for two pictures a sequence; None: none are written.
        on_frames: told how many frames are done with each task; `task_frames` says how many there are in all.
    """
    images: dict[str, dict[str, Figures]] = {name: {} for name in IMAGE_METHODS}
    clips: dict[str, dict[str, Figures]] = {name: {} for name in CLIP_STARTS}
    with ProcessPoolExecutor(processes, get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        running = {}
        for masked in sorted(sequences, key=lambda masked: -len(masked.sequence)):
            running[pool.submit(score_images, masked, every, pictures)] = images, masked, every
            running[pool.submit(score_clip, masked, pictures)] = clips, masked, 1
        for future in as_completed(running):
            group, masked, step = running[future]
            for method, figures in future.result().items():
                group[method][masked.sequence.name] = figures
            on_frames(_frames(masked, step))
    return {"images": _means(images, ("iou", "ms")), "clips": _means(clips, ("j_and_f", "j", "f", "ms_per_frame"))}


def task_frames(sequences: Sequence[MaskedSequence], every: int) -> int:
    """How many frames `evaluate` tells of in all."""
    return sum(_frames(masked, step) for masked in sequences for step in (every, 1))


def score_images(masked: MaskedSequence, every: int, pictures: Path | None) -> dict[str, Figures]:
    """Method -> `iou`, `ms` and number of `frames`, from the true box of each frame by itself."""
    overlaps: dict[str, list[float]] = {name: [] for name in IMAGE_METHODS}
    spent_ns = dict.fromkeys(IMAGE_METHODS, 0)
    shown = _frames(masked, every) // 2 * every
    for frame, neighbour in _with_neighbours(masked, every):
        box, true = masked.sequence.boxes_xyxy[frame.index], masked.mask(frame.index)
        masks = {}
        for name, method in IMAGE_METHODS.items():
            begin_ns = time.thread_time_ns()
            masks[name] = method(frame.rgb, box, neighbour.rgb)
            spent_ns[name] += time.thread_time_ns() - begin_ns
            overlaps[name].append(region_similarity(masks[name], true))
        if pictures is not None and frame.index == shown:
            labelled = {f"{name} {overlaps[name][-1]:.2f}": mask for name, mask in masks.items() if name != "box"}
            write_image_picture(pictures / f"{masked.sequence.name}-image.png", frame.rgb, {"truth": true, **labelled})
    return {
        name: {"iou": float(np.mean(values)), "ms": spent_ns[name] / len(values) / 1e6, "frames": len(values)}
        for name, values in overlaps.items()
    }


def score_clip(masked: MaskedSequence, pictures: Path | None) -> dict[str, Figures]:
    """Start -> `j_and_f`, `j`, `f`, `ms_per_frame` and number of `frames` that were followed."""
    true = np.stack([masked.mask(index) for index in range(len(masked.sequence))])
    figures: dict[str, Figures] = {}
    for start in CLIP_STARTS:
        frames = masked.sequence.frames()
        first, spent_ns = next(frames), 0
        masks = [true[0] if start == "first_mask" else _first_mask(masked)]
        propagation = MaskPropagation(first, masks[0])
        for frame in frames:
            begin_ns = time.thread_time_ns()
            masks.append(propagation.step(frame))
            spent_ns += time.thread_time_ns() - begin_ns
        score = davis_track(np.stack(masks), true)
        j, f = float(score.j.mean()), float(score.f.mean())
        ms = spent_ns / (len(masks) - 1) / 1e6
        figures[start] = {"j_and_f": (j + f) / 2, "j": j, "f": f, "ms_per_frame": ms, "frames": len(masks)}
        if pictures is not None and start == "first_mask":
            write_clip_picture(pictures / f"{masked.sequence.name}-clip.png", masked.sequence, masks)
    return figures


def _plain_grab_cut(rgb: Image, box: Boxes) -> Flags:
    labels = np.zeros(rgb.shape[:2], np.uint8)
    x_min, y_min, x_max, y_max = np.round(box).astype(int).tolist()
    cv2.setRNGSeed(RNG_SEED)
    models = np.zeros((2, 1, 65))
    rectangle, mode = (x_min, y_min, x_max - x_min, y_max - y_min), cv2.GC_INIT_WITH_RECT
    cv2.grabCut(rgb, labels, rectangle, models[0], models[1], GRAB_CUT_ROUNDS, mode)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _first_mask(masked: MaskedSequence) -> Flags:
    following = min(NEIGHBOUR_DISTANCE, len(masked.sequence) - 1)
    first, neighbour = (masked.sequence.frame(index) for index in (0, following))
    return segment_image(first.rgb, Region.from_box(masked.sequence.boxes_xyxy[0]), neighbour.rgb)


def _with_neighbours(masked: MaskedSequence, every: int) -> Iterator[tuple[Frame, Frame]]:
    """Every so many frames, each with the one NEIGHBOUR_DISTANCE after it; at the end, before it."""
    last = len(masked.sequence) - 1
    for index in range(0, last + 1, every):
        other = index + NEIGHBOUR_DISTANCE
        yield (
            masked.sequence.frame(index),
            masked.sequence.frame(other if other <= last else max(0, index - NEIGHBOUR_DISTANCE)),
        )


def _frames(masked: MaskedSequence, every: int) -> int:
    return len(range(0, len(masked.sequence), every))


def _means(by_method: Mapping[str, Mapping[str, Figures]], keys: Sequence[str]) -> Figures:
    return {
        method: {
            **{key: float(np.mean([figures[key] for figures in by_sequence.values()])) for key in keys},
            "frames": sum(figures["frames"] for figures in by_sequence.values()),
            "sequences": {name: by_sequence[name] for name in sorted(by_sequence)},
        }
        for method, by_sequence in by_method.items()
    }

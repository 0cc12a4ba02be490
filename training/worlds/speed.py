"""How fast worlds are made on one core."""

import time
from dataclasses import dataclass

import cv2
import numpy as np

from training.worlds.make_clip import make_clip
from training.worlds.samples import make_samples

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Speed:
    """Frames a second on one core: rendering by processor and by wall time, and with samples by processor time."""

    render_fps: float
    render_wall_fps: float
    with_samples_fps: float


def measure(size: int, frames: int, clips: int = 40) -> Speed:
    """Medians over rounds of rendering on one thread, after a warm-up that fills the texture bank.

    Args:
        size: side of a frame, px.
        frames: frames a clip.
        clips: clips in all, shared among the rounds; at least one a round.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for seed in range(12):
            make_clip(seed, frames=1, size=size)
        count = max(1, clips // ROUNDS)
        rounds = [_round(range(start, start + count), size, frames) for start in range(0, ROUNDS * count, count)]
    finally:
        cv2.setNumThreads(threads)
    return Speed(*(float(value) for value in count * frames / np.median(rounds, axis=0)))


def _round(seeds: range, size: int, frames: int) -> tuple[float, float, float]:
    """Seconds: processor and wall time of rendering, processor time with samples."""
    processor, wall = time.process_time(), time.perf_counter()
    made = [make_clip(seed, frames=frames, size=size) for seed in seeds]
    rendered, wall = time.process_time() - processor, time.perf_counter() - wall
    for seed, clip in zip(seeds, made, strict=True):
        make_samples(clip, seed)
    return rendered, wall, time.process_time() - processor

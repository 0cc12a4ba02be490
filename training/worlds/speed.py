"""How fast worlds are made on one core."""

import time
from dataclasses import dataclass

import cv2

from training.worlds.render import make_clip
from training.worlds.samples import make_samples


@dataclass(frozen=True, slots=True)
class Speed:
    """Frames a second of rendering alone and with samples, by time of the processor and of the wall."""

    size: int
    frames: int
    render_fps: float
    render_wall_fps: float
    with_samples_fps: float


def measure(size: int, frames: int, clips: int = 40) -> Speed:
    """Renders `clips` clips on one thread, after a warm-up that fills the texture bank."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for seed in range(12):
            make_clip(seed, frames=1, size=size)
        cpu, wall = time.process_time(), time.perf_counter()
        made = [make_clip(seed, frames=frames, size=size) for seed in range(clips)]
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        talk = time.process_time()
        for seed, clip in enumerate(made):
            make_samples(clip, seed)
        talk = time.process_time() - talk
    finally:
        cv2.setNumThreads(threads)
    count = clips * frames
    return Speed(size, frames, count / cpu, count / wall, count / (cpu + talk))

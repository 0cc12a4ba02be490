"""Progress of a pipeline of diffusers, and a way to stop it, whatever callbacks its class has.

A pipeline calls its scheduler once for each denoising step, and the decoder of its VAE at the end: both are watched on
the loaded objects while one call runs, and left as they were.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vitron_ros.modules.module import Progress

ENCODED = 0.05  # of the progress, when text and images are encoded
DENOISED = 0.9  # and when decoding begins


@contextmanager
def step_progress(pipeline: Any, progress: Progress) -> Iterator[None]:
    """While it lasts, each denoising step of the pipeline is reported, and each pass of the decoder.

    Raises:
        Cancelled: out of the pipeline's call, before its next step or its decoding.
    """
    scheduler = pipeline.scheduler
    step, count = scheduler.step, 0

    def reported(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        # Of the timesteps, since a scheduler may take fewer than asked; of higher orders, step is called more often.
        done = min(1.0, count / max(1, len(scheduler.timesteps)))
        progress.report(ENCODED + (DENOISED - ENCODED) * done)
        count += 1
        return step(*args, **kwargs)

    progress.report(0.0)
    hook = pipeline.vae.decoder.register_forward_pre_hook(lambda *_: progress.report(DENOISED))
    scheduler.step = reported
    try:
        yield
    finally:
        del scheduler.step
        hook.remove()

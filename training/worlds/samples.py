"""All samples about a clip."""

import numpy as np

from training.worlds.expressions import (
    caption_sample,
    rec_sample,
    reg_sample,
    rsot_sample,
    sot_sample,
    video_reg_sample,
)
from training.worlds.invocations import invocation_sample
from training.worlds.question_samples import question_sample
from training.worlds.sample import Sample, Task
from vitron_ros.worlds.clip import Clip

IMAGE_TASKS: tuple[Task, ...] = ("rec", "reg", "caption", "grounded_caption", "vqa", "invocation")
VIDEO_TASKS: tuple[Task, ...] = (
    "rsot", "sot", "video_reg", "caption", "grounded_caption", "video_qa", "invocation"
)  # fmt: skip
TASKS: tuple[Task, ...] = (
    "rec", "reg", "rsot", "sot", "video_reg", "caption", "grounded_caption", "vqa", "video_qa", "invocation"
)  # fmt: skip


def make_samples(
    clip: Clip, seed: int, *, per_task: int = 2, tasks: tuple[Task, ...] = TASKS, relational: float = 0.0
) -> list[Sample]:
    """Samples about a clip: up to `per_task` of each task that suits it; the same arguments give the same list.

    An image task refers to one frame, drawn for every sample. Video tasks, and captions and invocations about
    the whole clip, need two frames or more; ambiguous cases are left out. `relational` is the share of
    additional relational expressions among REC and RSOT samples.
    """
    result: list[Sample] = []
    for task in tasks:
        # A stream of its own for each task: asking for fewer tasks does not change the others.
        rng = np.random.Generator(np.random.PCG64([seed, TASKS.index(task), 2]))
        for _ in range(per_task):
            sample = _make(task, clip, rng, relational)
            if sample is not None and sample not in result:
                result.append(sample)
    return result


def _make(task: Task, clip: Clip, rng: np.random.Generator, relational: float) -> Sample | None:
    is_video = len(clip.frames) > 1
    if task in VIDEO_TASKS and task not in IMAGE_TASKS and not is_video:
        return None
    frame = int(rng.integers(len(clip.frames)))
    scope = None if is_video and rng.random() < 0.5 else frame
    if task == "rec":
        return rec_sample(clip, frame, rng, relational)
    if task == "reg":
        return reg_sample(clip, frame, rng)
    if task == "rsot":
        return rsot_sample(clip, rng, relational)
    if task == "sot":
        return sot_sample(clip, rng)
    if task == "video_reg":
        return video_reg_sample(clip, rng)
    if task in ("caption", "grounded_caption"):
        return caption_sample(clip, scope, grounded=task == "grounded_caption")
    if task == "invocation":
        return invocation_sample(clip, scope, rng)
    return question_sample(clip, None if task == "video_qa" else frame, rng)

"""What one reply of a published model takes: the model itself, what transformers does around it, and the package's own.

The package's own part is what is left of a reply's time without the forward passes, transformers' image processor and
the rest of its `generate`, or the time that a server takes: prompts, marks, resizing and encoding for a server, boxes,
copies. It does not depend on the weights, so that tiny random ones will do.

All is CPU time of the one thread that runs it, which other programs hardly change: not the time that a server takes,
and of a model on CUDA only what queues its work.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from transformers import GenerationMixin, PreTrainedModel
from transformers.image_processing_utils import BaseImageProcessor

from vitron_ros.config import ModelRun
from vitron_ros.frame import Frame
from vitron_ros.grounding.families.chat_client import ChatClient
from vitron_ros.grounding.request import ModelRequest, Task
from vitron_ros.region import Region
from vitron_ros.streaming.models import load_model

MEASURED = {
    "forward": (PreTrainedModel, "__call__"),
    "image processor": (BaseImageProcessor, "__call__"),
    "generate": (GenerationMixin, "generate"),
    "server": (ChatClient, "ask"),
}
"""By the name of a part: what is timed for it, without the parts that it calls."""
TASKS = (Task.FIND, Task.ASK, Task.VERIFY, Task.DESCRIBE)


class Stopwatch:
    """Seconds by part, each without those that it contains. Single-threaded."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(MEASURED, 0.0)
        self._inner = [0.0]

    @contextmanager
    def running(self) -> Iterator[None]:
        """While the block lasts, the calls of all parts are timed."""
        with ExitStack() as stack:
            for part, (owner, name) in MEASURED.items():
                stack.enter_context(patch.object(owner, name, self._timed(part, getattr(owner, name))))
            yield

    def _timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            begin = time.thread_time()
            self._inner.append(0.0)
            try:
                return call(*arguments, **named)
            finally:
                taken, inner = time.thread_time() - begin, self._inner.pop()
                self.seconds[part] += taken - inner
                self._inner[-1] += taken

        return timed


def measure(name: str, size: tuple[int, int], rounds: int) -> dict[str, Any]:
    """Prints a table of medians, ms of CPU time; gives its figures by task.

    Raises:
        ConfigError, ModelError: as `load_model`.
    """
    cv2.setNumThreads(1)
    model = load_model(name, ModelRun())
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    print(f"{model.describe().family}, {size[0]}x{size[1]}, medians of {rounds}, ms of CPU time on one core\n")
    print("".join(f"{word:>17}" for word in ("task", *MEASURED, "own", "all")))
    for task in (task for task in TASKS if task in model.tasks):
        rows = []
        for number in range(rounds + 1):  # the first warms up
            request, watch = _request(task, size, number), Stopwatch()
            with watch.running():
                begin = time.thread_time()
                model.reply([request])
                total = time.thread_time() - begin
            rows.append([*watch.seconds.values(), total - sum(watch.seconds.values()), total])
        medians = [round(1e3 * statistics.median(column), 2) for column in zip(*rows[1:], strict=True)]
        print(f"{task.value:>17}" + "".join(f"{value:>17.2f}" for value in medians))
        figures[task.value] = dict(zip((*MEASURED, "own", "all"), medians, strict=True))
    return figures


def _request(task: Task, size: tuple[int, int], number: int) -> ModelRequest:
    """About an image of its own: noise in blocks of 8 px."""
    width, height = size
    coarse = np.random.default_rng(number).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    rgb = np.ascontiguousarray(coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width])
    regions = (Region.from_box([width / 4, height / 4, width / 2, height / 2]),)
    has_region = task in (Task.VERIFY, Task.DESCRIBE)
    text = "what is on the table?" if task is Task.ASK else "the person in the red jacket"
    frame = Frame(rgb=rgb, stamp_ns=number + 1)
    return ModelRequest(id="1", task=task, frames=(frame,), text=text, regions=regions if has_region else ())

"""A backend that does at once, or as slowly as it is told, what a test asks for."""

import threading

import numpy as np

from vitron_ros.module_registry import REGISTRY
from vitron_ros.modules.module import BackendDescription, ModuleResult


class FakeBackend:
    """Paints images red and marks their left half. `gate`: each frame waits for it; `error`: what running raises."""

    def __init__(self, error=None):
        self.error = error
        self.gate = threading.Event()
        self.gate.set()
        self.jobs = []

    @classmethod
    def load(cls, source, run):
        return cls()

    def describe(self):
        actions = {module: entry.actions for module, entry in REGISTRY.items()}
        return BackendDescription(name="fake", licence="Apache-2.0", actions=actions)

    def run(self, job, progress):
        self.jobs.append(job)
        if self.error is not None:
            raise self.error
        images, masks, boxes = [], [], []
        for index, frame in enumerate(job.frames):
            while not self.gate.wait(0.01):
                progress.report(index / len(job.frames))
            image = np.zeros_like(frame.rgb)
            image[..., 0] = 255
            mask = np.zeros(image.shape[:2], np.uint8)
            mask[:, : frame.width // 2] = 255
            images.append(image)
            masks.append(mask)
            boxes.append(None if index else np.array([0.0, 0, frame.width // 2, frame.height]))
            progress.report((index + 1) / len(job.frames), image)
        return ModuleResult(images=tuple(images), masks=tuple(masks), boxes=tuple(boxes), message="done in red")

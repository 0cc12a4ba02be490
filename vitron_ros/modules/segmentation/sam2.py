"""Segmentation of images and clips by SAM 2: what is marked is cut out, and followed through the frames."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vitron_ros.config import ModelRun
from vitron_ros.model.device import find_device
from vitron_ros.model.model_card import licence_of, name_of
from vitron_ros.model.sam2 import Sam2Network, Sam2Object
from vitron_ros.module_registry import Action, Module
from vitron_ros.modules.module import BackendDescription, ModuleJob, ModuleResult, Progress
from vitron_ros.modules.segmentation.marks import first_mark, mask_result
from vitron_ros.tracking.soft_mask import Flags

SEGMENT: frozenset[Action] = frozenset(["segment"])
MODULES = (Module.IMAGE_SEGMENTATION, Module.VIDEO_SEGMENTATION)


class Sam2Segmentation:
    """Takes a box, clicks, a stroke, an outline or a mask in the first frame, or a track's; it knows no words."""

    def __init__(self, network: Sam2Network, description: BackendDescription) -> None:
        self._network = network
        self._description = description

    @classmethod
    def load(cls, source: str | Path, run: ModelRun) -> "Sam2Segmentation":
        directory = Path(source)
        return cls(Sam2Network.load(directory, find_device(run.device)), segmentation_description(directory))

    def describe(self) -> BackendDescription:
        return self._description

    def run(self, job: ModuleJob, progress: Progress) -> ModuleResult:
        """A mask and a box for each frame. See ModuleBackend."""
        return mask_result(self._masks(job), len(job.frames), progress)

    def _masks(self, job: ModuleJob) -> Iterator[Flags]:
        """One by one; before the object is marked, and where its track says that it is away, all False."""
        first, region = first_mark(job, self._description.name)
        nothing = np.zeros(job.frames[0].rgb.shape[:2], bool)
        target: Sam2Object | None = None
        for index, frame in enumerate(job.frames):
            if index < first:
                yield nothing
                continue
            image = self._network.encode(frame.rgb)
            if target is None:
                region.binary_mask(frame.width, frame.height)  # refuses one that lies outside the image
                target = Sam2Object(self._network, image, region)
            else:
                target.step(image)
            is_away = bool(job.boxes) and job.boxes[index] is None
            yield nothing if is_away else target.newest.pixels > 0


def segmentation_description(directory: Path) -> BackendDescription:
    """What a model of segmentation is."""
    return BackendDescription(
        name=name_of(directory),
        licence=licence_of(directory) or "unknown, see the model's page",
        actions=dict.fromkeys(MODULES, SEGMENT),
    )

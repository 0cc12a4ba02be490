"""What every module's backend takes and gives: a job, its result, and progress that can be cancelled."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.config import ModelRun
from vitron_ros.errors import VitronError
from vitron_ros.frame import Frame, Image
from vitron_ros.module_registry import REGISTRY, Action, Module
from vitron_ros.region import Region

Mask = NDArray[np.uint8]
"""(H, W), 255 inside and 0 outside; between them a soft edge."""

EMBEDDED = "embedded"
"""The name of the backend that needs no weights."""


class ModuleFailure(VitronError):
    """A job ended without a result."""


class BadJob(ModuleFailure):
    """The job cannot be done as it was given."""


class Unsupported(ModuleFailure):
    """The module, or this backend of it, does no such thing."""


class TooLarge(ModuleFailure):
    """The images are more, or larger, than the limits."""


class TimedOut(ModuleFailure):
    """The job took longer than it may."""


class QueueFull(ModuleFailure):
    """As many jobs wait as may wait."""


class OutOfMemory(ModuleFailure):
    """The job needs more memory than there is."""


class DiskFull(ModuleFailure):
    """A result cannot be written: there is no room, or the limit is reached."""


class Cancelled(ModuleFailure):
    """The job was asked to stop."""

    def __init__(self) -> None:
        super().__init__("the job was cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """What a job leaves to whoever asks.

    Attributes:
        width, height: px, of what is generated.
        frame_count: of a clip that is generated.
        frame_rate: Hz, of a clip that is generated.
        steps: denoising steps; 0: as many as the backend recommends.
    """

    width: int = 512
    height: int = 384
    frame_count: int = 24
    frame_rate: float = 12.0
    steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModuleJob:
    """One thing to do.

    Attributes:
        module: which module it is for.
        action: one of the module's.
        text: what it is done to, or what is to be made: "red mug", "red ring to blue", "a red ball left of a cup".
        frames: one image, or a clip in order of time, all of one size; empty for generation from text.
        region: the object, in the first frame; None: the whole image, or `boxes` or `masks` say it.
        boxes: the object's box in each frame, (4,) px, None where it is away; empty: no track is known.
        masks: the object's mask in each frame, (H, W), None where it is away; empty: none are known.
        reference: another image that the text speaks of, such as a new background.
        seed: of everything that is drawn at random.
        settings: sizes and counts.
    """

    module: Module
    action: Action
    text: str = ""
    frames: tuple[Frame, ...] = ()
    region: Region | None = None
    boxes: tuple[Boxes | None, ...] = ()
    masks: tuple[Mask | None, ...] = ()
    reference: Frame | None = None
    seed: int = 0
    settings: JobSettings = field(default_factory=JobSettings)

    def __post_init__(self) -> None:
        """Raises BadJob for what no backend could do."""
        entry = REGISTRY.get(self.module)
        if entry is None:
            raise BadJob(f"{self.module.name} is no module that does anything")
        name, count = entry.name, len(self.frames)
        if self.action not in entry.actions:
            raise BadJob(f"{name} cannot {self.action}; it does {', '.join(sorted(entry.actions))}")
        if entry.input == "none" and count:
            raise BadJob(f"{name} works from text alone, and {count} images were given")
        if entry.input == "image" and count != 1:
            raise BadJob(f"{name} works on one image, and {count} were given")
        if entry.input == "clip" and not count:
            raise BadJob(f"{name} works on a clip, and no image was given")
        sizes = {(frame.width, frame.height) for frame in self.frames}
        if len(sizes) > 1:
            raise BadJob(f"the images of a clip have one size, these have {len(sizes)}")
        if self.region is not None and self.region.kind not in entry.regions:
            raise BadJob(f"{name} takes no {self.region.kind.name.lower()}")
        for what, values in (("boxes", self.boxes), ("masks", self.masks)):
            if values and len(values) != count:
                raise BadJob(f"{len(values)} {what} were given for {count} images; give one an image")
        for mask in self.masks:
            if mask is not None and (mask.dtype != np.uint8 or mask.shape != self.frames[0].rgb.shape[:2]):
                raise BadJob(f"a mask is uint8 and as large as its image, this is {mask.dtype} {mask.shape}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModuleResult:
    """What came of a job.

    Attributes:
        images: (H, W, 3) uint8 RGB, in order of time.
        masks: of the object, one an image; all 0 where it is away.
        boxes: of the object, (4,) px, one an image; None where it is away.
        frame_rate: Hz, of a clip that was generated; 0: the images have the stamps of the job's frames.
        message: what could not be done, such as that no frame shows the background; empty: nothing.
    """

    images: tuple[Image, ...] = ()
    masks: tuple[Mask, ...] = ()
    boxes: tuple[Boxes | None, ...] = ()
    frame_rate: float = 0.0
    message: str = ""

    def __post_init__(self) -> None:
        counts = {len(values) for values in (self.images, self.masks, self.boxes) if values}
        assert len(counts) <= 1, f"a result has {sorted(counts)} images, masks and boxes"


class Progress:
    """How far a job is. `report` is called in the thread that works, `cancel` from any.

    Args:
        tell: called with the fraction done, 0..1, which never falls, and the result so far, if there is one to show.
    """

    def __init__(self, tell: Callable[[float, Image | None], object] = lambda fraction, preview: None) -> None:
        self._tell = tell
        self._cancel = threading.Event()
        self._fraction = 0.0

    @property
    def fraction(self) -> float:
        return self._fraction

    def cancel(self) -> None:
        """Make the next `report` raise."""
        self._cancel.set()

    def report(self, fraction: float, preview: Image | None = None) -> None:
        """Say how far the job is. Cheap: call it for every frame and every denoising step.

        Args:
            fraction: 0..1; less than before counts as what was before.
            preview: (H, W, 3) uint8 RGB, nobody writes to it afterwards; None: nothing new to show.

        Raises:
            Cancelled: the job is to stop.
        """
        if self._cancel.is_set():
            raise Cancelled
        self._fraction = min(max(fraction, self._fraction), 1.0)
        self._tell(self._fraction, preview)

    def cancelled_with(self, other: "Progress") -> None:
        """Share the other's cancelling from now on."""
        self._cancel = other._cancel

    def part(self, first: float, last: float) -> "Progress":
        """The progress of a part of this job, which takes it from `first` to `last`; cancelled with it."""
        part = Progress(lambda fraction, preview: self.report(first + (last - first) * fraction, preview))
        part.cancelled_with(self)
        return part


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendDescription:
    """What a backend is.

    Attributes:
        name: what a person knows it by: "embedded", or the model's name.
        licence: of the model's weights; of code alone, this project's.
        actions: what it does in each module that it serves.
    """

    name: str
    licence: str
    actions: Mapping[Module, frozenset[Action]]


class ModuleBackend(Protocol):
    """Does the jobs of one node's modules. Used by one thread at a time.

    The same job gives the same bytes. Outside the (soft) mask an edited image is the given one, bit for bit.
    """

    @classmethod
    def load(cls, source: str | Path, run: ModelRun) -> "ModuleBackend":
        """The backend of a model's directory, on a device; an embedded one takes `EMBEDDED`.

        Raises:
            ConfigError: a setting of the run is not for this backend.
            ModelError: a file is missing or damaged, or the device cannot hold it.
        """
        ...

    def describe(self) -> BackendDescription: ...

    def run(self, job: ModuleJob, progress: Progress) -> ModuleResult:
        """Do a job, reporting progress before each frame or denoising step.

        Raises:
            Cancelled: `progress` was cancelled.
            ModuleFailure: the job cannot be done; one sentence says why.
            MemoryError: there is not enough memory; torch's own error of that kind may also come.
        """
        ...

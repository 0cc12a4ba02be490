"""Objects removed where the background is known, and recoloured."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np

from vitron_ros.evaluation.case_pictures import film_strip
from vitron_ros.evaluation.covered_clips import FOOTAGE_FRAMES, FOOTAGE_SIZE, CoveredClip, drawn_clip, footage_clip
from vitron_ros.evaluation.datasets.masked_sequences import MaskedSequence, load_masked_sequences
from vitron_ros.evaluation.editing import recolouring, removal
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.run_settings import editor_of
from vitron_ros.evaluation.tasks.task import Figures, SuiteTask
from vitron_ros.frame import Image
from vitron_ros.modules.module import EMBEDDED, Mask, ModuleBackend

DRAWN, STILL = 8, 2  # clips
RECOLOURED_FRAMES = 6

Edited = tuple[dict[str, Any], Sequence[Image]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EditedClip:
    """A clip of which something is to be edited: footage of a folder, or drawn."""

    name: str
    kind: Literal["footage", "drawn", "still"]
    masked: MaskedSequence | None = None
    seed: int = 0


def removal_clips(root: Path, split: str) -> list[EditedClip]:
    """The sequences of a folder, over which something is drawn, and drawn scenes. Raises SourceError."""
    return [
        *recolouring_clips(root, split),
        *(EditedClip(name=f"still-{seed}", kind="still", seed=seed) for seed in range(STILL)),
    ]


def recolouring_clips(root: Path, split: str) -> list[EditedClip]:
    """The sequences of a folder, and drawn scenes. Raises SourceError."""
    return [
        *(EditedClip(name=one.name, kind="footage", masked=one) for one in load_masked_sequences(root)),
        *(EditedClip(name=f"drawn-{seed}", kind="drawn", seed=seed) for seed in range(DRAWN)),
    ]


class _Edits(SuiteTask[EditedClip]):
    inputs: ClassVar[Mapping[str, str]] = {"editor": EMBEDDED, "device": "cpu"}
    variant: ClassVar[str]

    def files(self, record: EditedClip) -> tuple[Path, ...]:
        return () if record.masked is None else (*record.masked.sequence.paths, *record.masked.mask_paths)

    def truth(self, record: EditedClip) -> bytes:
        return record.kind.encode()

    @abstractmethod
    def edit(self, backend: ModuleBackend, record: EditedClip) -> Edited:
        """The figures of a clip, and images to look at."""

    def predict(self, settings: Mapping[str, str], record: EditedClip, *, is_drawn: bool) -> Result:
        """`figures` of the clip, and `unseen`, what the editor says that it could not see."""
        figures, images = self.edit(editor_of(settings), record)
        ms, unseen = figures.pop("ms_per_frame"), figures.pop("unseen", "")
        row: Row = {"name": record.name, "kind": record.kind, "unseen": unseen, "figures": figures}
        if is_drawn:
            row["picture"] = {"jpeg": film_strip(images), "text": f"{record.name} {unseen}"}
        return row, [ms]

    def variants(self, run: Run) -> tuple[str, ...]:
        return (self.variant,)

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {
            row["name"]: {name: None if value is None else float(value) for name, value in row["figures"].items()}
            for row in run.predicted
        }

    def groups(self, row: Row) -> Iterable[str]:
        return (row["kind"],)


@dataclass(frozen=True, slots=True)
class Removal(_Edits):
    """An object is removed, and the fill compared with the known background."""

    variant: ClassVar[str] = "known background"
    legend: ClassVar[str] = "The edited clip from first to last image."

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            f"Footage of {FOOTAGE_SIZE[0]}x{FOOTAGE_SIZE[1]} px over which a noisy ellipse was drawn, drawn scenes in "
            "which a thing moves, and still ones in which no frame shows what it hides. psnr is that of the fill "
            "inside the true mask, in dB; telea and ns are OpenCV's inpainting frame by frame, gain is over the better "
            "of them. untouched: the share of clips in which nothing beyond the mask changed.",
        )

    def edit(self, backend: ModuleBackend, record: EditedClip) -> Edited:
        return removal(backend, _covered(record))


@dataclass(frozen=True, slots=True)
class Recolouring(_Edits):
    """An object is recoloured in several hues, and the hue compared with the asked one."""

    variant: ClassVar[str] = "asked hue"
    legend: ClassVar[str] = "The first image in hues that were asked for."

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            "hue_error is in degrees of CIE Lab between the object's median colour and the asked one, shading the "
            "correlation of the lightness before and after. Masks are the true ones.",
        )

    def edit(self, backend: ModuleBackend, record: EditedClip) -> Edited:
        figures, images = recolouring(backend, *_target(record))
        return {"shading": figures.pop("shading"), **figures}, images


def _covered(record: EditedClip) -> CoveredClip:
    if record.masked is None:
        return drawn_clip(record.seed, still=record.kind == "still")
    frames = islice(record.masked.sequence.frames(), FOOTAGE_FRAMES)
    return footage_clip(record.name, [frame.rgb for frame in frames])


def _target(record: EditedClip) -> tuple[Sequence[Image], Sequence[Mask]]:
    """Images and masks of the object itself."""
    if record.masked is None:
        clip = drawn_clip(record.seed)
        return clip.images[:RECOLOURED_FRAMES], clip.masks[:RECOLOURED_FRAMES]
    frames = list(islice(record.masked.sequence.frames(), RECOLOURED_FRAMES))
    images = [cv2.resize(frame.rgb, FOOTAGE_SIZE, interpolation=cv2.INTER_AREA) for frame in frames]
    masks = [np.where(record.masked.mask(frame.index), 255, 0).astype(np.uint8) for frame in frames]
    return images, [cv2.resize(mask, FOOTAGE_SIZE, interpolation=cv2.INTER_NEAREST) for mask in masks]

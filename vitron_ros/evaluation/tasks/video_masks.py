"""Masks of objects in videos, from their first ones (semi-supervised segmentation: DAVIS, YouTube-VOS)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from vitron_ros.errors import MetricError, PredictionError
from vitron_ros.evaluation.case_pictures import case_picture
from vitron_ros.evaluation.datasets import LabelledVideo
from vitron_ros.evaluation.datasets.labels import VOID
from vitron_ros.evaluation.mask_rows import mask_from_json
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.evaluation.metrics.segmentation import TrackScore, davis, davis_track, region_similarity, youtube_vos
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.run_settings import segmenter_of
from vitron_ros.evaluation.tasks.task import Figures, SuiteTask
from vitron_ros.frame import Frame, Image
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import EMBEDDED, ModuleJob, Progress
from vitron_ros.offline.coco_rle import encode_mask
from vitron_ros.region import Region

DAVIS2017, YOUTUBE_VOS = "davis2017-evaluation", "youtube-vos"


@dataclass(frozen=True, slots=True)
class VideoMasks(SuiteTask[LabelledVideo]):
    """The segmenter is given the true mask of each object in the frame where it begins, and follows it."""

    inputs: ClassVar[Mapping[str, str]] = {"segmenter": EMBEDDED, "device": "cpu"}
    unit = "frame"
    legend = "The frame with the lowest mean J: green is the truth, the other masks are the predictions."

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            "The segmenter is given the true mask of each object in the frame where it begins, and follows each by "
            "itself; where two masks overlap, the smaller object has the pixel. The first and the last frame are not "
            "scored; means are over objects.",
            *self.notes,
        )

    def size(self, record: LabelledVideo) -> int:
        return len(record)

    def files(self, record: LabelledVideo) -> tuple[Path, ...]:
        return *record.paths, *(path for path in record.label_paths if path is not None)

    def truth(self, record: LabelledVideo) -> bytes:
        return repr((dict(record.objects), record.is_merged)).encode()  # the labels are files

    def predict(self, settings: Mapping[str, str], record: LabelledVideo, *, is_drawn: bool) -> Result:
        """By id, `masks`, null before the object begins, and `true_masks` of every frame; `void` is not scored."""
        window = IntensityWindow()
        frames = tuple(record.frame(index, window) for index in range(len(record)))
        masks = _without_overlaps({number: _followed(settings, record, frames, number) for number in record.objects})
        row: Row = {
            "name": record.name,
            "has_truth": record.has_truth,
            "frames": [path.stem for path in record.paths],
            "objects": {str(number): item.is_seen for number, item in record.objects.items()},
            "masks": {
                str(number): [None if mask is None else encode_mask(mask) for mask in own]
                for number, own in masks.items()
            },
        }
        if record.has_truth:
            labels = [_labels(record, index) for index in range(len(record))]
            row["true_masks"] = {
                str(number): [encode_mask(label == number) for label in labels] for number in record.objects
            }
            row["void"] = [encode_mask(label == VOID) for label in labels]
            if is_drawn:
                row["picture"] = _picture(record.name, frames, masks, labels)
        return row, []

    def variants(self, run: Run) -> tuple[str, ...]:
        return self.names

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {
            name: {key: davis(tracks.values())[key] for key in ("j_and_f", "j", "f")}
            for name, tracks in _tracks(run).items()
        }

    def figures(self, run: Run, variant: str) -> Figures:
        tracks = {(name, number): track for name, own in _tracks(run).items() for number, track in own.items()}
        if variant != YOUTUBE_VOS:
            return dict(davis(tracks.values()))
        objects = {row["name"]: row["objects"] for row in run.predicted}
        seen = [objects[name][number] for name, number in tracks]
        if None in seen or len(set(seen)) < 2:
            return dict.fromkeys(("g", "j_seen", "j_unseen", "f_seen", "f_unseen"))
        return dict(youtube_vos(list(tracks.values()), seen))


def _labels(video: LabelledVideo, index: int) -> Image:
    labels = video.labels(index)
    assert labels is not None, "readers refuse an object without a first mask, and truth with a gap is none"
    return labels


def _followed(
    settings: Mapping[str, str], video: LabelledVideo, frames: Sequence[Frame], number: int
) -> list[Flags | None]:
    """The masks of an object, one a frame; None before it begins."""
    first = video.objects[number].first
    region = Region.from_mask(_labels(video, first) == number)
    job = ModuleJob(module=Module.VIDEO_SEGMENTATION, action="segment", frames=tuple(frames[first:]), region=region)
    found = segmenter_of(settings).run(job, Progress()).masks
    return [*[None] * first, *(mask > 127 for mask in found)]


def _without_overlaps(masks: Mapping[int, list[Flags | None]]) -> dict[int, list[Flags | None]]:
    """With each pixel of a frame in one mask at most, that of the smallest."""
    kept: dict[int, list[Flags | None]] = {number: [] for number in masks}
    for of_frame in zip(*masks.values(), strict=True):
        own = {number: mask for number, mask in zip(masks, of_frame, strict=True) if mask is not None}
        taken: Flags | None = None
        free: dict[int, Flags] = {}
        for number in sorted(own, key=lambda number: (own[number].sum(), number)):
            free[number] = own[number] if taken is None else own[number] & ~taken
            taken = free[number] if taken is None else taken | own[number]
        for number, rows in kept.items():
            rows.append(free.get(number))
    return kept


def _picture(
    name: str, frames: Sequence[Frame], masks: Mapping[int, list[Flags | None]], labels: Sequence[Image]
) -> dict[str, str]:
    def overlap(index: int) -> float:
        found = [(own[index], labels[index] == number) for number, own in masks.items()]
        return float(np.mean([region_similarity(mask, true) for mask, true in found if mask is not None] or [1.0]))

    overlaps = [overlap(index) for index in range(len(frames))]
    worst = int(np.argmin(overlaps))
    shown = {f"object {number}": mask for number, own in masks.items() if (mask := own[worst]) is not None}
    true = (labels[worst] > 0) & (labels[worst] != VOID)
    return {
        "jpeg": case_picture(frames[worst].rgb, {}, {"truth": true, **shown}),
        "text": f"{name}, frame {worst}, J {overlaps[worst]:.3f}",
    }


@lru_cache(maxsize=2)  # the boundaries of a data set take long
def _tracks(run: Run) -> dict[str, dict[str, TrackScore]]:
    """J and F of every object, by video and id."""
    if not all(row["has_truth"] for row in run.predicted):
        raise PredictionError("a server keeps the truth of this split; write its archive with: vitron eval submit")
    return {row["name"]: {number: _track(row, number) for number in row["objects"]} for row in run.predicted}


def _track(row: Row, number: str) -> TrackScore:
    where = f"{row['name']}, object {number}"
    first = next((index for index, mask in enumerate(row["masks"][number]) if mask is not None), 0)
    rows = (row["masks"][number], row["true_masks"][number], row["void"])
    masks = [[mask_from_json(mask, where) for mask in own[first:]] for own in rows]
    try:
        return davis_track(*map(np.stack, masks))
    except (MetricError, ValueError) as error:
        raise MetricError(f"{where}: {error}") from error

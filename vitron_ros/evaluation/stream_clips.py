"""Long clips with several objects on disk: `<name>/frames/*.jpg` and `<name>/truth.json`.

`truth.json` holds `fps`, `width`, `height`, `objects` and `targets`. An object has a `label` and, for every frame,
`boxes_xyxy` (the tight box of the part that is seen, or null), `full_boxes_xyxy` (of the whole object, also where it is
hidden or outside the image) and `visible` (share of the object that is seen). A target has a `phrase` that fits one
object alone while the clip begins, that `object`'s number, the `kind` of the phrase, and `lasts`: whether the phrase
fits no other object of the clip at any time.

Letters: T frames, N objects.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.errors import ImageError, SourceError
from vitron_ros.evaluation.datasets import Sequence
from vitron_ros.evaluation.metrics.long_term import TargetTruth
from vitron_ros.frame import Frame
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.natural_sort import natural_sorted
from vitron_ros.recordings.image_files import image_files, read_image
from vitron_ros.recordings.sources import stamp_ns

TRUTH_FILE = "truth.json"
FRAME_NAME = "{:06d}.jpg"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTarget:
    """What is to be followed: see the module's text."""

    phrase: str
    object: int
    kind: str
    lasts: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamTruth:
    """What is true of a clip.

    Attributes:
        labels: N names of objects, for people.
        boxes_xyxy: (T, N, 4) px, of what is seen; NaN where nothing is.
        full_boxes_xyxy: (T, N, 4) px, of the whole objects.
        visible: (T, N) in [0, 1].
    """

    fps: float
    width: int
    height: int
    labels: tuple[str, ...]
    boxes_xyxy: Boxes
    full_boxes_xyxy: Boxes
    visible: NDArray[np.float64]
    targets: tuple[StreamTarget, ...]

    def __post_init__(self) -> None:
        frames, count = self.visible.shape
        if self.boxes_xyxy.shape != (frames, count, 4) or self.full_boxes_xyxy.shape != (frames, count, 4):
            raise SourceError(
                f"{frames} frames of {count} objects need boxes of ({frames}, {count}, 4), "
                f"these are {self.boxes_xyxy.shape} and {self.full_boxes_xyxy.shape}"
            )
        if not frames or len(self.labels) != count or not self.targets:
            raise SourceError("a clip needs frames, one label for each object, and a target")
        if not 0 < self.fps < np.inf:
            raise SourceError(f"{self.fps} frames a second is not a frame rate")
        if any(not 0 <= target.object < count for target in self.targets):
            raise SourceError(f"a target names an object that is not there; there are {count}")
        phrases = [target.phrase for target in self.targets]
        if len(set(phrases)) != len(phrases):
            raise SourceError(f"two targets have the same phrase: {phrases}")

    def of_object(self, index: int) -> TargetTruth:
        """The truth about one object."""
        others = [number for number in range(len(self.labels)) if number != index]
        return TargetTruth(
            fps=self.fps,
            visible=self.visible[:, index],
            boxes_xyxy=self.boxes_xyxy[:, index],
            full_boxes_xyxy=self.full_boxes_xyxy[:, index],
            others_xyxy=self.boxes_xyxy[:, others],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamClip:
    """A clip on disk; images are decoded when they are asked for."""

    name: str
    paths: tuple[Path, ...]
    truth: StreamTruth

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def stamps_ns(self) -> NDArray[np.int64]:
        """(T,), on a clock that starts at 1 s, since a stamp of 0 means "none"."""
        return np.array([stamp_ns(index, self.truth.fps) for index in range(len(self))], np.int64)

    def frames(self) -> Iterator[Frame]:
        """The images with their stamps, decoded one by one.

        Raises:
            SourceError: a file cannot be decoded.
        """
        window = IntensityWindow()
        for index, path in enumerate(self.paths):
            try:
                rgb = read_image(path, window)
            except ImageError as error:
                raise SourceError(f"{path.parent}: {error}; render the clip again") from error
            yield Frame(rgb=rgb, stamp_ns=stamp_ns(index, self.truth.fps), index=index)


def clip_of_sequence(sequence: Sequence, fps: float) -> StreamClip:
    """A sequence as a clip of one object, which is named after its folder and seen wherever it has a box.

    Raises:
        SourceError: the first image cannot be decoded.
    """
    first = next(sequence.frames())
    boxes = sequence.boxes_xyxy[:, None]
    truth = StreamTruth(
        fps=fps,
        width=first.width,
        height=first.height,
        labels=(sequence.name,),
        boxes_xyxy=boxes,
        full_boxes_xyxy=boxes,
        visible=sequence.is_visible[:, None].astype(np.float64),
        targets=(StreamTarget(phrase=sequence.name, object=0, kind="box", lasts=False),),
    )
    return StreamClip(name=sequence.name, paths=sequence.paths, truth=truth)


def write_truth(folder: Path, truth: StreamTruth, **extra: Any) -> None:
    """Write `truth.json`; boxes to 1/100 px, shares to 1/10000. `extra` is kept in the file and read by nobody here.

    The file comes into being whole: where it is, the clip is.
    """
    objects = [
        {
            "label": label,
            "boxes_xyxy": [_numbers(box) for box in truth.boxes_xyxy[:, index]],
            "full_boxes_xyxy": [_numbers(box) for box in truth.full_boxes_xyxy[:, index]],
            "visible": [round(float(share), 4) for share in truth.visible[:, index]],
        }
        for index, label in enumerate(truth.labels)
    ]
    targets = [
        {"phrase": target.phrase, "object": target.object, "kind": target.kind, "lasts": target.lasts}
        for target in truth.targets
    ]
    size = {"fps": truth.fps, "width": truth.width, "height": truth.height}
    document = {**extra, **size, "targets": targets, "objects": objects}
    unfinished = folder / (TRUTH_FILE + ".part")
    try:
        unfinished.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")
        unfinished.replace(folder / TRUTH_FILE)
    except OSError as error:
        raise SourceError(f"cannot write {folder / TRUTH_FILE}: {error.strerror}; make room") from error


def load_clips(root: Path) -> list[StreamClip]:
    """Every clip of a suite, by name: the folders in `root` with a truth.json, or `root` itself.

    Raises:
        SourceError: there is none, or one of them cannot be read.
    """
    folders = (
        [root] if (root / TRUTH_FILE).exists() else natural_sorted(path.parent for path in root.glob(f"*/{TRUTH_FILE}"))
    )
    if not folders:
        raise SourceError(
            f"{root} holds no clip; one is a folder with frames/*.jpg and {TRUTH_FILE}, "
            f"as `python -m training.worlds suite streaming --out {root}` writes them"
        )
    return [load_clip(folder) for folder in folders]


def load_clip(folder: Path) -> StreamClip:
    """One clip from its folder; images are not opened yet.

    Raises:
        SourceError: the truth cannot be read, or not one image for each of its frames.
    """
    path = folder / TRUTH_FILE
    try:
        truth = _truth(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError, IndexError, SourceError) as error:
        raise SourceError(f"{path} is not the truth of a clip: {error!r}") from error
    paths = tuple(image_files(folder))
    if len(paths) != len(truth.visible):
        raise SourceError(f"{folder} has {len(paths)} frames, but its {TRUTH_FILE} speaks of {len(truth.visible)}")
    return StreamClip(name=folder.name, paths=paths, truth=truth)


def _numbers(box: Boxes) -> list[float] | None:
    return [round(float(value), 2) for value in box] if np.isfinite(box).all() else None


def _truth(document: dict[str, Any]) -> StreamTruth:
    objects = document["objects"]
    return StreamTruth(
        fps=float(document["fps"]),
        width=int(document["width"]),
        height=int(document["height"]),
        labels=tuple(str(item["label"]) for item in objects),
        boxes_xyxy=np.stack([_boxes(item["boxes_xyxy"]) for item in objects], axis=1),
        full_boxes_xyxy=np.stack([_boxes(item["full_boxes_xyxy"]) for item in objects], axis=1),
        visible=np.stack([np.array(item["visible"], np.float64) for item in objects], axis=1),
        targets=tuple(
            StreamTarget(
                phrase=str(item["phrase"]),
                object=int(item["object"]),
                kind=str(item["kind"]),
                lasts=bool(item["lasts"]),
            )
            for item in document["targets"]
        ),
    )


def _boxes(values: list[list[float] | None]) -> Boxes:
    return np.array([[np.nan] * 4 if box is None else box for box in values], np.float64).reshape(-1, 4)

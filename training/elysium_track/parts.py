"""Parts of a run: some videos each, in a file that appears when it is whole.

    OUT/run.json               what the run is made with; another run in the folder is refused
    OUT/parts/00000.jsonl      a line for each video of a part: its tracks, and what was dropped
    OUT/frames/VIDEO/0.jpg ... of the videos with tracks

A killed run goes on at its first part without a file. A part depends on its videos and the run alone.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from training.elysium_track.annotation import Annotation, Tools, annotate
from training.elysium_track.captioned_videos import CaptionedVideo
from training.elysium_track.noun_phrases import phrases_by_rules, phrases_by_spacy
from training.elysium_track.settings import Settings
from vitron_ros.boxes import Boxes, clip, norm_from_xyxy
from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation import fingerprint
from vitron_ros.evaluation.datasets.files import read_json, read_json_lines
from vitron_ros.grounding.families import check_config, is_address
from vitron_ros.grounding.families.composite import part_names
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.recordings.output import replace_bytes, write_bytes
from vitron_ros.streaming.models import load_model
from vitron_ros.tracking.trackers import make_tracker

RUN_FILE = "run.json"
DIGITS = 4  # of a box in fractions of the image

Row = dict[str, Any]


class ModelSource(Protocol):
    """Where a model comes from; hashable and picklable, since each process loads its own."""

    def load(self) -> LanguageVision: ...

    def fingerprint(self) -> str:
        """The same for the same model."""
        ...


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model by its name, as `load_model` takes it."""

    name: str
    run: ModelRun

    def load(self) -> LanguageVision:
        return load_model(self.name, self.run)

    def fingerprint(self) -> str:
        from vitron_ros.model.checkpoint import find_checkpoint  # imports torch

        folders = [find_checkpoint(part, check_config) for part in part_names(self.name) if not is_address(part)]
        return fingerprint.settings_hash({"model": self.name, **asdict(self.run)}, folders)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What every part of a run is made with.

    Attributes:
        spacy: a pipeline that finds noun phrases; empty: rules do.
    """

    out: Path
    model: ModelSource
    tracker: str = "default"
    spacy: str = ""
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some videos of a run; it can be sent to another process."""

    run: Run
    number: int
    videos: tuple[CaptionedVideo, ...]

    @property
    def path(self) -> Path:
        return self.run.out / "parts" / f"{self.number:05d}.jsonl"


def begin(run: Run, videos: Sequence[CaptionedVideo], size: int) -> list[Part]:
    """The parts of a run, of so many videos each. Its folder is new, or holds the same run.

    Raises:
        ConfigError: it holds another run.
        SourceError: it cannot be written.
    """
    made_with = {
        "model": run.model.fingerprint(),
        "tracker": fingerprint.settings_hash({"tracker": run.tracker}),
        "phrases": run.spacy or "rules",
        "settings": asdict(run.settings),
        "videos": _listing_hash(videos),
        "part_size": size,
    }
    path = run.out / RUN_FILE
    if path.exists():
        written = read_json(path, dict)
        differ = [key for key, value in made_with.items() if written.get(key) != value]
        if differ:
            raise ConfigError(
                f"{path} is of a run with other {' and '.join(differ)}; choose another --out, or remove that folder"
            )
    else:
        replace_bytes(path, (json.dumps(made_with, indent=1) + "\n").encode())
    return [
        Part(run=run, number=number, videos=tuple(videos[start : start + size]))
        for number, start in enumerate(range(0, len(videos), size))
    ]


def make_part(part: Part) -> int:
    """Annotate the videos of a part and write its file; gives their number.

    Raises:
        ModelError: the model fails.
        SourceError: a file cannot be written.
    """
    cv2.setNumThreads(1)
    tools, lines = _tools(part.run), []
    for video in part.videos:
        found = annotate(video, tools, part.run.settings)
        for index in _written(found, part.run.settings):
            jpeg = encode_jpeg(found.frames[index].rgb, part.run.settings.jpeg_quality)
            write_bytes(part.run.out / frame_name(video, index), jpeg)
        lines.append(json.dumps(_row(found, part.run.settings), allow_nan=False))
    replace_bytes(part.path, "".join(f"{line}\n" for line in lines).encode())
    return len(part.videos)


def read_parts(parts: Sequence[Part]) -> Iterator[tuple[CaptionedVideo, Row]]:
    """The videos of finished parts with their rows.

    Raises:
        SourceError: a part is missing or damaged.
    """
    for part in parts:
        rows = (row for _, row in read_json_lines(part.path))
        yield from zip(part.videos, rows, strict=True)


def frame_name(video: CaptionedVideo, index: int) -> str:
    """Of a written frame, below the folder of the run; as in ElysiumTrack-1M."""
    return f"frames/{video.id}/{index:06d}.jpg"


@lru_cache(maxsize=1)
def _tools(run: Run) -> Tools:
    return Tools(
        find_phrases=phrases_by_spacy(run.spacy) if run.spacy else phrases_by_rules,
        model=run.model.load(),
        make_tracker=partial(make_tracker, run.tracker),
    )


def _written(found: Annotation, settings: Settings) -> range:
    """Frames of a clip that are written."""
    return range(0, len(found.frames), settings.frame_step)


def _row(found: Annotation, settings: Settings) -> Row:
    """What a part says of a video. Boxes are in fractions of the image; null: there is none."""
    size = (found.frames[0].width, found.frames[0].height) if found.frames else None
    return {
        "id": found.video.id,
        "fault": found.fault,
        "message": found.message,
        "hashes": [f"{value:016x}" for value in found.hashes],
        "frame_size": size,
        "frames": [frame_name(found.video, index) for index in _written(found, settings)],
        "tracks": [
            {
                "phrase": one.phrase.text,
                "head": one.phrase.head,
                "box": _fractions(one.boxes_xyxy[_written(found, settings)], size),
            }
            for one in found.tracks
        ],
        "dropped": [
            {
                "phrase": one.text,
                "fault": one.fault,
                "detected_px": _pixels(one.detected_xyxy),
                "tracked_px": _pixels(one.tracked_xyxy),
            }
            for one in found.dropped
        ],
    }


def _fractions(boxes_xyxy: Boxes, size: tuple[int, int] | None) -> list[list[float]]:
    assert size is not None, "a video with tracks has frames"
    rounded: list[list[float]] = np.round(norm_from_xyxy(clip(boxes_xyxy, *size), *size), DIGITS).tolist()
    return rounded


def _pixels(boxes_xyxy: Boxes) -> list[list[float] | None]:
    return [None if np.isnan(box).any() else np.round(box, 1).tolist() for box in boxes_xyxy]


def _listing_hash(videos: Sequence[CaptionedVideo]) -> str:
    """Of names, captions and sizes; the files are not opened."""
    digest = hashlib.sha256()
    for video in videos:
        size = video.path.stat().st_size if video.path.is_file() else -1
        digest.update(f"{video.file}\0{video.caption}\0{size}\n".encode())
    return digest.hexdigest()[: fingerprint.DIGITS]

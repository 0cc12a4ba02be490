"""Records in one JSON file: a list, or one a line, which are read one at a time.

    conversations   LLaVA's: {id, image or video, conversations: [{from: human, value}, {from: gpt, value}, ...]};
                    VideoChat's: {video, QA: [{i, q, a}, ...]}, or {id, image or video, questions: [[..., ...], ...]}
    captions        {id, image or video, caption or captions}
    regions         {id, image, box: [x_min, y_min, x_max, y_max], caption}, or several: {id, image, phrases, sentences}
    tracks          ElysiumTrack's: {id, vid, frames: [...], box: [[x_min, ...] or null, ...], object_description,
                    object_class, frame_size}

Boxes are fractions of the image; `training/annotations.py` has the forms in full.
"""

import json
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.annotations import AnnotatedMedia, TrackedObject, Tracks, fractions, from_json
from training.config import RecordsConfig
from training.errors import RecordError
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.elysium_track import elysium_sequence
from vitron_ros.lfs import lfs_problem
from vitron_ros.model.files import quoted

KEYS = {
    "conversations": ("conversations", "questions", "QA"),
    "captions": ("caption", "captions"),
    "regions": ("box", "phrases"),
}  # that an entry of each kind has, one of them


class JsonFile:
    """The records of one file."""

    def __init__(self, config: RecordsConfig) -> None:
        """
        Raises:
            SourceError: the file cannot be read, or holds no records.
        """
        self._reader, self._path = config.reader, Path(config.path)
        self._media = Path(config.media) if config.media else self._path.parent
        for path in (self._path, self._media):
            if not path.exists():
                raise SourceError(f"{path} is missing; {config.origin or 'give the path of the records'}")
        if problem := lfs_problem(self._path):
            raise SourceError(problem)
        self._entries: list[Any] = []
        self._offsets: NDArray[np.int64] | None = None
        try:
            if _is_list(self._path):
                self._entries = json.loads(self._path.read_text(encoding="utf-8"))
            else:
                self._offsets = _line_offsets(self._path)
        except (OSError, ValueError, RecursionError) as error:
            raise SourceError(f"{self._path} cannot be read: {error}; give JSON, a list or lines") from error
        if not len(self):
            raise SourceError(f"{self._path} holds no records; give a JSON list, or lines of JSON")

    def __len__(self) -> int:
        return len(self._entries) if self._offsets is None else len(self._offsets) - 1

    def __getitem__(self, index: int) -> AnnotatedMedia:
        """
        Raises:
            RecordError: the entry cannot be used.
        """
        entry = self._entry(index)
        name = str(entry.get("id", index))
        if self._reader == "tracks":
            return self._track(entry, name)
        if not any(key in entry for key in KEYS[self._reader]):
            raise RecordError(f"it has no {' or '.join(KEYS[self._reader])}")
        return AnnotatedMedia(id=name, media=self._files(entry), annotation=from_json(entry))

    def _entry(self, index: int) -> Mapping[str, Any]:
        if self._offsets is None:
            entry = self._entries[index]
        else:
            with self._path.open("rb") as file:
                file.seek(int(self._offsets[index]))
                line = file.read(int(self._offsets[index + 1] - self._offsets[index]))
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise RecordError(f"it is not JSON: {error}") from error
        if not isinstance(entry, Mapping):
            raise RecordError(f"it is {quoted(entry)}, not a table")
        return entry

    def _files(self, entry: Mapping[str, Any]) -> tuple[Path, ...]:
        if "video" in entry:
            return (self._file(entry["video"]),)
        if "image" not in entry:
            raise RecordError("it has no image or video")
        named = entry["image"]
        return tuple(self._file(name) for name in (named if isinstance(named, list) else [named]))

    def _file(self, name: object) -> Path:
        """A file of the media folder."""
        is_inside = isinstance(name, str) and "\0" not in name and not Path(name).is_absolute()
        if not isinstance(name, str) or not is_inside or ".." in Path(name).parts:
            raise RecordError(f"{quoted(name)} is not a file of the media folder")
        return self._media / name

    def _track(self, entry: Mapping[str, Any], name: str) -> AnnotatedMedia:
        try:
            sequence = elysium_sequence(entry, self._media, name)
            width, height = (int(side) for side in entry["frame_size"])
        except (SourceError, ValueError) as error:
            raise RecordError(str(error)) from error
        boxes = fractions(sequence.boxes_xyxy, width, height)
        if (outside := sequence.is_visible & np.isnan(boxes).any(axis=1)).any():
            place = int(outside.argmax())
            raise RecordError(f"{quoted(entry['box'][place])}, the box of frame {place + 1}, is outside the image")
        text = sequence.language.strip() or sequence.category
        return AnnotatedMedia(id=sequence.name, media=sequence.paths, annotation=Tracks((TrackedObject(text, boxes),)))


def _is_list(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _line_offsets(path: Path) -> NDArray[np.int64]:
    """Where each line begins that is not empty, and the end of the last: (lines + 1,) bytes."""
    starts, place = array("q"), 0
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                starts.append(place)
            place += len(line)
    starts.append(place)
    return np.array(starts, np.int64)

"""Records of annotated images and clips, read from files by their index.

A set of records is a JSON list, or JSON lines, which are read one at a time. Each kind of entry has a reader:

    conversations   LLaVA's: {id, image or video, conversations: [{from: human, value}, {from: gpt, value}, ...]}
    captions        {id, image or video, caption}
    regions         {id, image, box: [x_min, y_min, x_max, y_max] as fractions, caption}
    tracks          ElysiumTrack's: {id, frames: [...], box: [[x_min, ...], ...] as fractions, object_description or
                    object_class}; a null box: the object is not there

A record that cannot be used is an error of its own, RecordError, which names it; nothing takes its place.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.config import RecordsConfig
from training.errors import RecordError
from vitron_ros.errors import ConfigError, ImageError, SourceError
from vitron_ros.frame import Image
from vitron_ros.images.compressed import decode_file
from vitron_ros.model.answers import Box
from vitron_ros.model.files import is_file, quoted
from vitron_ros.model.parsing import ParseStatus, parse_reply
from vitron_ros.recordings.video_reader import read_timing, read_video

IMAGE_SIGN = "<image>"  # where LLaVA's text has its image
VIDEO_SIGN = "<video>"
MODULE_SIGN = "<module>"
Rng = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTurn:
    """A question with its answer.

    Attributes:
        task: a key of `vitron_ros.model.prompt_profile.TASKS`.
        text: the phrase or question.
        box: what the question marks in the first frame; None: nothing.
        answer: in words; empty: the boxes are the answer.
        boxes: of the answer, one a frame; None where the object is not there.
    """

    task: str
    text: str = ""
    box: Box | None = None
    answer: str = ""
    boxes: tuple[Box | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One annotated image or clip.

    Attributes:
        id: of the record in its set.
        source: file of the set.
        media: image files, one a frame; or one video file.
        frames: how many are shown; those of a video file lie evenly over it.
        turns: the conversation, in order.
    """

    id: str
    source: str
    media: tuple[Path, ...]
    frames: int
    turns: tuple[RecordTurn, ...]


class RecordSet:
    """The records of one file."""

    def __init__(self, config: RecordsConfig) -> None:
        """
        Raises:
            ConfigError: the file cannot be read, or holds no records.
        """
        self._config, self._path = config, Path(config.path)
        self._media = Path(config.media) if config.media else self._path.parent
        self._entries: list[Any] = []
        self._offsets: NDArray[np.int64] | None = None
        try:
            if self._path.suffix == ".jsonl":
                self._offsets = _line_offsets(self._path)
            else:
                self._entries = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the records of {self._path} cannot be read: {error}; give a JSON list or lines"
            ) from error
        if not isinstance(self._entries, list) or not len(self):
            raise ConfigError(f"{self._path} holds no list of records; give a JSON list, or lines of JSON")

    def __len__(self) -> int:
        return len(self._entries) if self._offsets is None else len(self._offsets) - 1

    def read(self, index: int, rng: Rng) -> Record:
        """The record of an index. `rng` draws its task and frames.

        Raises:
            RecordError: it cannot be used.
        """
        entry = self._entry(index)
        name = str(entry.get("id", index))
        try:
            return READERS[self._config.reader](_Reader(self._config, self._media, name, rng), entry)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise RecordError(f"record {quoted(name)} of {self._path}: {_reason(error)}") from error

    def _entry(self, index: int) -> Mapping[str, Any]:
        if self._offsets is None:
            entry = self._entries[index]
        else:
            with self._path.open("rb") as file:
                file.seek(int(self._offsets[index]))
                line = file.read(int(self._offsets[index + 1] - self._offsets[index]))
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise RecordError(f"record {index} of {self._path} is not JSON: {error}") from error
        if not isinstance(entry, Mapping):
            raise RecordError(f"record {index} of {self._path} is no table")
        return entry


@dataclass(frozen=True)
class _Reader:
    """What a kind of entry is read with."""

    config: RecordsConfig
    media: Path
    id: str
    rng: Rng

    def record(self, media: tuple[Path, ...], frames: int, *turns: RecordTurn) -> Record:
        return Record(id=self.id, source=self.config.path, media=media, frames=frames, turns=turns)

    def file(self, name: object) -> Path:
        """A file of the media folder. Raises ValueError if it is outside."""
        if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"{quoted(name)} is not a file of the media folder")
        return self.media / name

    def images_or_video(self, entry: Mapping[str, Any]) -> tuple[tuple[Path, ...], int]:
        """The media of an entry, and how many frames of it are shown."""
        if "video" in entry:
            return (self.file(entry["video"]),), self.frame_count()
        named = entry["image"]
        files = tuple(self.file(name) for name in (named if isinstance(named, list) else [named]))
        if not files:
            raise ValueError("it has no image")
        return files, len(files)

    def frame_count(self) -> int:
        return int(self.rng.integers(self.config.min_frames, self.config.max_frames + 1))

    def task(self) -> str:
        return self.config.tasks[int(self.rng.integers(len(self.config.tasks)))]


def _conversation(reader: _Reader, entry: Mapping[str, Any]) -> Record:
    media, frames = reader.images_or_video(entry)
    said = entry["conversations"]
    turns: list[RecordTurn] = []
    for human, model in zip(said[::2], said[1::2], strict=True):
        if (human["from"], model["from"]) != ("human", "gpt"):
            raise ValueError("its turns do not alternate between human and gpt")
        text = human["value"].replace(IMAGE_SIGN, "").replace(VIDEO_SIGN, "").strip()
        turns.append(RecordTurn(task=reader.task() if not turns else "conversation", text=text, answer=model["value"]))
    for turn in turns:
        if MODULE_SIGN in turn.answer:
            reply = parse_reply(turn.answer)
            if reply.status is not ParseStatus.OK or reply.invocation is None:
                raise ValueError(f"its invocation cannot be read: {'; '.join(reply.problems)}")
    return reader.record(media, frames, *turns)


def _caption(reader: _Reader, entry: Mapping[str, Any]) -> Record:
    media, frames = reader.images_or_video(entry)
    return reader.record(media, frames, RecordTurn(task=reader.task(), answer=_text(entry, "caption")))


def _region(reader: _Reader, entry: Mapping[str, Any]) -> Record:
    media, box, text, task = (
        (reader.file(entry["image"]),),
        read_box(entry["box"]),
        _text(entry, "caption"),
        reader.task(),
    )
    if task == "rec":
        return reader.record(media, 1, RecordTurn(task=task, text=text, boxes=(box,)))
    return reader.record(media, 1, RecordTurn(task=task, box=box, answer=text))


def _track(reader: _Reader, entry: Mapping[str, Any]) -> Record:
    names, boxes = entry["frames"], entry["box"]
    if len(names) != len(boxes):
        raise ValueError(f"it has {len(names)} frames and {len(boxes)} boxes")
    shown = reader.frame_count()
    if len(names) < shown:
        raise ValueError(f"it has {len(names)} frames, and {shown} are asked for")
    # The interval is shortened where the clip is too short for it.
    longest = min(reader.config.max_interval, (len(names) - 1) // max(1, shown - 1))
    interval = int(reader.rng.integers(1, longest + 1)) if longest > 1 else 1
    start = int(reader.rng.integers(len(names) - interval * (shown - 1)))
    places = range(start, start + interval * shown, interval)
    media = tuple(reader.file(names[place]) for place in places)
    found = tuple(None if boxes[place] is None else read_box(boxes[place]) for place in places)
    text = _text(entry, "object_description" if entry.get("object_description") else "object_class")
    task = reader.task()
    if task == "rsot":
        return reader.record(media, shown, RecordTurn(task=task, text=text, boxes=found))
    if found[0] is None:
        raise ValueError("its object is not in the first frame, where the question marks it")
    if task == "sot":
        return reader.record(media, shown, RecordTurn(task=task, box=found[0], boxes=found))
    return reader.record(media, shown, RecordTurn(task=task, box=found[0], answer=text))


READERS: dict[str, Callable[[_Reader, Mapping[str, Any]], Record]] = {
    "conversations": _conversation,
    "captions": _caption,
    "regions": _region,
    "tracks": _track,
}


def read_box(values: Any) -> Box:
    """A box of fractions. Raises ValueError if it is none."""
    x1, y1, x2, y2 = (float(value) for value in values)
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        raise ValueError(f"{quoted(list(values))} is no box x_min, y_min, x_max, y_max in fractions of the image")
    return x1, y1, x2, y2


def read_frames(record: Record) -> list[Image]:
    """The frames of a record, each (H, W, 3) uint8 rgb.

    Raises:
        RecordError: a file is missing or damaged, or a video has fewer frames than are shown.
    """
    try:
        if len(record.media) == record.frames and not _is_video(record.media[0]):
            return [decode_file(path.read_bytes()) for path in record.media]
        return _video_frames(record.media[0], record.frames)
    except (OSError, ImageError, SourceError) as error:
        raise RecordError(f"record {quoted(record.id)} of {record.source}: {error}") from error


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in (".mp4", ".mkv", ".avi", ".webm")


def _video_frames(path: Path, count: int) -> list[Image]:
    if not is_file(path):
        raise SourceError(f"there is no video {path}")
    timing = read_timing(path)
    length = timing.count or 0
    wanted = np.linspace(0, length - 1, count).round().astype(int).tolist() if length >= count else []
    found: list[Image] = []
    for frame in read_video(path, 0, timing.fps or 1.0, lambda index, error: None) if wanted else ():
        if len(found) < count and frame.index == wanted[len(found)]:
            found.append(frame.rgb)
        if len(found) == count:
            return found
    raise SourceError(f"{path} has {length} frames, of which {len(found)} of {count} could be read")


def _line_offsets(path: Path) -> NDArray[np.int64]:
    """Where each line begins that is not empty, and the end of the last: (lines + 1,) bytes."""
    starts, place = [0], 0
    with path.open("rb") as file:
        for line in file:
            place += len(line)
            starts.append(place)
    lines = [start for start, end in pairwise(starts) if end - start > 1]
    return np.array([*lines, place], np.int64)


def _text(entry: Mapping[str, Any], key: str) -> str:
    text = entry[key]
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{key} is {quoted(text)}; it must be text")
    return text.strip()


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)

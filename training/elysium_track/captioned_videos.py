"""A folder of videos with captions, in one of three layouts.

captions.csv     a table with the columns file (or video) and caption (or name)
captions.jsonl   lines of {file (or video), caption}
clip.mp4         with clip.txt, or clip.json with a caption, beside it, as WebDataset and img2dataset have it
"""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.files import read_text
from vitron_ros.natural_sort import natural_sorted

LISTS = ("captions.csv", "captions.jsonl")
VIDEOS = (".mp4", ".mkv", ".avi", ".webm", ".mov")
FILE_KEYS, CAPTION_KEYS = ("file", "video"), ("caption", "name")


@dataclass(frozen=True, slots=True)
class CaptionedVideo:
    """A video and what is said of it.

    Attributes:
        file: relative to the folder.
        caption: empty: it has none.
    """

    folder: Path
    file: str
    caption: str

    @property
    def path(self) -> Path:
        return self.folder / self.file

    @property
    def id(self) -> str:
        """Its name with a hash of its place in the folder: unique, and the same wherever the folder lies."""
        return f"{Path(self.file).stem}-{hashlib.sha256(self.file.encode()).hexdigest()[:8]}"


def read_captioned_videos(folder: Path) -> tuple[list[CaptionedVideo], list[str]]:
    """The videos of a folder in natural order, and a sentence for each row of its list that cannot be used.

    Raises:
        SourceError: the folder holds no list of captions and no video, or its list cannot be read.
    """
    found, problems = {}, []
    for where, given, caption in _entries(folder):
        file = Path(given).as_posix() if given else ""
        if not file or Path(file).is_absolute() or ".." in Path(file).parts:
            problems.append(f"{where}: {given[:80]!r} is not a file of the folder")
        elif file in found:
            problems.append(f"{where}: {file} is there twice")
        else:
            found[file] = CaptionedVideo(folder, file, " ".join(caption.split()))
    if not found:
        raise SourceError(
            f"{folder} holds no captioned video; give a folder of videos ({', '.join(VIDEOS)}) with "
            f"{' or '.join(LISTS)}, or with a .txt or .json beside each"
        )
    return [found[path.as_posix()] for path in natural_sorted(map(Path, found))], problems


def _entries(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Where an entry stands, its file, and its caption."""
    table = next((folder / name for name in LISTS if (folder / name).is_file()), None)
    if table is None:
        for path in folder.rglob("*"):
            if path.suffix.lower() in VIDEOS:
                yield str(path), path.relative_to(folder).as_posix(), _caption_beside(path)
    elif table.suffix == ".csv":
        for number, row in enumerate(csv.DictReader(read_text(table).splitlines()), 2):
            yield f"{table}, line {number}", _first(row, FILE_KEYS), _first(row, CAPTION_KEYS)
    else:
        for number, line in enumerate(read_text(table).splitlines(), 1):
            said = _parsed(line)
            yield f"{table}, line {number}", _first(said, FILE_KEYS), _first(said, CAPTION_KEYS)


def _caption_beside(video: Path) -> str:
    if (path := video.with_suffix(".txt")).is_file():
        return read_text(path)
    if (path := video.with_suffix(".json")).is_file():
        return _first(_parsed(read_text(path)), CAPTION_KEYS)
    return ""


def _parsed(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}


def _first(row: Mapping[str, object], keys: tuple[str, ...]) -> str:
    return next((value for key in keys if isinstance(value := row.get(key), str)), "")

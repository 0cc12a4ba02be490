"""Readers of what annotation tools write about a video. Frame n is the nth image of the topic, nothing else."""

from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.bags.annotations.coco_vid import read_coco_vid
from vitron_ros.evaluation.bags.annotations.cvat import read_cvat
from vitron_ros.evaluation.bags.annotations.frames import Frames
from vitron_ros.evaluation.bags.annotations.label_studio import read_label_studio
from vitron_ros.evaluation.bags.annotations.mot import read_mot
from vitron_ros.evaluation.datasets.files import parse_json, read_text

FORMATS = ("mot", "cvat", "label-studio", "coco-vid")
BEGINNINGS = {"<": "cvat", "[": "label-studio", "{": "coco-vid"}
MOT, LABELS, CVAT = "gt/gt.txt", "gt/labels.txt", "annotations.xml"
MOST_BYTES = 1 << 29  # of a file in an archive


def read_annotations(path: Path, size: tuple[int, int], length: int, kind: str | None = None) -> Frames:
    """The boxes in a file, in an archive or folder that CVAT exported, or in one of MOTChallenge.

    Args:
        size: width and height of the images, px.
        length: images of the topic.
        kind: one of `FORMATS`; None: read from the content.

    Raises:
        SourceError: there is nothing in one of the formats, or what it says does not fit the images.
    """
    where, text, labels = _contents(path)
    kind = kind or _kind(text, where)
    if kind == "mot":
        return read_mot(text, None if labels is None else labels.split("\n"), length, where)
    if kind == "cvat":
        return read_cvat(text, length, where)
    if kind == "label-studio":
        return read_label_studio(parse_json(text, where, list), size, length, where)
    return read_coco_vid(parse_json(text, where, dict), length, where)


def _kind(text: str, where: str) -> str:
    start = text.lstrip()[:1]
    if start.isdigit():
        return "mot"
    if start in BEGINNINGS:
        return BEGINNINGS[start]
    raise SourceError(f"{where} begins as none of {', '.join(FORMATS)}; say which it is with --truth-format")


def _contents(path: Path) -> tuple[str, str, str | None]:
    """What to call the file with the boxes, its text, and that of the labels.txt beside it."""
    if path.is_dir():
        return _chosen(path, lambda name: read_text(path / name) if (path / name).is_file() else None)
    if path.suffix.lower() == ".zip":
        try:
            with ZipFile(path) as archive:
                return _chosen(path, lambda name: _member(archive, name, path))
        except (BadZipFile, OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{path} cannot be read: {error}; export it again") from error
    beside = path.with_name(Path(LABELS).name)
    return str(path), read_text(path), read_text(beside) if beside.is_file() else None


def _chosen(path: Path, read: Callable[[str], str | None]) -> tuple[str, str, str | None]:
    for name in (MOT, CVAT):
        if (text := read(name)) is not None:
            return f"{path}: {name}", text, read(LABELS)
    raise SourceError(f"{path} has neither {MOT} nor {CVAT}; give an export of CVAT, or the file itself")


def _member(archive: ZipFile, name: str, path: Path) -> str | None:
    if name not in archive.namelist():
        return None
    if archive.getinfo(name).file_size > MOST_BYTES:
        raise SourceError(f"{path}: {name} has more than {MOST_BYTES >> 20} MB; unpack it and give the file itself")
    return archive.read(name).decode("utf-8-sig")

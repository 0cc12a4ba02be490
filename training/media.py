"""Images and videos of training data: files of their own, or members of a tar."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.errors import RecordError
from vitron_ros.errors import ImageError, SourceError
from vitron_ros.frame import Image
from vitron_ros.images.compressed import decode_file
from vitron_ros.images.headers import read_header
from vitron_ros.lfs import lfs_problem
from vitron_ros.model.files import is_file
from vitron_ros.recordings.video_reader import read_timing, read_video

VIDEO_SUFFIXES = (".avi", ".gif", ".mkv", ".mp4", ".webm")


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file in a tar that is not compressed, by its place there."""

    tar: Path
    suffix: str
    offset: int
    size: int

    def read_bytes(self) -> bytes:
        with self.tar.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) < self.size:
            raise OSError(f"{self} is cut off after {len(data)} of {self.size} bytes")
        return data

    def __str__(self) -> str:
        return f"{self.tar}, byte {self.offset}"


Media = Path | TarMember


def is_video(media: Media) -> bool:
    return media.suffix.lower() in VIDEO_SUFFIXES


def image_size(media: Media) -> tuple[int, int]:
    """Width and height of an image, px.

    Raises:
        RecordError: it is missing or damaged.
    """
    data = read_media(media)
    try:
        header = read_header(data)
    except ImageError as error:
        raise _damaged(media, error) from error
    return header.width, header.height


def read_media(media: Media) -> bytes:
    """The bytes of a file.

    Raises:
        RecordError: it is missing, or cannot be read.
    """
    try:
        return media.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: of a name that no file can have
        raise _damaged(media, error) from error


def read_frames(media: tuple[Media, ...], frames: int) -> list[Image]:
    """Images as they are, or so many frames of a video, evenly over it; each (H, W, 3) uint8 rgb.

    Raises:
        RecordError: a file is missing or damaged, or a video has fewer frames.
    """
    if not is_video(media[0]):
        return [_read_image(one) for one in media]
    try:
        if isinstance(media[0], Path):
            return _video_frames(media[0], frames)
        with tempfile.NamedTemporaryFile(suffix=media[0].suffix) as file:  # FFmpeg seeks in files that have a name
            file.write(read_media(media[0]))
            file.flush()
            return _video_frames(Path(file.name), frames)
    except (OSError, SourceError) as error:
        raise _damaged(media[0], error) from error


def _read_image(media: Media) -> Image:
    data = read_media(media)
    try:
        return decode_file(data)
    except ImageError as error:
        raise _damaged(media, error) from error


def _damaged(media: Media, error: Exception) -> RecordError:
    if isinstance(error, FileNotFoundError):
        return RecordError(f"{media} is missing")
    if isinstance(media, Path) and (problem := lfs_problem(media)):
        return RecordError(problem)
    return RecordError(f"{media} cannot be read: {getattr(error, 'strerror', None) or error}")


def _video_frames(path: Path, count: int) -> list[Image]:
    if not is_file(path):
        raise FileNotFoundError(path)
    timing = read_timing(path)
    length = timing.count or 0
    wanted = np.linspace(0, length - 1, count).round().astype(int).tolist() if length >= count else []
    found: list[Image] = []
    for frame in read_video(path, 0, timing.fps or 1.0, lambda index, error: None) if wanted else ():
        if len(found) < count and frame.index == wanted[len(found)]:
            found.append(frame.rgb)
        if len(found) == count:
            return found
    raise SourceError(f"it has {length} frames, of which {len(found)} of {count} could be read")
